// Calls of contiguous arrays of the arithmetic's own type, without the general preparations; on threads, too.
#include <algorithm>
#include <cstddef>

#include "kernels/cache.h"
#include "kernels/driver.h"
#include "kernels/ragged.h"
#include "kernels/staging.h"
#include "kernels/tables.h"

namespace ogee::kernels {
namespace {

template <class T>
struct PlainKernel {
  Kernel<T> run;
  std::size_t width;
};
template <class T>
PlainKernel<T> plain_kernel(Pass pass, Place place, Precision precision) {
  const KernelTable<T> family = table<T>(place.family);
  const FunctionKernels<T>& kernels = family.functions[place.index];
  const ModeKernels<T>& modes = precision == Precision::fast ? kernels.fast : kernels.exact;
  const RowKernels<T>& set = modes.evaluation.forward != nullptr ? modes.evaluation : modes.training;
  return {pass == Pass::forward ? set.forward : set.backward, family.width};
}

// The elements from `begin` up to `end`.
template <class T>
void run_plain_part(const PlainKernel<T>& kernel, Pass pass, const Spec& spec, const Plain<T>& call, std::size_t begin,
                    std::size_t end) {
  Row<T> row;
  const auto set = [&](Row<T>& r, std::size_t from) {
    for (std::size_t k = 0; k < spec.inputs; ++k) {
      r.input[k] = call.input[k] + from;
      if (pass == Pass::backward) r.dx[k] = call.dx[k] + from;
    }
    for (std::size_t k = 0; k < spec.parameters.size(); ++k) r.parameter[k] = {nullptr, call.parameter[k]};
    r.noise = {nullptr, spec.noise_at_evaluation};
    if (pass == Pass::forward) {
      r.y = call.y + from;
    } else {
      r.dy = call.dy + from;
    }
  };
  const std::size_t n = end - begin, whole = n - n % kernel.width;
  if (whole > 0) {
    set(row, begin);
    row.stream = false;
    kernel.run(row, whole);
  }
  if (whole == n) return;
  Row<T> rest{};
  set(rest, begin);
  run_few(kernel.run, rest, whole, n - whole, kernel.width);
}

}  // namespace

template <class T>
void run_plain(Pass pass, const Spec& spec, Place place, const Plain<T>& call) {
  run_plain_part(plain_kernel<T>(pass, place, call.precision), pass, spec, call, 0, call.n);
}
template void run_plain<float>(Pass, const Spec&, Place, const Plain<float>&);
template void run_plain<double>(Pass, const Spec&, Place, const Plain<double>&);

namespace {

// On threads. What the others need of a call is together: each line of memory comes from the caller's core to theirs,
// which takes as long as a thousand elements of a cheap function.
template <class T>
void run_plain_on(const Parallel& parallel, Pass pass, const Spec& spec, Place place, const Plain<T>& call) {
  struct alignas(64) Shared {
    PlainKernel<T> kernel;
    Pass pass;
    std::size_t slice;
    Plain<T> call;
    const Spec& spec;
  };
  // Short arrays in shorter slices: a thread that has begun late has fewer elements left.
  constexpr std::size_t least = 4096, pieces = 16;
  const std::size_t slice = std::clamp((call.n / pieces + block_size - 1) / block_size * block_size, least, slice_size);
  const Shared shared{plain_kernel<T>(pass, place, call.precision), pass, slice, call, spec};
  parallel((call.n + slice - 1) / slice, [&shared](std::size_t s) {
    const std::size_t begin = s * shared.slice, end = std::min(shared.call.n, begin + shared.slice);
    run_plain_part(shared.kernel, shared.pass, shared.spec, shared.call, begin, end);
  });
}

}  // namespace

template <class T>
bool run_if_plain(Pass pass, const Spec& spec, Place place, const Call& call) {
  const std::size_t n = call.rows * call.length, arrays = pass == Pass::forward ? spec.inputs + 1 : 2 * spec.inputs + 1;
  if (pass == Pass::second || (n > longest_plain && streams(n * arrays * sizeof(T)))) return false;
  if (spec.noise != Noise::none && call.mode == Mode::training) return false;
  const auto length = static_cast<std::ptrdiff_t>(call.length);
  const auto contiguous = [&](const auto& s) { return s.step == 1 && (call.rows == 1 || s.row_stride == length); };
  Plain<T> plain{};
  double values[max_parameters];
  for (std::size_t k = 0; k < spec.parameters.size(); ++k) {
    if (call.parameter[k].per_channel || call.dp[k] != nullptr) return false;
    values[k] = call.parameter[k].data[0];
  }
  for (std::size_t k = 0; k < spec.inputs; ++k) {
    if (!contiguous(call.input[k])) return false;
    plain.input[k] = static_cast<const T*>(call.input[k].data);
    if (pass == Pass::forward) continue;
    if (!contiguous(call.dx[k])) return false;
    plain.dx[k] = static_cast<T*>(call.dx[k].data);
  }
  if (pass == Pass::forward ? !contiguous(call.y) : !contiguous(call.dy)) return false;
  plain.y = static_cast<T*>(call.y.data);
  plain.dy = static_cast<const T*>(call.dy.data);
  plain.parameter = values;
  plain.n = n;
  plain.precision = call.precision;
  if (call.parallel != nullptr && n > longest_plain) {
    run_plain_on(*call.parallel, pass, spec, place, plain);
  } else {
    run_plain(pass, spec, place, plain);
  }
  return true;
}

template bool run_if_plain<float>(Pass, const Spec&, Place, const Call&);
template bool run_if_plain<double>(Pass, const Spec&, Place, const Call&);

}  // namespace ogee::kernels

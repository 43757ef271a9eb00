// How a call becomes rows. The elements are cut into slices, the unit of work of a thread, whose borders depend on the
// call alone, so that sums come out the same on any number of threads. A slice is walked in blocks: as long as memory
// allows where operands are contiguous and of the arithmetic's own type, else blocks of 1,024 elements copied to and
// from a staging buffer that stays in the first-level cache (16-bit types, interleaved or short rows, channel-wise
// parameters along the innermost dimension).
#include "kernels/driver.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "hwy/aligned_allocator.h"
#include "hwy/cache_control.h"
#include "kernels/convert.h"
#include "kernels/noise.h"
#include "kernels/ragged.h"
#include "kernels/tables.h"

namespace ogee::kernels {
namespace {

constexpr std::size_t block_size = 1024;
constexpr std::size_t narrow_block = 512;  // where only types are converted: memory waits less long for its turn
constexpr std::size_t slice_size = 16384;
constexpr std::size_t most_summing_slices = 64;  // each has its own accumulators
constexpr std::size_t short_row = 64;            // rows below this are gathered rather than run one by one

std::size_t size_of(Type type) {
  switch (type) {
    case Type::float32: return 4;
    case Type::float64: return 8;
    default: return 2;
  }
}

// Copies n elements that lie `step` apart to a contiguous buffer of the arithmetic's type.
template <class T>
void load(Type type, const void* data, std::ptrdiff_t step, std::size_t n, T* out) {
  if constexpr (std::is_same_v<T, double>) {
    const auto* in = static_cast<const double*>(data);
    for (std::size_t j = 0; j < n; ++j) out[j] = in[static_cast<std::ptrdiff_t>(j) * step];
  } else if (type == Type::float32) {
    const auto* in = static_cast<const float*>(data);
    for (std::size_t j = 0; j < n; ++j) out[j] = in[static_cast<std::ptrdiff_t>(j) * step];
  } else {
    const auto* in = static_cast<const std::uint16_t*>(data);
    std::uint16_t gathered[block_size];
    if (step != 1) {
      for (std::size_t j = 0; j < n; ++j) gathered[j] = in[static_cast<std::ptrdiff_t>(j) * step];
      in = gathered;
    }
    (type == Type::bfloat16 ? bfloat16_to_float : float16_to_float)(in, n, out);
  }
}

template <class T>
void store(Type type, const T* in, std::size_t n, void* data, std::ptrdiff_t step, bool stream) {
  if constexpr (std::is_same_v<T, double>) {
    auto* out = static_cast<double*>(data);
    for (std::size_t j = 0; j < n; ++j) out[static_cast<std::ptrdiff_t>(j) * step] = in[j];
  } else if (type == Type::float32) {
    auto* out = static_cast<float*>(data);
    for (std::size_t j = 0; j < n; ++j) out[static_cast<std::ptrdiff_t>(j) * step] = in[j];
  } else {
    auto* out = static_cast<std::uint16_t*>(data);
    std::uint16_t narrow[block_size];
    const auto convert = type == Type::bfloat16 ? float_to_bfloat16 : float_to_float16;
    convert(in, n, step == 1 ? out : narrow, stream);
    if (step != 1) {
      for (std::size_t j = 0; j < n; ++j) out[static_cast<std::ptrdiff_t>(j) * step] = narrow[j];
    }
  }
}

// What a call may count on of the last-level cache, in bytes: its size, or, of a large one, which many processors
// share and a virtual machine of a few of them is told of as its own, a part.
std::size_t cache_size() {
  static const std::size_t size = [] {
    constexpr std::size_t most = std::size_t{32} << 20;
    long bytes = 0;
#ifdef _SC_LEVEL3_CACHE_SIZE
    bytes = sysconf(_SC_LEVEL3_CACHE_SIZE);
#endif
    return bytes > 0 ? std::min(static_cast<std::size_t>(bytes), most) : most;
  }();
  return size;
}

// Asks for the memory of the next block while this one is computed: the processor's own prefetching follows a block's
// loads, which end long before its arithmetic does.
void prefetch(const char* data, std::size_t bytes) {
  constexpr std::size_t line = 64;
  for (std::size_t i = 0; i < bytes; i += line) hwy::Prefetch(data + i);
}

// Which array of the call an operand is, and whether blocks of it are staged.
enum Operands : std::size_t {
  input_0,
  input_1,
  dy_in,
  ddx_0,
  ddx_1,  // read
  y_out,
  dx_0,
  dx_1,
  ddy_out,  // written
  operand_count
};

struct Shape {
  std::size_t rows, length;
};

template <class T>
class Runner {
 public:
  Runner(Pass pass, const Spec& spec, const FunctionKernels<T>& kernels, std::size_t width, const Call& call)
      : pass_(pass),
        spec_(spec),
        call_(call),
        parameters_(spec.parameters.size()),
        width_(width),
        shape_{call.rows, call.length} {
    const ModeKernels<T>& modes = call.precision == Precision::fast ? kernels.fast : kernels.exact;
    const bool own_evaluation = call.mode == Mode::evaluation && modes.evaluation.forward != nullptr;
    const RowKernels<T>& set = own_evaluation ? modes.evaluation : modes.training;
    learned_ = pass == Pass::backward && set.backward_learned != nullptr;
    for (std::size_t k = 0; k < parameters_; ++k) {
      if (call.dp[k] == nullptr) continue;
      summing_ = true;
      learned_ = learned_ && spec.parameters[k].role == Role::learned;
    }
    switch (pass) {
      case Pass::forward: kernel_ = set.forward; break;
      case Pass::backward:
        kernel_ = !summing_ ? set.backward : learned_ ? set.backward_learned : set.backward_all;
        break;
      case Pass::second: kernel_ = set.second; break;
    }
    noisy_ = spec.noise != Noise::none && call.mode == Mode::training;
    for (std::size_t k = 0; k < parameters_; ++k) {
      channelwise_ = channelwise_ || call.parameter[k].per_channel;
    }
    collect_operands();
    expanding_ = channelwise_ && call.inner < short_row;
    decide_streaming();
  }

  void run() {
    const std::size_t total = shape_.rows * shape_.length;
    if (total == 0) {
      if (summing_) reduce(0);
      return;
    }
    std::size_t slice = slice_size;
    if (summing_ || pass_ == Pass::second) {
      const std::size_t most = std::min(most_summing_slices, (total + slice_size - 1) / slice_size);
      slice = ((total + most - 1) / most + block_size - 1) / block_size * block_size;
    }
    const std::size_t slices = (total + slice - 1) / slice;
    if (parameters_ > 0 && (summing_ || pass_ == Pass::second)) sums_.assign(slices * parameters_ * width(), 0.0);
    const auto task = [&](std::size_t s) { run_slice(s, s * slice, std::min(total, (s + 1) * slice)); };
    if (slices == 1 || call_.parallel == nullptr) {
      for (std::size_t s = 0; s < slices; ++s) task(s);
    } else {
      (*call_.parallel)(slices, task);
    }
    if (summing_) reduce(slices);
  }

 private:
  struct Array {
    const void* data = nullptr;
    std::ptrdiff_t row_stride = 0, step = 1;
    bool staged = false;
  };

  // Results that no cache will hold are written past the caches: memory is not read first just to be overwritten.
  void decide_streaming() {
    if (any_staged_) return decide_narrow_streaming();
    if (pass_ == Pass::second || summing_ || expanding_) return;
    const std::size_t bytes = shape_.rows * shape_.length * sizeof(T);
    std::size_t touched = 0, alignment = width_ * sizeof(T);
    std::uintptr_t offset = alignment;
    for (std::size_t which = 0; which < operand_count; ++which) {
      const Array& a = arrays_[which];
      if (a.data == nullptr) continue;
      touched += bytes;
      if (which < y_out) continue;
      const std::uintptr_t own = reinterpret_cast<std::uintptr_t>(a.data) % alignment;
      if (offset != alignment && own != offset) return;
      offset = own;
    }
    streaming_ = touched > cache_size() && offset % sizeof(T) == 0;
  }

  // The same for results of a 16-bit type, which the conversion writes.
  void decide_narrow_streaming() {
    if (size_of(call_.type) != 2 || shape_.rows != 1) return;
    std::size_t touched = 0;
    for (std::size_t which = 0; which < operand_count; ++which) {
      const Array& a = arrays_[which];
      if (a.data == nullptr) continue;
      touched += 2 * shape_.length;
      if (which >= y_out && (a.step != 1 || reinterpret_cast<std::uintptr_t>(a.data) % 64 != 0)) return;
    }
    narrow_streaming_ = touched > cache_size();
  }

  // Elements from i on until the outputs are aligned to whole vectors.
  std::size_t ahead(const Row<T>& row, std::size_t n) const {
    const std::size_t alignment = width_ * sizeof(T);
    const auto at = reinterpret_cast<std::uintptr_t>(pass_ == Pass::forward ? row.y : row.dx[0]);
    return std::min(n, (alignment - at % alignment) % alignment / sizeof(T));
  }

  // Accumulators a parameter needs: one, or one per channel.
  std::size_t width() const { return channelwise_ ? call_.channels : 1; }

  template <class Pointer>
  void add(std::size_t which, const Strided<Pointer>& s) {
    if (s.data == nullptr) return;
    arrays_[which] = {s.data, s.row_stride, s.step, false};
  }

  void collect_operands() {
    for (std::size_t k = 0; k < spec_.inputs; ++k) add(input_0 + k, call_.input[k]);
    if (pass_ == Pass::forward) {
      add(y_out, call_.y);
    } else {
      add(dy_in, call_.dy);
      for (std::size_t k = 0; k < spec_.inputs; ++k) add(dx_0 + k, call_.dx[k]);
    }
    if (pass_ == Pass::second) {
      for (std::size_t k = 0; k < spec_.inputs; ++k) add(ddx_0 + k, call_.ddx[k]);
      add(ddy_out, call_.ddy);
    }
    bool collapsible = true;
    const auto length = static_cast<std::ptrdiff_t>(shape_.length);
    for (const Array& a : arrays_) {
      if (a.data != nullptr && a.row_stride != length * a.step) collapsible = false;
    }
    if (collapsible || shape_.rows == 1) {
      shape_ = {1, shape_.rows * shape_.length};
      for (Array& a : arrays_) a.row_stride = 0;
    }
    const bool gathered = shape_.rows > 1 && shape_.length < short_row;
    for (Array& a : arrays_) {
      a.staged = gathered || a.step != 1 || size_of(call_.type) != sizeof(T);
      any_staged_ = any_staged_ || (a.staged && a.data != nullptr);
    }
    cut_at_rows_ = shape_.rows > 1 && !gathered;
    narrow_ = size_of(call_.type) == 2 && sizeof(T) == 4 && shape_.rows == 1 && pass_ != Pass::second && !summing_ &&
              !noisy_ && !channelwise_;
    for (const Array& a : arrays_) narrow_ = narrow_ && (a.data == nullptr || a.step == 1);
  }

  const char* address(const Array& a, std::size_t i) const {
    const std::size_t r = i / shape_.length, j = i % shape_.length;
    const std::ptrdiff_t offset =
        static_cast<std::ptrdiff_t>(r) * a.row_stride + static_cast<std::ptrdiff_t>(j) * a.step;
    return static_cast<const char*>(a.data) + offset * static_cast<std::ptrdiff_t>(size_of(call_.type));
  }

  // Calls piece(address, offset in the block, count) for each stretch of a block within one row.
  template <class Piece>
  void for_pieces(const Array& a, std::size_t begin, std::size_t n, Piece piece) const {
    if (shape_.rows == 1) {  // spared the divisions
      const auto offset =
          static_cast<std::ptrdiff_t>(begin) * a.step * static_cast<std::ptrdiff_t>(size_of(call_.type));
      return piece(static_cast<const char*>(a.data) + offset, 0, n);
    }
    std::size_t done = 0;
    while (done < n) {
      const std::size_t left = shape_.length - (begin + done) % shape_.length;
      const std::size_t count = std::min(left, n - done);
      piece(address(a, begin + done), done, count);
      done += count;
    }
  }

  // Blocks begin where vectors do: a load across two lines of the cache costs twice.
  template <class U>
  class Buffer {
   public:
    void reserve(std::size_t n) {
      if (n <= size_) return;
      data_ = hwy::AllocateAligned<U>(n);
      size_ = n;
    }
    U* data() { return data_.get(); }

   private:
    std::size_t size_ = 0;
    hwy::AlignedFreeUniquePtr<U[]> data_;
  };
  struct Scratch {
    Buffer<T> staging;                         // operand_count blocks, used as needed
    Buffer<float> noise;                       // one block
    Buffer<T> wide_noise;                      // the same in T, where T is not float
    Buffer<T> parameter, direction, elements;  // per parameter one block
  };

  void prepare(Scratch& s) const {
    if (any_staged_) s.staging.reserve(operand_count * block_size);
    if (noisy_) {
      s.noise.reserve(block_size);
      s.wide_noise.reserve(block_size);
    }
    if (expanding_) {
      s.parameter.reserve(parameters_ * block_size);
      s.direction.reserve(parameters_ * block_size);
      s.elements.reserve(parameters_ * block_size);
    }
  }

  void run_slice(std::size_t slice, std::size_t begin, std::size_t end) {
    static thread_local Scratch scratch;
    prepare(scratch);
    if (narrow_) {
      run_narrow_slice(scratch, begin, end);
      if (narrow_streaming_) hwy::FlushStream();
      return;
    }
    double* sums = sums_.empty() ? nullptr : sums_.data() + slice * parameters_ * width();
    std::size_t i = begin;
    while (i < end) {
      std::size_t n = end - i;
      if (any_staged_ || noisy_ || expanding_) n = std::min(n, block_size);
      if (cut_at_rows_) n = std::min(n, shape_.length - i % shape_.length);
      if (channelwise_ && !expanding_) n = std::min(n, call_.inner - i % call_.inner);
      run_block(scratch, i, n, sums);
      i += n;
    }
    if (streaming_ || narrow_streaming_) hwy::FlushStream();
  }

  // Contiguous arrays of a 16-bit type, nothing summed: all blocks have the same row, in the staging buffer.
  void run_narrow_slice(Scratch& s, std::size_t begin, std::size_t end) {
    Row<T> row{};
    const auto staged = [&](std::size_t which) -> T* {
      return arrays_[which].data == nullptr ? nullptr : s.staging.data() + which * block_size;
    };
    for (std::size_t k = 0; k < spec_.inputs; ++k) {
      row.input[k] = staged(input_0 + k);
      row.dx[k] = staged(dx_0 + k);
    }
    for (std::size_t k = 0; k < parameters_; ++k) row.parameter[k] = {nullptr, call_.parameter[k].data[0]};
    row.noise = {nullptr, spec_.noise_at_evaluation};
    row.y = staged(y_out);
    row.dy = staged(dy_in);
    for (std::size_t i = begin; i < end; i += narrow_block) {
      const std::size_t n = std::min(narrow_block, end - i), next = std::min(narrow_block, end - i - n);
      for (std::size_t which = 0; which < y_out; ++which) {
        const Array& a = arrays_[which];
        if (a.data == nullptr) continue;
        const char* from = static_cast<const char*>(a.data) + i * 2;
        load<T>(call_.type, from, 1, n, s.staging.data() + which * block_size);
        prefetch(from + n * 2, next * 2);
      }
      run_row(kernel_, row, n, width_);
      for (std::size_t which = y_out; which < operand_count; ++which) put(s, which, i, n);
    }
  }

  const T* read(Scratch& s, std::size_t which, std::size_t i, std::size_t n) const {
    const Array& a = arrays_[which];
    if (a.data == nullptr) return nullptr;
    if (!a.staged) return reinterpret_cast<const T*>(address(a, i));
    T* buffer = s.staging.data() + which * block_size;
    for_pieces(a, i, n, [&](const char* p, std::size_t at, std::size_t count) {
      load<T>(call_.type, p, a.step, count, buffer + at);
    });
    return buffer;
  }

  T* target(Scratch& s, std::size_t which, std::size_t i) const {
    const Array& a = arrays_[which];
    if (a.data == nullptr) return nullptr;
    if (!a.staged) return reinterpret_cast<T*>(const_cast<char*>(address(a, i)));
    return s.staging.data() + which * block_size;
  }

  void put(Scratch& s, std::size_t which, std::size_t i, std::size_t n) const {
    const Array& a = arrays_[which];
    if (a.data == nullptr || !a.staged) return;
    const T* buffer = s.staging.data() + which * block_size;
    for_pieces(a, i, n, [&](const char* p, std::size_t at, std::size_t count) {
      store<T>(call_.type, buffer + at, count, const_cast<char*>(p), a.step, narrow_streaming_);
    });
  }

  // One value per element of the block, from one per channel.
  void expand(const double* values, std::size_t i, std::size_t n, T* out) const {
    std::size_t c = i / call_.inner % call_.channels, within = i % call_.inner;
    for (std::size_t j = 0; j < n; ++j) {
      out[j] = static_cast<T>(values[c]);
      if (++within == call_.inner) {
        within = 0;
        if (++c == call_.channels) c = 0;
      }
    }
  }
  void gather_sums(const T* elements, std::size_t i, std::size_t n, double* sums) const {
    std::size_t c = i / call_.inner % call_.channels, within = i % call_.inner;
    for (std::size_t j = 0; j < n; ++j) {
      sums[c] += static_cast<double>(elements[j]);
      if (++within == call_.inner) {
        within = 0;
        if (++c == call_.channels) c = 0;
      }
    }
  }

  void run_block(Scratch& s, std::size_t i, std::size_t n, double* sums) {
    Row<T> row{};
    for (std::size_t k = 0; k < spec_.inputs; ++k) row.input[k] = read(s, input_0 + k, i, n);

    const std::size_t channel = channelwise_ ? i / call_.inner % call_.channels : 0;
    for (std::size_t k = 0; k < parameters_; ++k) {
      const bool per_channel = call_.parameter[k].per_channel;
      if (per_channel && expanding_) {
        T* block = s.parameter.data() + k * block_size;
        expand(call_.parameter[k].data, i, n, block);
        row.parameter[k] = {block, 0};
      } else {
        row.parameter[k] = {nullptr, call_.parameter[k].data[per_channel ? channel : 0]};
      }
      if (pass_ == Pass::second && call_.ddp[k] != nullptr) {
        if (per_channel && expanding_) {
          T* block = s.direction.data() + k * block_size;
          expand(call_.ddp[k], i, n, block);
          row.ddp[k] = {block, 0};
        } else {
          row.ddp[k] = {nullptr, call_.ddp[k][per_channel ? channel : 0]};
        }
      }
      if (sums != nullptr && (!learned_ || spec_.parameters[k].role == Role::learned)) {
        if (per_channel && expanding_) {
          row.elements[k] = s.elements.data() + k * block_size;
        } else {
          row.sum[k] = sums + k * width() + (per_channel ? channel : 0);
        }
      }
    }

    if (noisy_) {
      fill_noise(spec_.noise, call_.noise, call_.first + i, n, s.noise.data());
      if constexpr (std::is_same_v<T, float>) {
        row.noise = {s.noise.data(), 0};
      } else {
        std::copy_n(s.noise.data(), n, s.wide_noise.data());
        row.noise = {s.wide_noise.data(), 0};
      }
    } else {
      row.noise = {nullptr, spec_.noise_at_evaluation};
    }

    if (pass_ == Pass::forward) {
      row.y = target(s, y_out, i);
    } else {
      row.dy = read(s, dy_in, i, n);
      for (std::size_t k = 0; k < spec_.inputs; ++k) row.dx[k] = target(s, dx_0 + k, i);
    }
    if (pass_ == Pass::second) {
      for (std::size_t k = 0; k < spec_.inputs; ++k) row.ddx[k] = read(s, ddx_0 + k, i, n);
      row.ddy = target(s, ddy_out, i);
    }
    row.stream = streaming_;
    run_row(kernel_, row, n, width_, streaming_ ? ahead(row, n) : 0);
    for (const std::size_t which : {y_out, dx_0, dx_1, ddy_out}) put(s, which, i, n);
    if (sums != nullptr && expanding_) {
      for (std::size_t k = 0; k < parameters_; ++k) {
        if (row.elements[k] != nullptr) gather_sums(row.elements[k], i, n, sums + k * width());
      }
    }
  }

  void reduce(std::size_t slices) {
    for (std::size_t k = 0; k < parameters_; ++k) {
      const std::size_t count = call_.parameter[k].per_channel ? call_.channels : 1;
      for (std::size_t c = 0; c < count; ++c) {
        double sum = 0;
        for (std::size_t s = 0; s < slices; ++s) sum += sums_[(s * parameters_ + k) * width() + c];
        if (call_.dp[k] != nullptr) call_.dp[k][c] = sum;
      }
    }
  }

  Pass pass_;
  const Spec& spec_;
  const Call& call_;
  std::size_t parameters_, width_;
  Shape shape_;
  Kernel<T> kernel_ = nullptr;
  bool learned_ = false;  // the gradients of no other parameters are asked for, and there is a kernel for these
  bool summing_ = false, noisy_ = false, channelwise_ = false, expanding_ = false;
  bool any_staged_ = false, cut_at_rows_ = false, streaming_ = false, narrow_streaming_ = false;
  bool narrow_ = false;  // contiguous arrays of a 16-bit type, the simplest of what is staged
  std::array<Array, operand_count> arrays_;
  std::vector<double> sums_;
};

template <class T>
void run_as(Pass pass, const Spec& spec, Place place, const Call& call) {
  const KernelTable<T> family = table<T>(place.family);
  Runner<T>(pass, spec, family.functions[place.index], family.width, call).run();
}

}  // namespace

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

// Whether a call is one that run_plain serves; then runs it. Results that no cache will hold are not its affair.
template <class T>
bool run_if_plain(Pass pass, const Spec& spec, Place place, const Call& call) {
  const std::size_t n = call.rows * call.length, arrays = pass == Pass::forward ? spec.inputs + 1 : 2 * spec.inputs + 1;
  if (pass == Pass::second || (n > longest_plain && n * arrays * sizeof(T) > cache_size())) return false;
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

}  // namespace

void run(Pass pass, const Spec& spec, Place place, const Call& call) {
  if (call.type == Type::float64) {
    if (!run_if_plain<double>(pass, spec, place, call)) run_as<double>(pass, spec, place, call);
  } else if (call.type != Type::float32 || !run_if_plain<float>(pass, spec, place, call)) {
    run_as<float>(pass, spec, place, call);
  }
}

}  // namespace ogee::kernels

// How a call becomes rows. The elements are cut into slices, the unit of work of a thread, whose borders depend on the
// call alone, so that sums come out the same on any number of threads. A slice is walked in blocks: as long as memory
// allows where operands are contiguous and of the arithmetic's own type, else blocks of 1,024 elements copied to and
// from a staging buffer that stays in the first-level cache (16-bit types, interleaved or short rows, channel-wise
// parameters along the innermost dimension).
#include "kernels/driver.h"

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "hwy/cache_control.h"
#include "kernels/noise.h"
#include "kernels/operands.h"
#include "kernels/ragged.h"
#include "kernels/staging.h"
#include "kernels/tables.h"

namespace ogee::kernels {
namespace {

constexpr std::size_t most_summing_slices = 64;  // each has its own accumulators

template <class T>
class Runner {
 public:
  Runner(Pass pass, const Spec& spec, const FunctionKernels<T>& kernels, std::size_t width, const Call& call)
      : pass_(pass),
        spec_(spec),
        call_(call),
        parameters_(spec.parameters.size()),
        width_(width),
        arrays_(pass, spec, call, sizeof(T)),
        shape_(arrays_.shape()) {
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
    narrow_ = size_of(call.type) == 2 && sizeof(T) == 4 && arrays_.contiguous() && pass != Pass::second && !summing_ &&
              !noisy_ && !channelwise_;
    if constexpr (std::is_same_v<T, float>) {
      if (narrow_ && call.type == Type::bfloat16) {
        bfloat16_ = pass == Pass::forward ? set.forward_bfloat16 : set.backward_bfloat16;
      }
    }
    expanding_ = channelwise_ && call.inner < short_row;
    if (arrays_.any_staged()) {
      narrow_streaming_ = arrays_.stream_narrow();
    } else if (pass != Pass::second && !summing_ && !expanding_) {
      streaming_ = arrays_.stream(sizeof(T), width);
    }
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
  // Elements from i on until the outputs are aligned to whole vectors.
  std::size_t ahead(const Row<T>& row, std::size_t n) const {
    const std::size_t alignment = width_ * sizeof(T);
    const auto at = reinterpret_cast<std::uintptr_t>(pass_ == Pass::forward ? row.y : row.dx[0]);
    return std::min(n, (alignment - at % alignment) % alignment / sizeof(T));
  }

  // Accumulators a parameter needs: one, or one per channel.
  std::size_t width() const { return channelwise_ ? call_.channels : 1; }

  struct Scratch {
    Buffer<T> staging;                         // operand_count blocks, used as needed
    Buffer<float> noise;                       // one block
    Buffer<T> wide_noise;                      // the same in T, where T is not float
    Buffer<T> parameter, direction, elements;  // per parameter one block
  };

  void prepare(Scratch& s) const {
    if (arrays_.any_staged()) s.staging.reserve(operand_count * block_size);
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
      run_narrow_slice(scratch, begin + run_bfloat16(begin, end), end);
      if (narrow_streaming_) hwy::FlushStream();
      return;
    }
    double* sums = sums_.empty() ? nullptr : sums_.data() + slice * parameters_ * width();
    std::size_t i = begin;
    while (i < end) {
      std::size_t n = end - i;
      if (arrays_.any_staged() || noisy_ || expanding_) n = std::min(n, block_size);
      if (arrays_.cut_at_rows()) n = std::min(n, shape_.length - i % shape_.length);
      if (channelwise_ && !expanding_) n = std::min(n, call_.inner - i % call_.inner);
      run_block(scratch, i, n, sums);
      i += n;
    }
    if (streaming_ || narrow_streaming_) hwy::FlushStream();
  }

  // How many elements a kernel of bfloat16 did: whole vectors, or none.
  std::size_t run_bfloat16(std::size_t begin, std::size_t end) const {
    if (bfloat16_ == nullptr) return 0;
    Row<std::uint16_t> row{};
    const auto at = [&](std::size_t which) {
      const void* const data = arrays_[which].data;
      return data == nullptr ? nullptr : static_cast<std::uint16_t*>(const_cast<void*>(data)) + begin;
    };
    for (std::size_t k = 0; k < spec_.inputs; ++k) {
      row.input[k] = at(input_0 + k);
      row.dx[k] = at(dx_0 + k);
    }
    for (std::size_t k = 0; k < parameters_; ++k) row.parameter[k] = {nullptr, call_.parameter[k].data[0]};
    row.y = at(y_out);
    row.dy = at(dy_in);
    row.stream = narrow_streaming_;
    const std::size_t whole = (end - begin) / (2 * width_) * (2 * width_);
    return whole > 0 && bfloat16_(row, whole) ? whole : 0;
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
    if (!a.staged) return reinterpret_cast<const T*>(arrays_.address(a, i));
    T* buffer = s.staging.data() + which * block_size;
    arrays_.for_pieces(a, i, n, [&](const char* p, std::size_t at, std::size_t count) {
      load<T>(call_.type, p, a.step, count, buffer + at);
    });
    return buffer;
  }

  T* target(Scratch& s, std::size_t which, std::size_t i) const {
    const Array& a = arrays_[which];
    if (a.data == nullptr) return nullptr;
    if (!a.staged) return reinterpret_cast<T*>(const_cast<char*>(arrays_.address(a, i)));
    return s.staging.data() + which * block_size;
  }

  void put(Scratch& s, std::size_t which, std::size_t i, std::size_t n) const {
    const Array& a = arrays_[which];
    if (a.data == nullptr || !a.staged) return;
    const T* buffer = s.staging.data() + which * block_size;
    arrays_.for_pieces(a, i, n, [&](const char* p, std::size_t at, std::size_t count) {
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
  OperandArrays arrays_;
  Shape shape_;
  Kernel<T> kernel_ = nullptr;
  Bfloat16Kernel bfloat16_ = nullptr;
  bool learned_ = false;  // the gradients of no other parameters are asked for, and there is a kernel for these
  bool summing_ = false, noisy_ = false, channelwise_ = false, expanding_ = false;
  bool streaming_ = false, narrow_streaming_ = false;
  bool narrow_ = false;  // contiguous arrays of a 16-bit type, the simplest of what is staged
  std::vector<double> sums_;
};

template <class T>
void run_as(Pass pass, const Spec& spec, Place place, const Call& call) {
  const KernelTable<T> family = table<T>(place.family);
  Runner<T>(pass, spec, family.functions[place.index], family.width, call).run();
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

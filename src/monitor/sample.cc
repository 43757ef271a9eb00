#include "monitor/sample.h"
//

#include <algorithm>

#include "ogee/libtorch.h"

namespace ogee::monitor {
namespace {

// The most units of a layer that are kept apart.
constexpr std::int64_t most_units = 4096;
// Neighbouring pixels are much alike: a few of each channel do, and leave room for more examples.
constexpr std::int64_t run_of_pixels = 16;

// Dimensions [begin, end) as one, with one stride; false if they do not lie so. Those of size 1 are passed over.
bool collapse(const at::Tensor& t, std::int64_t begin, std::int64_t end, std::int64_t& stride) {
  std::int64_t expected = -1;
  stride = 0;
  for (std::int64_t d = end - 1; d >= begin; --d) {
    if (t.size(d) == 1) continue;
    if (expected < 0) {
      stride = t.stride(d);
      expected = stride * t.size(d);
    } else {
      if (t.stride(d) != expected) return false;
      expected *= t.size(d);
    }
  }
  return true;
}

template <class T>
void gather(const T* data, const Pick& p, std::int64_t row_stride, std::int64_t unit_stride, std::int64_t inner_stride,
            float* out) {
  for (std::int64_t r = 0; r < p.rows_taken; ++r) {
    const T* row = data + (p.first_row + r * p.row_step) * row_stride + p.inner_start * inner_stride;
    if constexpr (std::is_same_v<T, float>) {
      if (p.inner_taken == 1 && unit_stride * p.unit_step == 1) {
        out = std::copy_n(row, p.units_taken, out);
        continue;
      }
    }
    for (std::int64_t u = 0; u < p.units_taken; ++u) {
      const T* at = row + u * p.unit_step * unit_stride;
      for (std::int64_t i = 0; i < p.inner_taken; ++i) *out++ = static_cast<float>(at[i * inner_stride]);
    }
  }
}

}  // namespace

Pick pick(at::IntArrayRef sizes, bool channels_first, std::int64_t most, std::uint64_t turn) {
  Pick p;
  const auto dims = static_cast<std::int64_t>(sizes.size());
  if (dims == 0) {
    p.unit_dim = -1;
    p.rows = p.units = p.inner = 1;
  } else {
    p.unit_dim = channels_first && dims >= 2 ? 1 : dims - 1;
    p.rows = p.inner = 1;
    for (std::int64_t d = 0; d < p.unit_dim; ++d) p.rows *= sizes[static_cast<std::size_t>(d)];
    p.units = sizes[static_cast<std::size_t>(p.unit_dim)];
    for (std::int64_t d = p.unit_dim + 1; d < dims; ++d) p.inner *= sizes[static_cast<std::size_t>(d)];
  }
  if (p.rows * p.units * p.inner == 0) return p;
  // With fewer than 32 examples of each unit its share in a state says little: then fewer units.
  const std::int64_t units_at_most = most == 0 ? most_units : std::clamp<std::int64_t>(most / 32, 1, most_units);
  p.unit_step = (p.units + units_at_most - 1) / units_at_most;
  p.units_taken = (p.units + p.unit_step - 1) / p.unit_step;
  p.inner_taken = p.inner;
  if (most != 0 && p.rows * p.units_taken * p.inner > most) p.inner_taken = std::min(p.inner, run_of_pixels);
  const std::int64_t rows_at_most =
      most == 0 ? p.rows : std::max<std::int64_t>(1, most / (p.units_taken * p.inner_taken));
  p.row_step = (p.rows + rows_at_most - 1) / rows_at_most;
  p.rows_taken = (p.rows + p.row_step - 1) / p.row_step;
  const std::uint64_t scrambled = (turn + 1) * 0x9e3779b97f4a7c15U;
  // With rows_taken = ceil(rows/row_step) the last row may have no place to move to.
  const std::int64_t slack = p.rows - 1 - (p.rows_taken - 1) * p.row_step;
  p.first_row = slack > 0 ? static_cast<std::int64_t>(scrambled >> 33) % (slack + 1) : 0;
  const std::int64_t room = p.inner - p.inner_taken;
  p.inner_start = room > 0 ? static_cast<std::int64_t>((scrambled * 0x9e3779b97f4a7c15U) >> 33) % (room + 1) : 0;
  return p;
}

bool take(const at::Tensor& tensor, const Pick& p, Block& block) {
  if (!tensor.defined() || !at::isFloatingType(tensor.scalar_type()) || tensor.layout() != at::kStrided) return false;
  if (tensor.numel() != p.rows * p.units * p.inner || tensor.numel() == 0) return false;
  if (p.unit_dim >= 0 && (tensor.dim() <= p.unit_dim || tensor.size(p.unit_dim) != p.units)) return false;
  block.rows = static_cast<std::size_t>(p.rows_taken);
  block.units = static_cast<std::size_t>(p.units_taken);
  block.inner = static_cast<std::size_t>(p.inner_taken);
  block.value.resize(block.rows * block.units * block.inner);
  at::Tensor t = tensor;
  std::int64_t row_stride = 0, inner_stride = 0;
  const auto simple = [&]() {
    return p.unit_dim < 0 ||
           (collapse(t, 0, p.unit_dim, row_stride) && collapse(t, p.unit_dim + 1, t.dim(), inner_stride));
  };
  const bool here = t.device().is_cpu() && !t.is_neg();
  if (!here || !simple()) {
    const at::NoGradGuard no_grad;
    t = t.detach().resolve_neg().to(at::kCPU).contiguous();
    simple();
  }
  const std::int64_t unit_stride = p.unit_dim < 0 ? 1 : t.stride(p.unit_dim);
  switch (t.scalar_type()) {
    case at::kFloat: gather(t.data_ptr<float>(), p, row_stride, unit_stride, inner_stride, block.value.data()); break;
    case at::kDouble: gather(t.data_ptr<double>(), p, row_stride, unit_stride, inner_stride, block.value.data()); break;
    case at::kHalf: gather(t.data_ptr<at::Half>(), p, row_stride, unit_stride, inner_stride, block.value.data()); break;
    case at::kBFloat16:
      gather(t.data_ptr<at::BFloat16>(), p, row_stride, unit_stride, inner_stride, block.value.data());
      break;
    default: return false;
  }
  return true;
}

View look(const at::Tensor& t, const Pick& p, Block& copy) {
  if (t.defined() && t.scalar_type() == at::kFloat && t.is_contiguous() && t.device().is_cpu() && !t.is_neg() &&
      t.numel() == p.rows * p.units * p.inner && t.numel() > 0 && p.unit_step == 1 && p.inner_taken == p.inner &&
      (p.unit_dim < 0 || (t.dim() > p.unit_dim && t.size(p.unit_dim) == p.units))) {
    const auto width = static_cast<std::size_t>(p.units * p.inner);
    return {t.data_ptr<float>() + static_cast<std::size_t>(p.first_row) * width, static_cast<std::size_t>(p.rows_taken),
            static_cast<std::size_t>(p.units), static_cast<std::size_t>(p.inner),
            static_cast<std::size_t>(p.row_step) * width};
  }
  return take(t, p, copy) ? View(copy) : View();
}

std::vector<float> take_evenly(const at::Tensor& tensor, std::int64_t most) {
  std::vector<float> values;
  take_evenly(tensor, most, values);
  return values;
}

void take_evenly(const at::Tensor& tensor, std::int64_t most, std::vector<float>& values) {
  values.clear();
  if (!tensor.defined() || !at::isFloatingType(tensor.scalar_type()) || tensor.layout() != at::kStrided) return;
  const std::int64_t count = tensor.numel();
  // An odd step does not fall on the same columns of a matrix of even width again and again.
  const std::int64_t step = std::max<std::int64_t>(1, (count + most - 1) / most) | 1, taken = (count + step - 1) / step;
  if (tensor.scalar_type() == at::kFloat && tensor.is_contiguous() && tensor.device().is_cpu() && !tensor.is_neg()) {
    values.resize(static_cast<std::size_t>(taken));
    const float* const from = tensor.data_ptr<float>();
    for (std::int64_t i = 0; i < taken; ++i) values[static_cast<std::size_t>(i)] = from[i * step];
    return;
  }
  const at::Tensor plain = tensor.detach();
  const at::Tensor flat = plain.dim() == 1 ? plain : plain.is_contiguous() ? plain.view({-1}) : plain.reshape({-1});
  const Pick p{0, 1, count, 1, 1, step, 0, 1, taken, 1, 0};
  Block block;
  if (take(flat, p, block)) values = std::move(block.value);
}

}  // namespace ogee::monitor

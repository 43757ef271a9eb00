#include "lab/batch.h"

#include <cstring>

namespace ogee::lab {
namespace {

// Row by row: an operator takes longer to start than a small batch to copy.
at::Tensor rows_of(const at::Tensor& all, const at::Tensor& chosen) {
  const bool plain = all.is_cpu() && all.is_contiguous() && all.dim() >= 1 && all.size(0) > 0 && chosen.is_cpu() &&
                     chosen.scalar_type() == torch::kLong && chosen.dim() == 1 && chosen.is_contiguous();
  if (!plain) return all.index_select(0, chosen);
  std::vector<std::int64_t> sizes = all.sizes().vec();
  const std::int64_t count = chosen.size(0), of = sizes[0];
  sizes[0] = count;
  at::Tensor rows = torch::empty(sizes, all.options());
  const auto bytes = static_cast<std::size_t>(all.numel() / of) * all.element_size();
  const auto* const from = static_cast<const char*>(all.data_ptr());
  auto* to = static_cast<char*>(rows.data_ptr());
  const auto* const places = chosen.data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < count; ++i, to += bytes) {
    TORCH_CHECK_INDEX(places[i] >= 0 && places[i] < of, "no example ", places[i], " of ", of);
    std::memcpy(to, from + static_cast<std::size_t>(places[i]) * bytes, bytes);
  }
  return rows;
}

}  // namespace

data::Part batch_of(const data::Part& part, const at::Tensor& chosen) {
  return {rows_of(part.x, chosen), rows_of(part.y, chosen)};
}

}  // namespace ogee::lab

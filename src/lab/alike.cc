#include "lab/alike.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "ogee/libtorch.h"

namespace ogee::lab {

at::Tensor alike(const at::Tensor& order, const at::Tensor& lengths, std::int64_t batch) {
  constexpr std::int64_t pool = 100;  // batches
  const std::int64_t whole = order.size(0) / batch;
  if (!lengths.defined() || whole < 2) return order;
  const at::Tensor from = order.contiguous(), sizes = lengths.contiguous();
  const auto* length = sizes.data_ptr<std::int64_t>();
  const auto* first = from.data_ptr<std::int64_t>();
  std::vector<std::int64_t> sorted(first, first + whole * batch);
  for (std::int64_t at = 0; at < whole * batch; at += pool * batch)
    std::stable_sort(sorted.begin() + at, sorted.begin() + std::min(at + pool * batch, whole * batch),
                     [&](std::int64_t a, std::int64_t b) { return length[a] < length[b]; });
  // The batches come as the random numbers of `order` that stood in their places.
  std::vector<std::int64_t> batches(static_cast<std::size_t>(whole));
  std::iota(batches.begin(), batches.end(), 0);
  std::stable_sort(batches.begin(), batches.end(),
                   [&](std::int64_t a, std::int64_t b) { return first[a * batch] < first[b * batch]; });
  at::Tensor result = order.clone();
  auto* to = result.data_ptr<std::int64_t>();
  for (const std::int64_t b : batches) to = std::copy_n(sorted.begin() + b * batch, batch, to);
  return result;
}

}  // namespace ogee::lab

#include "monitor/non_finite.h"
//

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "ogee/libtorch.h"

namespace ogee::monitor {
namespace {

constexpr std::size_t most_marks = 8192, most_origins = 64;

// The sum of x*0 is 0 unless some x is not finite; four sums at once keep the loop busy.
template <class T>
std::int64_t first_bad_in(const T* x, std::int64_t n) {
  constexpr std::int64_t stretch = 4096;
  for (std::int64_t begin = 0; begin < n; begin += stretch) {
    const std::int64_t end = std::min(n, begin + stretch);
    T sum[8] = {};
    std::int64_t i = begin;
    for (; i + 8 <= end; i += 8) {
      for (int k = 0; k < 8; ++k) sum[k] += x[i + k] * T(0);
    }
    T total = 0;
    for (const T s : sum) total += s;
    for (; i < end; ++i) total += x[i] * T(0);
    if (total == T(0)) continue;
    for (i = begin; i < end; ++i) {
      if (!std::isfinite(x[i])) return i;
    }
  }
  return -1;
}

std::string shape_of(const at::Tensor& t) { return fmt::format("[{}]", fmt::join(t.sizes(), ", ")); }

double element(const at::Tensor& t, std::int64_t position) {
  const at::NoGradGuard no_grad;
  return t.detach().reshape({-1})[position].to(at::kDouble).item<double>();
}

// The arguments' values at the result's bad place, where shapes agree or there is one number.
std::string inputs_in_words(const std::vector<at::Tensor>& arguments, const at::Tensor& result, std::int64_t position) {
  std::string words;
  for (const at::Tensor& a : arguments) {
    if (!words.empty()) words += ", ";
    words += shape_of(a);
    if (!at::isFloatingType(a.scalar_type()) || a.numel() == 0) continue;
    if (a.sizes() == result.sizes() && !a.is_same(result)) {
      words += fmt::format(" with {:.6g} there", element(a, position));
    } else if (a.numel() == 1) {
      words += fmt::format(" of {:.6g}", element(a, 0));
    } else {
      const at::NoGradGuard no_grad;
      const at::Tensor wide = a.detach().to(at::kDouble);
      words += fmt::format(" from {:.4g} to {:.4g}", wide.min().item<double>(), wide.max().item<double>());
    }
  }
  return words;
}

// A tensor's memory; null where it has none of the usual kind.
const c10::StorageImpl* memory_of(const at::Tensor& t) {
  return t.defined() && t.has_storage() ? t.storage().unsafeGetStorageImpl() : nullptr;
}

}  // namespace

Bad first_bad(const at::Tensor& tensor) {
  if (!tensor.defined() || tensor.numel() == 0 || !at::isFloatingType(tensor.scalar_type()) ||
      tensor.layout() != at::kStrided) {
    return {};
  }
  at::Tensor t = tensor;
  if (!t.device().is_cpu() || !t.is_contiguous() || (t.scalar_type() != at::kFloat && t.scalar_type() != at::kDouble)) {
    const at::NoGradGuard no_grad;
    t = t.detach().to(at::kCPU, t.scalar_type() == at::kDouble ? at::kDouble : at::kFloat).contiguous();
  }
  const std::int64_t at = t.scalar_type() == at::kDouble ? first_bad_in(t.data_ptr<double>(), t.numel())
                                                         : first_bad_in(t.data_ptr<float>(), t.numel());
  if (at < 0) return {};
  const bool nan =
      t.scalar_type() == at::kDouble ? std::isnan(t.data_ptr<double>()[at]) : std::isnan(t.data_ptr<float>()[at]);
  return {at, nan};
}

std::int64_t NonFiniteTrace::mark_of(const at::Tensor& tensor) const {
  const auto found = marks_.find(memory_of(tensor));
  return found == marks_.end() ? unknown : found->second.origin;
}

void NonFiniteTrace::mark(const at::Tensor& tensor, std::int64_t origin) {
  if (marks_.size() >= most_marks) marks_.clear();
  marks_[memory_of(tensor)] = {origin, ++marks_set_};
}

NonFiniteTrace::Pending NonFiniteTrace::before(const Operator& op, c10::ArrayRef<const c10::IValue> arguments) {
  Pending pending;
  for (const c10::IValue& v : arguments) {
    visit_tensors(v, [&](const at::Tensor& t, std::uint32_t) { pending.arguments.push_back(t); });
    if (v.isDouble()) pending.values += fmt::format("{}{:.6g}", pending.values.empty() ? "" : ", ", v.toDouble());
  }
  const std::lock_guard lock(mutex_);
  pending.began = marks_set_;
  for (std::size_t i = 0; i < pending.arguments.size(); ++i) {
    const at::Tensor& t = pending.arguments[i];
    std::int64_t mark = mark_of(t);
    // An argument that is written over must be looked at now; others can be, if need be, afterwards.
    const bool written = op.in_place && i == 0;
    if (mark == unknown && written) mark = op.kind != Kind::infinite && first_bad(t).position >= 0 ? unknown : clean;
    pending.marks.push_back(mark);
  }
  return pending;
}

void NonFiniteTrace::after(const Operator& op, const Pending& pending, const std::vector<c10::IValue>& results,
                           std::int64_t step, const std::string& node, const std::string& layer) {
  for (const c10::IValue& value : results) {
    visit_tensors(value, [&](const at::Tensor& result, std::uint32_t) {
      if (op.kind == Kind::unwritten) {
        const std::lock_guard lock(mutex_);
        marks_.erase(memory_of(result));
        return;
      }
      const Bad bad = first_bad(result);
      const std::lock_guard lock(mutex_);
      if (bad.position < 0) {
        // A finite part of memory says nothing of the rest.
        const bool view = std::any_of(pending.arguments.begin(), pending.arguments.end(), [&](const at::Tensor& a) {
          return memory_of(a) == memory_of(result) && a.numel() > result.numel();
        });
        if (!view) marks_.erase(memory_of(result));
        return;
      }
      // An operator inside this one has made the result, and was looked at.
      const auto known = marks_.find(memory_of(result));
      if (known != marks_.end() && known->second.set > pending.began) return;
      // The same memory under another name, which nobody has written yet or which came from outside: nothing was made.
      if (!op.in_place && !pending.arguments.empty() && pending.marks[0] == unknown &&
          memory_of(pending.arguments[0]) == memory_of(result)) {
        return;
      }
      // Where it comes from: an argument's origin first, then an argument that came from outside as it is.
      std::int64_t mark = clean;
      std::size_t outside = pending.arguments.size();
      bool purpose = false;
      for (std::size_t i = 0; i < pending.arguments.size(); ++i) {
        if (pending.marks[i] >= 0 && (mark < 0 || pending.marks[i] < mark)) mark = pending.marks[i];
        if (pending.marks[i] == intended) purpose = true;
        const bool overwritten = op.in_place && i == 0;
        if (pending.marks[i] == unknown && outside == pending.arguments.size() &&
            (overwritten || (!pending.arguments[i].is_same(result) && first_bad(pending.arguments[i]).position >= 0))) {
          outside = i;
        }
      }
      if (mark < 0 && !bad.is_nan && (purpose || op.kind == Kind::infinite)) {
        this->mark(result, intended);
        return;
      }
      if (mark < 0) {
        NonFinite origin;
        origin.step = step;
        origin.layer = layer;
        origin.backward = !node.empty();
        if (outside < pending.arguments.size()) {
          const at::Tensor& t = pending.arguments[outside];
          const Bad there = op.in_place && outside == 0 ? bad : first_bad(t);
          origin.op = "input";
          origin.is_nan = there.is_nan;
          origin.position = there.position;
          const std::int64_t width = t.dim() > 0 && t.size(0) > 0 ? t.numel() / t.size(0) : 1;
          if (t.dim() > 0) origin.row = there.position / std::max<std::int64_t>(1, width);
          origin.how =
              fmt::format("argument {} of {}, {}, has {} at row {}, element {} of it, and no operator made it",
                          outside + 1, op.name, shape_of(t), there.is_nan ? "NaN" : "an infinity",
                          std::max<std::int64_t>(0, origin.row), there.position % std::max<std::int64_t>(1, width));
        } else {
          origin.op = op.name;
          origin.is_nan = bad.is_nan;
          origin.position = bad.position;
          if (result.dim() > 1) origin.row = bad.position / std::max<std::int64_t>(1, result.numel() / result.size(0));
          origin.how =
              fmt::format("{} made {} at element {} of {}{}, from {}{}", op.name, bad.is_nan ? "NaN" : "an infinity",
                          bad.position, shape_of(result), node.empty() ? "" : " in the backward of " + node,
                          inputs_in_words(pending.arguments, result, bad.position),
                          pending.values.empty() ? "" : " and " + pending.values);
        }
        if (origins_.size() >= most_origins) return;
        mark = static_cast<std::int64_t>(origins_.size());
        origins_.push_back(std::move(origin));
        told_.push_back(false);
        // The input itself carries the mark on, as its next use must not be another origin.
        if (outside < pending.arguments.size()) this->mark(pending.arguments[outside], mark);
      }
      this->mark(result, mark);
    });
  }
}

std::optional<NonFinite> NonFiniteTrace::reached(const at::Tensor& tensor, std::int64_t step, const std::string& what) {
  if (first_bad(tensor).position < 0) return std::nullopt;
  const std::lock_guard lock(mutex_);
  std::int64_t mark = mark_of(tensor);
  // Some operators write into memory that the tensor at hand only shares: the step's first NaN is the next best.
  for (std::size_t i = 0; mark < 0 && i < origins_.size(); ++i) {
    if (!told_[i] && origins_[i].is_nan && origins_[i].step >= step - 1) mark = static_cast<std::int64_t>(i);
  }
  for (std::size_t i = 0; mark < 0 && i < origins_.size(); ++i) {
    if (!told_[i] && origins_[i].step >= step - 1) mark = static_cast<std::int64_t>(i);
  }
  if (mark < 0 || told_[static_cast<std::size_t>(mark)]) return std::nullopt;
  told_[static_cast<std::size_t>(mark)] = true;
  NonFinite found = origins_[static_cast<std::size_t>(mark)];
  found.reached = what;
  return found;
}

}  // namespace ogee::monitor

// Shapes, strides and the order of the walk over memory: a Request, checked and planned. And meta tensors, for which
// that is all there is to do.
#include "torch/call.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <unordered_map>

#include "registry/catalogue.h"
#include "torch/walk.h"

namespace ogee::torch_call {
namespace {

struct Entries {
  std::vector<Entry> list;
  std::unordered_map<std::string_view, const Entry*> by_name;
  Entries() {
    list.reserve(functions().size());
    for (const Function* f : functions()) {
      const Spec& spec = spec_of(*f);
      list.push_back({f, &spec, composed_named(spec.name)});
      by_name[spec.name] = &list.back();
    }
  }
};
const Entries& entries() {
  static const Entries all;
  return all;
}

// As TensorIterator sorts: by stride, dimensions of stride 0 or size 1 staying where they are.
void sort_by_stride(at::IntArrayRef sizes, at::IntArrayRef strides, at::DimVector& order) {
  order.resize(sizes.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
  const auto ambiguous = [&](std::int64_t d) { return strides[d] == 0 || sizes[d] == 1; };
  for (std::size_t i = 1; i < order.size(); ++i) {
    if (ambiguous(order[i])) continue;
    for (std::size_t j = i, k = i; k > 0; --k) {
      if (ambiguous(order[k - 1])) continue;
      if (strides[order[k - 1]] >= strides[order[j]]) break;
      std::swap(order[k - 1], order[j]);
      j = k - 1;
    }
  }
}

}  // namespace

at::DimVector dense_strides(at::IntArrayRef sizes, at::IntArrayRef order) {
  at::DimVector strides(sizes.size());
  std::int64_t stride = 1;
  for (std::size_t i = order.size(); i-- > 0;) {
    strides[order[i]] = stride;
    stride *= std::max<std::int64_t>(sizes[order[i]], 1);
  }
  return strides;
}

bool is_dense_in(const at::Tensor& t, at::IntArrayRef order) {
  std::int64_t expected = 1;
  for (std::size_t i = order.size(); i-- > 0;) {
    const std::int64_t size = t.size(order[i]);
    if (size == 1) continue;
    if (t.stride(order[i]) != expected) return false;
    expected *= size;
  }
  return true;
}

at::Tensor made_dense(const at::Tensor& t, at::IntArrayRef order) {
  at::Tensor copy = at::empty_strided(t.sizes(), dense_strides(t.sizes(), order), t.options());
  copy.copy_(t);
  return copy;
}

// The registry's entries lie one after another, and so do these.
const Entry& entry_of(const Function& function) {
  const std::vector<Entry>& list = entries().list;
  const auto address = [](const Function* f) { return reinterpret_cast<std::uintptr_t>(f); };
  const std::size_t place = (address(&function) - address(list.front().function)) / sizeof(Function);
  if (place < list.size() && list[place].function == &function) return list[place];
  TORCH_CHECK(false, "ogee: a function of another registry");
}

const Entry& entry_named(std::string_view name) {
  const auto found = entries().by_name.find(name);
  TORCH_CHECK(found != entries().by_name.end(), "ogee: no function is named ", std::string(name));
  return *found->second;
}

at::DimVector order_of(const at::Tensor& tensor) {
  at::DimVector order;
  if (!tensor.is_contiguous()) sort_by_stride(tensor.sizes(), tensor.strides(), order);
  return order;
}

// ---- Shapes --------------------------------------------------------------------------------------------------------

namespace {

// Gated functions: one tensor or two, and the halves of one.
void check_inputs(const Request& r, Plan& plan) {
  const at::Tensor& a = r.a;
  const bool two_tensors = r.b.has_value() && r.b->defined();
  TORCH_CHECK(is_float(a.scalar_type()), r.prefix(), "the input must be float32, float64, bfloat16 or float16, not ",
              a.scalar_type());
  if (r.spec().inputs == 1) {
    TORCH_CHECK(!two_tensors && !r.packed(), r.prefix(), "takes one input, so neither a second one nor a layout");
    return;
  }
  if (!r.packed()) {
    TORCH_CHECK(two_tensors, r.prefix(),
                "takes two inputs: give both, or one tensor that holds both with layout gate_first, gate_last or "
                "interleaved");
    TORCH_CHECK(a.sizes() == r.b->sizes(), r.prefix(), "the two inputs must have the same shape, not ", a.sizes(),
                " and ", r.b->sizes());
    TORCH_CHECK(a.scalar_type() == r.b->scalar_type(), r.prefix(), "the two inputs must have the same type, not ",
                a.scalar_type(), " and ", r.b->scalar_type());
    TORCH_CHECK(a.device() == r.b->device(), r.prefix(), "the two inputs must be on the same device, not ", a.device(),
                " and ", r.b->device());
    return;
  }
  TORCH_CHECK(!two_tensors, r.prefix(), "give either two inputs or a packed layout, not both");
  const std::int64_t dim = a.dim();
  TORCH_CHECK(r.gate_dim >= -dim && r.gate_dim < dim, r.prefix(), "gate_dim ", r.gate_dim,
              " is no dimension of the input, whose shape is ", a.sizes());
  plan.gate_dim = r.gate_dim < 0 ? r.gate_dim + dim : r.gate_dim;
  TORCH_CHECK(a.size(plan.gate_dim) % 2 == 0, r.prefix(), "both inputs are packed along dimension ", r.gate_dim,
              ", whose size must be even, but the shape is ", a.sizes());
  plan.half = a.size(plan.gate_dim) / 2;
  plan.sizes[plan.gate_dim] = plan.half;
}

void check_parameters(const Request& r, Plan& plan) {
  const auto dim = static_cast<std::int64_t>(plan.sizes.size());
  TORCH_CHECK(r.parameters.size() == r.slots.size() && r.values.size() == r.spec().parameters.size(), r.prefix(),
              "wrong number of parameters");
  bool channelwise = false;
  for (std::size_t i = 0; i < r.parameters.size(); ++i) {
    const at::Tensor& p = r.parameters[i];
    TORCH_CHECK(r.slots[i] >= 0 && static_cast<std::size_t>(r.slots[i]) < r.values.size(), r.prefix(),
                "no such parameter");
    const std::string_view name = r.spec().parameters[static_cast<std::size_t>(r.slots[i])].name;
    TORCH_CHECK(is_float(p.scalar_type()), r.prefix(), name, " must be a floating tensor, not ", p.scalar_type());
    TORCH_CHECK(p.device() == r.a.device(), r.prefix(), name, " is on ", p.device(), ", the input on ", r.a.device());
    if (p.numel() == 1) continue;
    const bool has_dim = r.channel_dim >= -dim && r.channel_dim < dim;
    TORCH_CHECK(has_dim, r.prefix(), name, " has ", p.numel(), " values, one per channel, but channel_dim ",
                r.channel_dim, " is no dimension of the result, whose shape is ", at::IntArrayRef(plan.sizes));
    const std::int64_t d = r.channel_dim < 0 ? r.channel_dim + dim : r.channel_dim;
    TORCH_CHECK(p.numel() == plan.sizes[d], r.prefix(), name, " has ", p.numel(), " values; expected 1 or ",
                plan.sizes[d], ", the size of dimension ", r.channel_dim, " of the result, whose shape is ",
                at::IntArrayRef(plan.sizes));
    plan.per_channel[i] = channelwise = true;
    plan.channels = plan.sizes[d];
  }
  if (!channelwise) return;
  const std::int64_t d = r.channel_dim < 0 ? r.channel_dim + dim : r.channel_dim;
  for (std::size_t i = plan.order.size(); i-- > 0 && plan.order[i] != d;) plan.inner *= plan.sizes[plan.order[i]];
}

void settle_order(const Request& r, Plan& plan) {
  const auto as_they_come = [&] {
    plan.order.resize(plan.sizes.size());
    for (std::size_t i = 0; i < plan.order.size(); ++i) plan.order[i] = static_cast<std::int64_t>(i);
  };
  if (r.draws_noise()) {
    if (r.order.empty()) return as_they_come();
    at::DimVector sorted(r.order.begin(), r.order.end());
    std::sort(sorted.begin(), sorted.end());
    bool valid = sorted.size() == plan.sizes.size();
    for (std::size_t i = 0; valid && i < sorted.size(); ++i) valid = sorted[i] == static_cast<std::int64_t>(i);
    TORCH_CHECK(valid, r.prefix(), "order must name every dimension once");
    plan.order.assign(r.order.begin(), r.order.end());
  } else if (r.a.is_contiguous()) {
    as_they_come();
  } else {
    sort_by_stride(r.a.sizes(), r.a.strides(), plan.order);
  }
}

}  // namespace

Plan::Plan(const Request& request) : sizes(request.a.sizes().begin(), request.a.sizes().end()) {
  check_inputs(request, *this);
  settle_order(request, *this);
  check_parameters(request, *this);
  for (const std::int64_t size : sizes) numel *= size;
}

at::Tensor Plan::empty_result(const Request& request) const {
  if (!request.packed()) return empty_input(request);
  return at::empty_strided(sizes, dense_strides(sizes, order), request.a.options());
}

at::Tensor Plan::empty_input(const Request& request) const {
  const at::Tensor& a = request.a;
  // Dense inputs keep their very strides, those of dimensions of size 1 too.
  if (is_dense_in(a, order)) return at::empty_strided(a.sizes(), a.strides(), a.options());
  return at::empty_strided(a.sizes(), dense_strides(a.sizes(), order), a.options());
}

std::array<at::Tensor, 2> Plan::inputs(const Request& request, const at::Tensor& a,
                                       const c10::optional<at::Tensor>& b) const {
  switch (request.layout) {
    case Layout::gate_first: return {a.narrow(gate_dim, 0, half), a.narrow(gate_dim, half, half)};
    case Layout::gate_last: return {a.narrow(gate_dim, half, half), a.narrow(gate_dim, 0, half)};
    case Layout::interleaved:
      return {a.slice(gate_dim, 0, 2 * half, 2), a.slice(gate_dim, half == 0 ? 0 : 1, 2 * half, 2)};
    default: return {a, b.has_value() ? *b : at::Tensor()};
  }
}

// ---- Copies --------------------------------------------------------------------------------------------------------

void make_walkable(const Request& request, const Plan& plan, Sources& s) {
  if (plan.numel == 0) return;
  const auto fits = [&](std::initializer_list<const at::Tensor*> tensors) {
    Walk walk(request, plan);
    std::size_t ignored[2];
    bool all_dense = true;
    for (const at::Tensor* t : tensors) {
      if (!t->defined()) continue;
      all_dense = all_dense && is_dense_in(*t, plan.order);
      if (t == &s.a || t == &s.dda) {
        walk.add_input(*t, ignored);
      } else {
        walk.add(*t);
      }
    }
    if (all_dense) return true;
    // A dense partner stands for the results.
    walk.add_dense();
    return walk.collapse();
  };
  if (fits({&s.a, &s.b, &s.dy, &s.dda, &s.ddb})) return;
  for (at::Tensor* t : {&s.a, &s.b, &s.dy, &s.dda, &s.ddb}) {
    if (t->defined() && !fits({t})) *t = made_dense(*t, plan.order);
  }
  if (fits({&s.a, &s.b, &s.dy, &s.dda, &s.ddb})) return;
  for (at::Tensor* t : {&s.a, &s.b, &s.dy, &s.dda, &s.ddb}) {
    if (t->defined() && !is_dense_in(*t, plan.order)) *t = made_dense(*t, plan.order);
  }
}

// ---- Meta ----------------------------------------------------------------------------------------------------------

at::Tensor meta_forward(const Request& request) { return Plan(request).empty_result(request); }

std::vector<at::Tensor> meta_backward(const at::Tensor&, const Request& request, Wanted wanted) {
  const Plan plan(request);
  std::vector<at::Tensor> results;
  for (std::size_t k = 0; k < (request.packed() ? 1 : request.spec().inputs); ++k) {
    results.push_back(plan.empty_input(request));
  }
  for (std::size_t i = 0; i < request.parameters.size(); ++i) {
    const at::Tensor& p = request.parameters[i];
    if (wants(wanted, i)) results.push_back(at::empty(p.sizes(), p.options()));
  }
  return results;
}

std::vector<at::Tensor> meta_second(const Second& directions, const Request& request) {
  const Plan plan(request);
  std::vector<at::Tensor> results = meta_backward(directions.dy, request, all_wanted);
  results.insert(results.begin(), plan.empty_result(request));
  return results;
}

}  // namespace ogee::torch_call

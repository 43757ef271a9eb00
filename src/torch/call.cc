// Shapes, strides and the core's kernels. No tensor is copied unless its elements cannot be said as rows of evenly
// spaced elements together with the others'.
#include "torch/call.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/TensorUtils.h>

#include <algorithm>
#include <memory>
#include <unordered_map>

namespace ogee::torch_call {
namespace {

constexpr std::int64_t parallel_from = 32768;

struct Entries {
  std::vector<Entry> list;
  std::unordered_map<const Function*, const Entry*> by_function;
  std::unordered_map<std::string_view, const Entry*> by_name;
  Entries() {
    list.reserve(functions().size());
    for (const Function* f : functions()) {
      const Spec& spec = spec_of(*f);
      list.push_back({f, &spec, composed_named(spec.name)});
      by_function[f] = &list.back();
      by_name[spec.name] = &list.back();
    }
  }
};
const Entries& entries() {
  static const Entries all;
  return all;
}

bool is_float(at::ScalarType type) {
  return type == at::kFloat || type == at::kDouble || type == at::kBFloat16 || type == at::kHalf;
}

Type type_of(at::ScalarType type) {
  switch (type) {
    case at::kFloat: return Type::float32;
    case at::kDouble: return Type::float64;
    case at::kBFloat16: return Type::bfloat16;
    default: return Type::float16;
  }
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

}  // namespace

const Entry& entry_of(const Function& function) { return *entries().by_function.at(&function); }

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

NoiseKey read_key(const Request& request) {
  if (!request.draws_noise()) return {};
  TORCH_CHECK(request.key.has_value() && request.key->defined() && request.key->numel() == 2 &&
                  request.key->scalar_type() == at::kLong,
              request.prefix(), "training needs a noise key of two int64");
  const at::Tensor key = request.key->cpu().contiguous();
  const auto* words = key.data_ptr<std::int64_t>();
  return {static_cast<std::uint64_t>(words[0]), static_cast<std::uint64_t>(words[1])};
}

const Parallel& on_torch_threads() {
  static const Parallel parallel = [](std::size_t count, const std::function<void(std::size_t)>& task) {
    at::parallel_for(0, static_cast<std::int64_t>(count), 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) task(static_cast<std::size_t>(i));
    });
  };
  return parallel;
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

// ---- Meta ----------------------------------------------------------------------------------------------------------

namespace {

void append_parameters(const Request& request, std::vector<at::Tensor>& results) {
  for (const at::Tensor& p : request.parameters) results.push_back(at::empty(p.sizes(), p.options()));
}

}  // namespace

at::Tensor meta_forward(const Request& request) { return Plan(request).empty_result(request); }

std::vector<at::Tensor> meta_backward(const at::Tensor&, const Request& request, bool want_parameters) {
  const Plan plan(request);
  std::vector<at::Tensor> results;
  for (std::size_t k = 0; k < (request.packed() ? 1 : request.spec().inputs); ++k) {
    results.push_back(plan.empty_input(request));
  }
  if (want_parameters) append_parameters(request, results);
  return results;
}

std::vector<at::Tensor> meta_second(const Second& directions, const Request& request) {
  const Plan plan(request);
  std::vector<at::Tensor> results = meta_backward(directions.dy, request, true);
  results.insert(results.begin(), plan.empty_result(request));
  return results;
}

// ---- The kernels ---------------------------------------------------------------------------------------------------

namespace {

// Several tensors of one shape as rows of evenly spaced elements: dimensions are merged wherever all of them allow it.
class Walk {
 public:
  Walk(const Request& request, const Plan& plan) : request_(request), plan_(plan) {}

  // A tensor with the shape of the result.
  std::size_t add(const at::Tensor& t) { return add(t.data_ptr(), t.strides(), 0, 1); }

  // A dense tensor with the shape of the result that is not there yet.
  void add_dense() { add(nullptr, dense_strides(plan_.sizes, plan_.order), 0, 1); }

  // A tensor with the shape of `a`: one operand, or the two that are packed in it.
  void add_input(const at::Tensor& t, std::size_t first[2]) {
    if (!request_.packed()) {
      first[0] = add(t);
      return;
    }
    const std::int64_t stride = t.stride(plan_.gate_dim);
    const bool interleaved = request_.layout == Layout::interleaved;
    const std::int64_t apart = interleaved ? stride : plan_.half * stride;
    const bool last = request_.layout == Layout::gate_last;
    const std::int64_t size = t.element_size();
    first[0] = add(t.data_ptr(), t.strides(), last ? apart * size : 0, interleaved ? 2 : 1);
    first[1] = add(t.data_ptr(), t.strides(), last ? 0 : apart * size, interleaved ? 2 : 1);
  }

  // Whether two dimensions are enough.
  bool collapse() {
    dims_ = 0;
    for (const std::int64_t d : plan_.order) {
      const std::int64_t size = plan_.sizes[d];
      if (size == 1) continue;
      bool merges = dims_ > 0;
      for (std::size_t k = 0; merges && k < count_; ++k) {
        merges = operands_[k].collapsed[dims_ - 1] == operands_[k].strides[d] * size;
      }
      if (!merges) {
        if (dims_ == 2) return false;
        size_[dims_++] = 1;
      }
      size_[dims_ - 1] *= size;
      for (std::size_t k = 0; k < count_; ++k) operands_[k].collapsed[dims_ - 1] = operands_[k].strides[d];
    }
    return true;
  }

  std::size_t rows() const { return dims_ == 2 ? static_cast<std::size_t>(size_[0]) : 1; }
  std::size_t length() const { return dims_ == 0 ? 1 : static_cast<std::size_t>(size_[dims_ - 1]); }

  template <class Pointer>
  Strided<Pointer> operand(std::size_t k) const {
    const Operand& o = operands_[k];
    const std::int64_t step = dims_ == 0 ? 1 : o.collapsed[dims_ - 1];
    const std::int64_t row = dims_ == 2 ? o.collapsed[0] : step * static_cast<std::int64_t>(length());
    return {static_cast<Pointer>(o.data), row, step};
  }

 private:
  struct Operand {
    void* data;
    at::DimVector strides;
    std::int64_t collapsed[2];
  };

  std::size_t add(void* data, at::IntArrayRef strides, std::int64_t offset, std::int64_t gate_factor) {
    Operand& o = operands_[count_];
    o.data = static_cast<char*>(data) + offset;
    o.strides.assign(strides.begin(), strides.end());
    if (gate_factor != 1) o.strides[plan_.gate_dim] *= gate_factor;
    return count_++;
  }

  const Request& request_;
  const Plan& plan_;
  std::array<Operand, 9> operands_;
  std::size_t count_ = 0;
  std::size_t dims_ = 0;
  std::int64_t size_[2] = {1, 1};
};

// What a call reads; each may be replaced by a dense copy.
struct Sources {
  at::Tensor a, b, dy, dda, ddb;
};

// Copies as few of them as possible, so that all of them can be walked together with dense results.
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

void read_doubles(const at::Tensor& tensor, double* out) {
  const at::Tensor t = tensor.is_contiguous() ? tensor : tensor.contiguous();
  const auto n = static_cast<std::size_t>(t.numel());
  switch (t.scalar_type()) {
    case at::kFloat: std::copy_n(t.data_ptr<float>(), n, out); break;
    case at::kDouble: std::copy_n(t.data_ptr<double>(), n, out); break;
    case at::kBFloat16:
      std::transform(t.data_ptr<at::BFloat16>(), t.data_ptr<at::BFloat16>() + n, out,
                     [](at::BFloat16 v) { return static_cast<double>(static_cast<float>(v)); });
      break;
    default:
      std::transform(t.data_ptr<at::Half>(), t.data_ptr<at::Half>() + n, out,
                     [](at::Half v) { return static_cast<double>(static_cast<float>(v)); });
  }
}

void write_doubles(const double* in, const at::Tensor& t) {
  const auto n = static_cast<std::size_t>(t.numel());
  const auto to_float = [](double v) { return static_cast<float>(v); };
  switch (t.scalar_type()) {
    case at::kFloat: std::transform(in, in + n, t.data_ptr<float>(), to_float); break;
    case at::kDouble: std::copy_n(in, n, t.data_ptr<double>()); break;
    case at::kBFloat16: std::transform(in, in + n, t.data_ptr<at::BFloat16>(), to_float); break;
    default: std::transform(in, in + n, t.data_ptr<at::Half>(), to_float);
  }
}

// A Call with its parameters: values for all, from tensors where given.
class Prepared {
 public:
  Prepared(const Request& request, const Plan& plan) : request_(request) {
    call.function = request.entry.function;
    call.type = type_of(request.a.scalar_type());
    call.mode = request.training ? Mode::training : Mode::evaluation;
    call.noise = read_key(request);
    call.channels = static_cast<std::size_t>(plan.channels);
    call.inner = static_cast<std::size_t>(plan.inner);
    const std::size_t count = request.values.size();
    std::copy_n(request.values.begin(), count, uniform_.begin());
    std::size_t wide = 0;
    for (std::size_t i = 0; i < request.parameters.size(); ++i) wide += plan.per_channel[i] ? call.channels : 0;
    wide_.resize(wide);
    for (std::size_t k = 0; k < count; ++k) call.parameter[k] = {&uniform_[k], false};
    std::size_t used = 0;
    for (std::size_t i = 0; i < request.parameters.size(); ++i) {
      const auto k = static_cast<std::size_t>(request.slots[i]);
      double* place = &uniform_[k];
      if (plan.per_channel[i]) {
        place = wide_.data() + used;
        used += call.channels;
        call.parameter[k] = {place, true};
      }
      read_doubles(request.parameters[i], place);
    }
    if (plan.numel >= parallel_from && at::get_num_threads() > 1 && !at::in_parallel_region()) {
      call.parallel = &on_torch_threads();
    }
  }

  // Room for the gradients of the parameters that are tensors; the others are constants of the call.
  void want_parameters() {
    std::size_t total = 0;
    for (const std::int64_t slot : request_.slots) total += width(static_cast<std::size_t>(slot));
    gradients_.assign(total, 0.0);
    total = 0;
    for (const std::int64_t slot : request_.slots) {
      call.dp[slot] = gradients_.data() + total;
      total += width(static_cast<std::size_t>(slot));
    }
  }
  void append_gradients(std::vector<at::Tensor>& results) const {
    for (std::size_t i = 0; i < request_.parameters.size(); ++i) {
      const at::Tensor& p = request_.parameters[i];
      results.push_back(at::empty(p.sizes(), p.options()));
      write_doubles(call.dp[request_.slots[i]], results.back());
    }
  }

  void direct(at::TensorList ddp, at::IntArrayRef slots) {
    std::size_t total = 0;
    for (std::size_t i = 0; i < ddp.size(); ++i) total += width(static_cast<std::size_t>(slots[i]));
    directions_.assign(total, 0.0);
    total = 0;
    for (std::size_t i = 0; i < ddp.size(); ++i) {
      const auto k = static_cast<std::size_t>(slots[i]);
      TORCH_CHECK(ddp[i].numel() == static_cast<std::int64_t>(width(k)), request_.prefix(), "a direction along ",
                  request_.spec().parameters[k].name, " has ", ddp[i].numel(), " values, not ", width(k));
      read_doubles(ddp[i], directions_.data() + total);
      call.ddp[k] = directions_.data() + total;
      total += width(k);
    }
  }

  Call call;

 private:
  std::size_t width(std::size_t k) const { return call.parameter[k].per_channel ? call.channels : 1; }

  const Request& request_;
  std::array<double, max_parameters> uniform_{};
  c10::SmallVector<double, 16> wide_, gradients_, directions_;
};

void check_like_result(const Request& request, const Plan& plan, const at::Tensor& dy) {
  TORCH_CHECK(dy.sizes() == at::IntArrayRef(plan.sizes) && dy.scalar_type() == request.a.scalar_type(),
              request.prefix(), "the gradient has shape ", dy.sizes(), " and type ", dy.scalar_type(), "; expected ",
              at::IntArrayRef(plan.sizes), " and ", request.a.scalar_type());
}

// Points the call at the inputs, and at dy.
template <class Field>
void set_inputs(const Walk& walk, const std::size_t which[2], std::size_t count, Field* fields) {
  for (std::size_t k = 0; k < count; ++k) {
    fields[k] = walk.operand<decltype(Field::data)>(which[k]);
  }
}

}  // namespace

namespace {

at::Tensor forward_by_kernel(const Request& request, bool in_place) {
  const Plan plan(request);
  at::Tensor y = in_place ? request.a : plan.empty_result(request);
  if (plan.numel == 0) return y;
  Prepared prepared(request, plan);
  Call& call = prepared.call;
  const std::size_t inputs = request.spec().inputs;

  const auto run = [&](const at::Tensor& a, const at::Tensor* b) {
    Walk walk(request, plan);
    std::size_t x_at[2];
    walk.add_input(a, x_at);
    if (b != nullptr) x_at[1] = walk.add(*b);
    const std::size_t y_at = walk.add(y);
    if (!walk.collapse()) return false;
    call.rows = walk.rows();
    call.length = walk.length();
    set_inputs(walk, x_at, inputs, call.input);
    call.y = walk.operand<void*>(y_at);
    forward(call);
    return true;
  };
  const at::Tensor* b = request.b.has_value() && request.b->defined() ? &*request.b : nullptr;
  if (!run(request.a, b)) {
    Sources s{request.a, b != nullptr ? *b : at::Tensor(), {}, {}, {}};
    make_walkable(request, plan, s);
    const bool done = run(s.a, b != nullptr ? &s.b : nullptr);
    TORCH_INTERNAL_ASSERT(done);
  }
  return y;
}

}  // namespace

at::Tensor kernel_forward(const Request& request) { return forward_by_kernel(request, false); }

void kernel_forward_in_place(const Request& request) {
  TORCH_CHECK(request.spec().inputs == 1 && request.a.is_non_overlapping_and_dense(), request.prefix(),
              "in place, the function must have one input, and its elements must lie in memory without gaps");
  forward_by_kernel(request, true);
}

namespace {

// in_place: the gradient of packed inputs takes their place.
std::vector<at::Tensor> backward_by_kernel(const at::Tensor& dy, const Request& request, bool want_parameters,
                                           bool in_place) {
  const Plan plan(request);
  check_like_result(request, plan, dy);
  std::vector<at::Tensor> results;
  const std::size_t tensors = request.packed() ? 1 : request.spec().inputs;
  results.reserve(tensors + request.parameters.size());
  for (std::size_t k = 0; k < tensors; ++k) results.push_back(in_place ? request.a : plan.empty_input(request));
  want_parameters = want_parameters && !request.parameters.empty();
  Prepared prepared(request, plan);
  Call& call = prepared.call;
  if (want_parameters) prepared.want_parameters();
  if (plan.numel > 0) {
    Sources s{request.a, tensors == 2 ? *request.b : at::Tensor(), dy, {}, {}};
    const auto run = [&] {
      Walk walk(request, plan);
      std::size_t x_at[2], dx_at[2];
      walk.add_input(s.a, x_at);
      if (tensors == 2) x_at[1] = walk.add(s.b);
      const std::size_t dy_at = walk.add(s.dy);
      walk.add_input(results[0], dx_at);
      if (tensors == 2) dx_at[1] = walk.add(results[1]);
      if (!walk.collapse()) return false;
      call.rows = walk.rows();
      call.length = walk.length();
      set_inputs(walk, x_at, request.spec().inputs, call.input);
      set_inputs(walk, dx_at, request.spec().inputs, call.dx);
      call.dy = walk.operand<const void*>(dy_at);
      backward(call);
      return true;
    };
    if (!run()) {
      make_walkable(request, plan, s);
      const bool done = run();
      TORCH_INTERNAL_ASSERT(done);
    }
  }
  if (want_parameters) prepared.append_gradients(results);
  return results;
}

}  // namespace

std::vector<at::Tensor> kernel_backward(const at::Tensor& dy, const Request& request, bool want_parameters) {
  return backward_by_kernel(dy, request, want_parameters, false);
}

std::vector<at::Tensor> kernel_backward_in_place(const at::Tensor& dy, const Request& request, bool want_parameters) {
  TORCH_INTERNAL_ASSERT(request.packed());
  return backward_by_kernel(dy, request, want_parameters, true);
}

std::vector<at::Tensor> kernel_second(const Second& directions, const Request& request) {
  const Plan plan(request);
  check_like_result(request, plan, directions.dy);
  const std::size_t tensors = request.packed() ? 1 : request.spec().inputs;
  std::vector<at::Tensor> results;
  results.reserve(1 + tensors + request.parameters.size());
  results.push_back(plan.empty_result(request));
  for (std::size_t k = 0; k < tensors; ++k) results.push_back(plan.empty_input(request));
  Prepared prepared(request, plan);
  Call& call = prepared.call;
  prepared.want_parameters();
  prepared.direct(directions.ddp, directions.ddp_slots);
  const auto like_input = [&](const c10::optional<at::Tensor>& t) {
    if (!t.has_value() || !t->defined()) return at::Tensor();
    TORCH_CHECK(t->sizes() == request.a.sizes() && t->scalar_type() == request.a.scalar_type(), request.prefix(),
                "a direction has shape ", t->sizes(), " and type ", t->scalar_type(), "; expected ", request.a.sizes(),
                " and ", request.a.scalar_type());
    return *t;
  };
  Sources s{request.a, tensors == 2 ? *request.b : at::Tensor(), directions.dy, like_input(directions.dda),
            like_input(directions.ddb)};
  if (plan.numel > 0) {
    const auto run = [&] {
      Walk walk(request, plan);
      std::size_t x_at[2], dx_at[2], ddx_at[2], ddb_at = 0;
      walk.add_input(s.a, x_at);
      if (tensors == 2) x_at[1] = walk.add(s.b);
      const std::size_t dy_at = walk.add(s.dy);
      if (s.dda.defined()) walk.add_input(s.dda, ddx_at);
      if (s.ddb.defined()) ddb_at = walk.add(s.ddb);
      const std::size_t ddy_at = walk.add(results[0]);
      walk.add_input(results[1], dx_at);
      if (tensors == 2) dx_at[1] = walk.add(results[2]);
      if (!walk.collapse()) return false;
      call.rows = walk.rows();
      call.length = walk.length();
      set_inputs(walk, x_at, request.spec().inputs, call.input);
      set_inputs(walk, dx_at, request.spec().inputs, call.dx);
      if (s.dda.defined()) set_inputs(walk, ddx_at, request.packed() ? 2 : 1, call.ddx);
      if (s.ddb.defined()) call.ddx[1] = walk.operand<const void*>(ddb_at);
      call.dy = walk.operand<const void*>(dy_at);
      call.ddy = walk.operand<void*>(ddy_at);
      second(call);
      return true;
    };
    if (!run()) {
      make_walkable(request, plan, s);
      const bool done = run();
      TORCH_INTERNAL_ASSERT(done);
    }
  }
  prepared.append_gradients(results);
  return results;
}

}  // namespace ogee::torch_call

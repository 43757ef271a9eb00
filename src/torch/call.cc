// The core's kernels on tensors. No tensor is copied unless its elements cannot be said as rows of evenly spaced
// elements together with the others'.
#include "torch/call.h"

#include <ATen/EmptyTensor.h>
#include <ATen/Parallel.h>

#include <algorithm>

#include "torch/walk.h"

namespace ogee::torch_call {

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

namespace {

constexpr std::int64_t parallel_from = 32768;
const Parallel* parallel_for(std::int64_t elements) {
  const bool many = elements >= parallel_from && at::get_num_threads() > 1 && !at::in_parallel_region();
  return many ? &on_torch_threads() : nullptr;
}

Type type_of(at::ScalarType type) {
  switch (type) {
    case at::kFloat: return Type::float32;
    case at::kDouble: return Type::float64;
    case at::kBFloat16: return Type::bfloat16;
    default: return Type::float16;
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
    call.parallel = parallel_for(plan.numel);
  }

  // Room for the gradients that are wanted; the kernels compute no others where they can do without.
  void want(Wanted wanted) {
    wanted_ = wanted;
    std::size_t total = 0;
    for_wanted([&](std::size_t k, const at::Tensor&) { total += width(k); });
    gradients_.assign(total, 0.0);
    total = 0;
    for_wanted([&](std::size_t k, const at::Tensor&) {
      call.dp[k] = gradients_.data() + total;
      total += width(k);
    });
  }
  void append_gradients(std::vector<at::Tensor>& results) const {
    for_wanted([&](std::size_t k, const at::Tensor& p) {
      results.push_back(at::empty(p.sizes(), p.options()));
      write_doubles(call.dp[k], results.back());
    });
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
  // f(which parameter, its tensor)
  template <class F>
  void for_wanted(F f) const {
    for (std::size_t i = 0; i < request_.parameters.size(); ++i) {
      if (wants(wanted_, i)) f(static_cast<std::size_t>(request_.slots[i]), request_.parameters[i]);
    }
  }
  std::size_t width(std::size_t k) const { return call.parameter[k].per_channel ? call.channels : 1; }

  const Request& request_;
  Wanted wanted_ = 0;
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

// What most calls are: inputs without gaps in the usual order, parameters by value, no noise. There is nothing to plan
// then, and a plan takes longer than the arithmetic of a few hundred elements. What is wrong with a request, the plan
// finds.
bool is_plain(const Request& r) {
  const bool two = r.b.has_value() && r.b->defined();
  if (!r.parameters.empty() || r.packed() || r.draws_noise() || two != (r.spec().inputs == 2) ||
      r.values.size() != r.spec().parameters.size() || !is_float(r.a.scalar_type()) || !r.a.is_contiguous() ||
      r.a.numel() == 0) {
    return false;
  }
  return !two || (r.b->is_contiguous() && r.b->scalar_type() == r.a.scalar_type() && r.b->sizes() == r.a.sizes() &&
                  r.b->device() == r.a.device());
}

template <class Pointer>
Strided<Pointer> contiguous(const at::Tensor& t) {
  return {t.data_ptr(), t.numel(), 1};
}
// Without the dispatcher, as LibTorch's own kernels make their results.
at::Tensor empty_like_input(const Request& r) {
  return at::detail::empty_strided_cpu(r.a.sizes(), r.a.strides(), r.a.scalar_type());
}

void set_plain(const Request& r, Call& call) {
  call.function = r.entry.function;
  call.type = type_of(r.a.scalar_type());
  call.mode = r.training ? Mode::training : Mode::evaluation;
  call.length = static_cast<std::size_t>(r.a.numel());
  for (std::size_t k = 0; k < r.values.size(); ++k) call.parameter[k] = {&r.values[k], false};
  call.input[0] = contiguous<const void*>(r.a);
  if (r.spec().inputs == 2) call.input[1] = contiguous<const void*>(*r.b);
  call.parallel = parallel_for(r.a.numel());
}

at::Tensor forward_by_kernel(const Request& request, bool in_place) {
  if (is_plain(request)) {
    at::Tensor y = in_place ? request.a : empty_like_input(request);
    Call call;
    set_plain(request, call);
    call.y = contiguous<void*>(y);
    forward(call);
    return y;
  }
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
std::vector<at::Tensor> backward_by_kernel(const at::Tensor& dy, const Request& request, Wanted wanted, bool in_place) {
  std::vector<at::Tensor> results;
  if (!in_place && is_plain(request) && dy.is_contiguous() && dy.scalar_type() == request.a.scalar_type() &&
      dy.sizes() == request.a.sizes()) {
    Call call;
    set_plain(request, call);
    call.dy = contiguous<const void*>(dy);
    results.reserve(request.spec().inputs);
    for (std::size_t k = 0; k < request.spec().inputs; ++k) {
      results.push_back(empty_like_input(request));
      call.dx[k] = contiguous<void*>(results[k]);
    }
    backward(call);
    return results;
  }
  const Plan plan(request);
  check_like_result(request, plan, dy);
  const std::size_t tensors = request.packed() ? 1 : request.spec().inputs;
  results.reserve(tensors + request.parameters.size());
  for (std::size_t k = 0; k < tensors; ++k) results.push_back(in_place ? request.a : plan.empty_input(request));
  Prepared prepared(request, plan);
  Call& call = prepared.call;
  prepared.want(wanted);
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
  prepared.append_gradients(results);
  return results;
}

}  // namespace

std::vector<at::Tensor> kernel_backward(const at::Tensor& dy, const Request& request, Wanted wanted) {
  return backward_by_kernel(dy, request, wanted, false);
}

std::vector<at::Tensor> kernel_backward_in_place(const at::Tensor& dy, const Request& request, Wanted wanted) {
  TORCH_INTERNAL_ASSERT(request.packed());
  return backward_by_kernel(dy, request, wanted, true);
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
  prepared.want(all_wanted);
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

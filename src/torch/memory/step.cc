// ogee::memory_step: checks, the choice between kernels and the composed form, and the node of autograd's graph.
#include "kernels/memory/step.h"

#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/grad_mode.h>

#include <utility>

#include "torch/derivatives.h"
#include "torch/memory/step.h"
#include "torch/node.h"
#include "torch/recurrent/autocast.h"

namespace ogee::torch_call::memory {
namespace {

using torch::autograd::SavedVariable;
using torch::autograd::variable_list;
namespace kernel = kernels::memory;

kernel::Shape kernel_shape(const MemoryShape& s) {
  const auto size = [](std::int64_t n) { return static_cast<std::size_t>(n); };
  return {size(s.locations), size(s.width), size(s.reads), size(s.writes)};
}

// Pointers to the numbers of example `i` of tensors without gaps.
template <class T>
T* from(const at::Tensor& t, std::int64_t i) {
  return t.defined() ? static_cast<T*>(t.data_ptr()) + i * (t.numel() / t.size(0)) : nullptr;
}

// f(first example, how many), on LibTorch's threads where there is enough to do.
template <class F>
void share_out(const MemoryShape& s, std::int64_t batch, F f) {
  constexpr std::int64_t enough = 1 << 15;  // cells a thread
  const std::int64_t grain = std::max<std::int64_t>(1, enough / (s.locations * s.width));
  at::parallel_for(0, batch, grain, [&](std::int64_t first, std::int64_t last) { f(first, last - first); });
}

struct Results {
  MemoryState state;
  at::Tensor kept;
};

template <class T>
void run_forward(const MemoryShape& s, const at::Tensor& interface, const at::Tensor& memory, const at::Tensor& weights,
                 const Results& r) {
  share_out(s, interface.size(0), [&](std::int64_t i, std::int64_t count) {
    kernel::forward<T>({kernel_shape(s), static_cast<std::size_t>(count), from<T>(interface, i), from<T>(memory, i),
                        from<T>(weights, i), from<T>(r.state.memory, i), from<T>(r.state.weights, i),
                        from<T>(r.state.reads, i), from<T>(r.kept, i)});
  });
}

Results forward(const MemoryShape& s, const at::Tensor& interface, const at::Tensor& memory,
                const at::Tensor& weights) {
  const std::int64_t batch = interface.size(0);
  Results r{{at::empty_like(memory), at::empty_like(weights), at::empty({batch, s.reads, s.width}, memory.options())},
            at::empty({batch, 3 * s.heads() + 1, s.locations}, memory.options())};
  if (batch == 0) return r;
  if (interface.scalar_type() == at::kFloat)
    run_forward<float>(s, interface, memory, weights, r);
  else
    run_forward<double>(s, interface, memory, weights, r);
  return r;
}

class MemoryNode final : public OgeeNode {
 public:
  std::string name() const override { return "OgeeMemoryBackward"; }

  void save(const MemoryShape& shape, const at::Tensor& interface, const MemoryState& before, const Results& results) {
    shape_ = shape;
    const at::Tensor* inputs[] = {&interface, &before.memory, &before.weights};
    for (std::size_t i = 0; i < 3; ++i) inputs_[i] = SavedVariable(*inputs[i], false);
    weights_ = SavedVariable(results.state.weights.detach(), false);
    kept_ = results.kept;
  }

  variable_list apply(variable_list&& gradients) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    variable_list results(3);
    if (!gradients[0].defined() && !gradients[1].defined() && !gradients[2].defined()) return results;
    TORCH_CHECK(kept_.defined(),
                "ogee::memory_step: backward through the same graph a second time, but it was freed the "
                "first time; keep it with retain_graph");
    const at::Tensor interface = inputs_[0].unpack(), memory = inputs_[1].unpack(), weights = inputs_[2].unpack();
    if (at::GradMode::is_enabled()) return recomputed({interface, memory, weights}, gradients);
    for (at::Tensor& t : gradients)
      if (t.defined()) t = t.contiguous();
    results = {at::empty_like(interface), at::empty_like(memory), at::empty_like(weights)};
    if (interface.scalar_type() == at::kFloat)
      run<float>(interface, memory, weights, gradients, results);
    else
      run<double>(interface, memory, weights, gradients, results);
    return results;
  }

 protected:
  void released() override {
    for (SavedVariable& v : inputs_) v.reset_data();
    weights_.reset_data();
    kept_ = at::Tensor();
  }

 private:
  template <class T>
  void run(const at::Tensor& interface, const at::Tensor& memory, const at::Tensor& weights, const variable_list& d,
           const variable_list& r) {
    const at::Tensor new_weights = weights_.unpack();
    share_out(shape_, interface.size(0), [&](std::int64_t i, std::int64_t count) {
      kernel::backward<T>({kernel_shape(shape_), static_cast<std::size_t>(count), from<T>(interface, i),
                           from<T>(memory, i), from<T>(weights, i), from<T>(new_weights, i), from<T>(kept_, i),
                           from<T>(d[0], i), from<T>(d[1], i), from<T>(d[2], i), from<T>(r[0], i), from<T>(r[1], i),
                           from<T>(r[2], i)});
    });
  }

  // Gradients that know how they came about, for those who differentiate again: those of the composed form.
  variable_list recomputed(const variable_list& inputs, const variable_list& gradients) {
    const MemoryState after = composed(shape_, inputs[0], inputs[1], inputs[2]);
    variable_list outputs, upstream, asked, results(3);
    const at::Tensor all[] = {after.memory, after.weights, after.reads};
    for (std::size_t i = 0; i < 3; ++i) {
      if (!gradients[i].defined()) continue;
      outputs.push_back(all[i]);
      upstream.push_back(gradients[i]);
    }
    const auto wanted = [&](std::size_t i) { return task_should_compute_output(i) && inputs[i].requires_grad(); };
    for (std::size_t i = 0; i < 3; ++i)
      if (wanted(i)) asked.push_back(inputs[i]);
    variable_list found = torch::autograd::grad(outputs, asked, upstream, true, true, true);
    for (std::size_t i = 0, next = 0; i < 3; ++i)
      if (wanted(i)) results[i] = found[next++];
    return results;
  }

  MemoryShape shape_;
  SavedVariable inputs_[3], weights_;
  at::Tensor kept_;
};

bool has_kernels(const at::Tensor& interface, const MemoryState& before) {
  if (!interface.is_cpu() || (interface.scalar_type() != at::kFloat && interface.scalar_type() != at::kDouble) ||
      recurrent::is_autocasting(interface))
    return false;
  c10::DispatchKeySet keys = c10::impl::tls_local_dispatch_key_set().included_;
  for (const at::Tensor* t : {&interface, &before.memory, &before.weights}) {
    if (has_tangent(*t) || t->layout() != at::kStrided) return false;
    keys = keys | t->key_set();
  }
  c10::DispatchKeySet known({c10::DispatchKey::CPU, c10::DispatchKey::AutogradCPU, c10::DispatchKey::ADInplaceOrView,
                             c10::DispatchKey::BackendSelect});
  keys = keys - c10::impl::tls_local_dispatch_key_set().excluded_;
  return (keys.raw_repr() & ~known.raw_repr()) == 0;
}

MemoryState run(const MemoryShape& shape, const at::Tensor& given, const MemoryState& before_given) {
  if (!has_kernels(given, before_given)) return composed(shape, given, before_given.memory, before_given.weights);
  const at::Tensor interface = given.contiguous();
  const MemoryState before{before_given.memory.contiguous(), before_given.weights.contiguous(), {}};
  MadeNode<MemoryNode> made{};
  const bool needed = interface.requires_grad() || before.memory.requires_grad() || before.weights.requires_grad();
  if (at::GradMode::is_enabled() && needed) made = make_node<MemoryNode>();
  Results results;
  {
    const at::AutoDispatchBelowADInplaceOrView below;
    results = forward(shape, interface, before.memory, before.weights);
  }
  if (made.pointer) {
    for (const at::Tensor* t : {&interface, &before.memory, &before.weights}) made.node->add_edge(*t);
    made.node->save(shape, interface, before, results);
    made.attach(results.state.memory);
    made.attach(results.state.weights);
    made.attach(results.state.reads);
  }
  return results.state;
}

}  // namespace

void check(const MemoryShape& s, const at::Tensor& interface, const MemoryState& before) {
  constexpr const char* name = "ogee::memory_step: ";
  TORCH_CHECK(s.locations >= 1 && s.width >= 1 && s.reads >= 1 && s.writes >= 1, name,
              "locations, width, reads and writes must be at least 1, not ", s.locations, ", ", s.width, ", ", s.reads,
              " and ", s.writes);
  TORCH_CHECK(interface.defined() && interface.dim() == 2 && interface.size(1) == s.interface_size(), name,
              "interface must be [batch, ", s.interface_size(), "]",
              interface.defined() ? c10::str(", not ", interface.sizes()) : std::string(", but is undefined"));
  const std::int64_t batch = interface.size(0);
  const auto like = [&](const char* what, const at::Tensor& t, at::IntArrayRef sizes) {
    TORCH_CHECK(t.defined(), name, what, " is undefined");
    TORCH_CHECK(t.sizes() == sizes, name, what, " has shape ", t.sizes(), "; expected ", sizes);
    TORCH_CHECK(recurrent::is_autocasting(interface) || t.scalar_type() == interface.scalar_type(), name, what, " is ",
                t.scalar_type(), ", but interface is ", interface.scalar_type());
    TORCH_CHECK(t.device() == interface.device(), name, what, " is on ", t.device(), ", but interface is on ",
                interface.device());
  };
  like("memory", before.memory, {batch, s.width, s.locations});
  like("weights", before.weights, {batch, s.heads(), s.locations});
}

}  // namespace ogee::torch_call::memory

namespace ogee {

MemoryState memory_step(const MemoryShape& shape, const torch::Tensor& interface, const MemoryState& before) {
  torch_call::memory::check(shape, interface, before);
  return torch_call::memory::run(shape, interface, before);
}
MemoryState compose_memory_step(const MemoryShape& shape, const torch::Tensor& interface, const MemoryState& before) {
  torch_call::memory::check(shape, interface, before);
  return torch_call::memory::composed(shape, interface, before.memory, before.weights);
}

}  // namespace ogee

// The modules of ogee/torch.h.
#include "ogee/torch.h"

#include <ATen/core/LegacyTypeDispatch.h>

#include <cmath>

#include "torch/apply.h"
#include "torch/autocast.h"
#include "torch/initial_range.h"
#include "torch/node.h"
#include "torch/witness.h"

namespace ogee {
namespace {
thread_local const torch_call::ActivationWitness* witness = nullptr;
}  // namespace

torch_call::ActivationWitnessGuard::ActivationWitnessGuard(const ActivationWitness& told) : previous_(witness) {
  witness = &told;
}
torch_call::ActivationWitnessGuard::~ActivationWitnessGuard() { witness = previous_; }
}  // namespace ogee

namespace ogee::nn {

// ---- Activation ----------------------------------------------------------------------------------------------------

ActivationImpl::ActivationImpl(ActivationOptions options_) : options(std::move(options_)), activation_(options.text()) {
  TORCH_CHECK(options.channels() >= 1, "ogee::nn::Activation: channels must be at least 1, not ", options.channels());
  reset();
}

void ActivationImpl::reset() {
  const torch::NoGradGuard no_grad;
  const Spec& spec = activation_.spec();
  tensors_.assign(spec.parameters.size(), at::Tensor());
  for (std::size_t k = 0; k < spec.parameters.size(); ++k) {
    const Parameter& p = spec.parameters[k];
    if (p.role != Role::learned) continue;
    const std::string name(p.name);
    const auto held = options.learn() ? named_parameters(false) : named_buffers(false);
    if (held.contains(name)) {
      tensors_[k] = held[name];
    } else {
      const torch::Tensor fresh = torch::empty({options.channels()});
      tensors_[k] = options.learn() ? register_parameter(name, fresh) : register_buffer(name, fresh);
    }
    if (const auto [low, high] = torch_call::initial_range(activation_, k); low < high) {
      tensors_[k].uniform_(low, high, torch_call::current_generator());
    } else {
      tensors_[k].fill_(low);
    }
  }
}

void ActivationImpl::pretty_print(std::ostream& stream) const {
  stream << "ogee::nn::Activation(" << activation_.text();
  if (options.channels() > 1) stream << ", channels=" << options.channels();
  stream << ")";
}

void ActivationImpl::set(const std::string& parameter, double value) {
  for (const Parameter& p : activation_.spec().parameters)
    if (p.name == parameter && p.role == Role::learned)
      throw Error(std::string(activation_.spec().name) + ": " + parameter + " is learned, and cannot be set");
  activation_.set(parameter, value);
}

torch::Tensor ActivationImpl::forward(const torch::Tensor& x, const torch::Tensor& b) {
  ApplyOptions how;
  how.training = is_training();
  how.channel_dim = options.channel_dim();
  if (b.defined()) return ogee::apply(activation_, x, b, tensors_, how);
  if (activation_.spec().inputs == 2) {
    how.layout = options.layout();
    how.gate_dim = options.gate_dim();
  }
  if (witness) return ogee::apply(activation_, (*witness)(*this, x), tensors_, how);
  return ogee::apply(activation_, x, tensors_, how);
}

torch::Tensor ActivationImpl::after_linear(const torch::Tensor& x, const torch::Tensor& weight,
                                           const torch::Tensor& bias) {
  if (witness) return forward(at::linear(x, weight, bias.defined() ? c10::optional<at::Tensor>(bias) : c10::nullopt));
  ApplyOptions how;
  how.training = is_training();
  how.channel_dim = options.channel_dim();
  if (activation_.spec().inputs == 2) {
    how.layout = options.layout();
    how.gate_dim = options.gate_dim();
  }
  return apply_linear(activation_, x, weight, bias, tensors_, how);
}

torch::Tensor ActivationImpl::slope(const torch::Tensor& x) {
  return ogee::slope(activation_, x, tensors_, options.channel_dim());
}

// ---- GatedFeedForward ----------------------------------------------------------------------------------------------

namespace {

using torch::autograd::SavedVariable;
using torch::autograd::variable_list;
using torch_call::Request;

// Both matrix products and the unit between them, as one node of the graph. Places: x, weight_in, bias_in, weight_out,
// bias_out, then the unit's parameters. Biases may be undefined.
struct BlockWeights {
  at::Tensor x, weight_in, bias_in, weight_out, bias_out;
  std::vector<at::Tensor> parameters;
  ogee::Activation unit;

  std::vector<at::Tensor> all() const {
    std::vector<at::Tensor> list{x, weight_in, bias_in, weight_out, bias_out};
    list.insert(list.end(), parameters.begin(), parameters.end());
    return list;
  }
  // Runs f with the Request that gates `packed`.
  template <class F>
  auto with_request(const at::Tensor& packed, F f) const {
    at::DimVector slots;
    std::vector<at::Tensor> given;
    for (std::size_t k = 0; k < parameters.size(); ++k) {
      if (!parameters[k].defined()) continue;
      slots.push_back(static_cast<std::int64_t>(k));
      given.push_back(parameters[k]);
    }
    const std::span<const double> values = unit.parameters();
    const c10::optional<at::Tensor> none;
    return f(Request{torch_call::entry_of(unit.function()),
                     packed,
                     none,
                     given,
                     slots,
                     {values.data(), values.size()},
                     -1,
                     Layout::gate_first,
                     -1,
                     false,
                     none,
                     {},
                     false});
  }
  at::Tensor before() const { return at::linear(x, weight_in, optional(bias_in)); }
  at::Tensor gated(const at::Tensor& packed) const { return with_request(packed, torch_call::call_forward); }
  at::Tensor after(const at::Tensor& product) const { return at::linear(product, weight_out, optional(bias_out)); }

  static c10::optional<at::Tensor> optional(const at::Tensor& t) {
    return t.defined() ? c10::optional<at::Tensor>(t) : c10::nullopt;
  }
};

class FeedForwardNode final : public torch_call::OgeeNode {
 public:
  explicit FeedForwardNode() = default;
  std::string name() const override { return "OgeeGatedFeedForwardBackward"; }

  void save(const BlockWeights& block, const at::Tensor& packed) {
    for (const at::Tensor& t : block.all()) {
      add_edge(t);
      present_.push_back(t.defined());
      tensors_.emplace_back(t, false);
    }
    packed_ = SavedVariable(packed, false);
    unit_.emplace(block.unit);
  }

  // The engine says so before apply, unless the graph is to be kept.
  void will_release_variables() override { last_time_ = true; }

  variable_list apply(variable_list&& gradients) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    variable_list results(tensors_.size());
    const at::Tensor& dy = gradients[0];
    if (!dy.defined()) return results;
    variable_list t(tensors_.size());
    for (std::size_t i = 0; i < t.size(); ++i) {
      if (present_[i]) t[i] = tensors_[i].unpack();
    }
    const BlockWeights block{t[0], t[1], t[2], t[3], t[4], {t.begin() + 5, t.end()}, *unit_};
    // A gradient that is differentiated again must know how the pre-activation came about.
    const bool again = at::GradMode::is_enabled();
    const at::Tensor packed = again ? block.before() : packed_.unpack();
    // Nobody reads the pre-activation after this: its gradient may take its place. (Two owners: packed_ and packed.)
    const bool in_place =
        last_time_ && !again && packed.is_cpu() && packed.use_count() == 2 && packed.storage().use_count() == 1;

    const at::Tensor flat_dy = dy.reshape({-1, dy.size(-1)});
    if (task_should_compute_output(4)) results[4] = flat_dy.sum(0);
    if (task_should_compute_output(3)) {
      const at::Tensor product = block.gated(packed);
      results[3] = flat_dy.t().mm(product.reshape({-1, product.size(-1)}));
    }
    torch_call::Wanted wanted = 0;
    bool want_more = false;
    for (std::size_t i = 5, place = 0; i < t.size(); ++i) {
      if (task_should_compute_output(i)) wanted |= torch_call::Wanted{1} << place;
      if (present_[i]) ++place;
    }
    for (std::size_t i = 0; i < 3; ++i) want_more = want_more || task_should_compute_output(i);
    if (!want_more && wanted == 0) return results;

    at::Tensor d_product = at::matmul(dy, block.weight_out);
    std::vector<at::Tensor> d = block.with_request(packed, [&](const Request& r) {
      return in_place ? torch_call::kernel_backward_in_place(d_product, r, wanted)
                      : torch_call::call_backward(d_product, r, wanted);
    });
    d_product.reset();
    for (std::size_t i = 5, next = 1; i < t.size(); ++i) {
      if (task_should_compute_output(i)) results[i] = d[next++];
    }
    const at::Tensor flat_d = d[0].reshape({-1, d[0].size(-1)});
    if (task_should_compute_output(2)) results[2] = flat_d.sum(0);
    if (task_should_compute_output(1)) results[1] = flat_d.t().mm(block.x.reshape({-1, block.x.size(-1)}));
    if (task_should_compute_output(0)) results[0] = at::matmul(d[0], block.weight_in);
    return results;
  }

 protected:
  void released() override {
    for (SavedVariable& v : tensors_) v.reset_data();
    packed_.reset_data();
  }

 private:
  std::vector<SavedVariable> tensors_;
  std::vector<bool> present_;
  SavedVariable packed_;
  std::optional<ogee::Activation> unit_;
  bool last_time_ = false;
};

at::Tensor run(BlockWeights block) {
  const std::optional<at::ScalarType> cast = torch_call::autocast_type(block.x);
  std::optional<c10::impl::ExcludeDispatchKeyGuard> no_autocast;
  if (cast.has_value()) {
    for (at::Tensor* t : {&block.x, &block.weight_in, &block.bias_in, &block.weight_out, &block.bias_out}) {
      if (t->defined()) *t = t->to(*cast);
    }
    no_autocast.emplace(c10::autocast_dispatch_keyset);
  }
  torch_call::MadeNode<FeedForwardNode> made{};
  if (at::GradMode::is_enabled()) {
    bool needed = false;
    for (const at::Tensor& t : block.all()) needed = needed || (t.defined() && t.requires_grad());
    if (needed) made = torch_call::make_node<FeedForwardNode>();
  }
  at::Tensor y;
  {
    const at::AutoDispatchBelowADInplaceOrView below;
    const at::Tensor packed = block.before();
    if (made.pointer) made.node->save(block, packed);
    y = block.after(block.gated(packed));
  }
  made.attach(y);
  return y;
}

}  // namespace

GatedFeedForwardImpl::GatedFeedForwardImpl(GatedFeedForwardOptions options_) : options(std::move(options_)) {
  TORCH_CHECK(options.dim() >= 1 && options.width() >= 0 && options.hidden() >= 0 && options.multiple() >= 1,
              "ogee::nn::GatedFeedForward: dim and multiple must be at least 1, width and hidden at least 0");
  reset();
}

void GatedFeedForwardImpl::reset() {
  hidden = options.hidden();
  if (hidden == 0) {
    const std::int64_t width = options.width() != 0 ? options.width() : 4 * options.dim();
    const std::int64_t two_thirds = (2 * width + 2) / 3;
    hidden = (two_thirds + options.multiple() - 1) / options.multiple() * options.multiple();
  }
  const torch::NoGradGuard no_grad;
  const auto uniform = [&](torch::Tensor& t, const char* name, std::vector<std::int64_t> sizes, std::int64_t fan_in) {
    if (!named_parameters(false).contains(name)) t = register_parameter(name, torch::empty(sizes));
    const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
    t.uniform_(-bound, bound, torch_call::current_generator());
  };
  uniform(weight_in, "weight_in", {2 * hidden, options.dim()}, options.dim());
  uniform(weight_out, "weight_out", {options.dim(), hidden}, hidden);
  if (options.bias()) {
    uniform(bias_in, "bias_in", {2 * hidden}, options.dim());
    uniform(bias_out, "bias_out", {options.dim()}, hidden);
  }
  if (!named_children().contains("unit")) {
    unit = register_module("unit", Activation(ActivationOptions(options.unit())));
    TORCH_CHECK(unit->activation().spec().inputs == 2, "ogee::nn::GatedFeedForward: ", options.unit(),
                " takes one input; expected a gated function such as swiglu");
  } else {
    unit->reset();
  }
}

void GatedFeedForwardImpl::pretty_print(std::ostream& stream) const {
  stream << "ogee::nn::GatedFeedForward(" << options.dim() << ", hidden=" << hidden << ", unit=" << options.unit()
         << ", bias=" << (options.bias() ? "true" : "false") << ")";
}

torch::Tensor GatedFeedForwardImpl::forward(const torch::Tensor& x) {
  TORCH_CHECK(x.dim() >= 1 && x.size(-1) == options.dim(),
              "ogee::nn::GatedFeedForward: the last dimension of x must be ", options.dim(), ", but its shape is ",
              x.sizes());
  return run(BlockWeights{x, weight_in, bias_in, weight_out, bias_out, unit->parameter_tensors(), unit->activation()});
}

// ---- ConcatenatedRelu, Maxout --------------------------------------------------------------------------------------

void ConcatenatedReluImpl::pretty_print(std::ostream& stream) const {
  stream << "ogee::nn::ConcatenatedRelu(dim=" << dim << ")";
}

torch::Tensor ConcatenatedReluImpl::forward(const torch::Tensor& x) {
  return torch::cat({torch::relu(x), torch::relu(-x)}, dim);
}

MaxoutImpl::MaxoutImpl(std::int64_t in_, std::int64_t out_, std::int64_t pieces_)
    : in(in_), out(out_), pieces(pieces_) {
  TORCH_CHECK(in >= 1 && out >= 1 && pieces >= 1, "ogee::nn::Maxout: in, out and pieces must be at least 1");
  reset();
}

void MaxoutImpl::reset() {
  if (!named_children().contains("linear")) {
    linear = register_module("linear", torch::nn::Linear(in, out * pieces));
  }
  const torch::NoGradGuard no_grad;
  const double bound = 1 / std::sqrt(static_cast<double>(in));
  for (torch::Tensor& t : linear->parameters()) t.uniform_(-bound, bound, torch_call::current_generator());
}

void MaxoutImpl::pretty_print(std::ostream& stream) const {
  stream << "ogee::nn::Maxout(" << in << ", " << out << ", pieces=" << pieces << ")";
}

torch::Tensor MaxoutImpl::forward(const torch::Tensor& x) {
  TORCH_CHECK(x.dim() >= 1 && x.size(-1) == in, "ogee::nn::Maxout: the last dimension of x must be ", in,
              ", but its shape is ", x.sizes());
  return std::get<0>(linear->forward(x).unflatten(-1, {out, pieces}).max(-1));
}

}  // namespace ogee::nn

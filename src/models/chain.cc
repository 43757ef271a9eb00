#include "models/chain.h"

#include <array>

#include "kernels/dense/products.h"
#include "kernels/dense/rows.h"
#include "models/announce.h"
#include "torch/apply.h"

namespace ogee::models {
namespace {

using kernels::dense::Matrix;
using kernels::dense::Panels;
using kernels::dense::Product;

bool is_plain(const at::Tensor& t) { return t.is_cpu() && t.scalar_type() == torch::kFloat && t.is_contiguous(); }
bool has_room(const at::Tensor& parameter) {
  return parameter.requires_grad() && parameter.grad().defined() && is_plain(parameter.grad());
}
std::size_t extent(const at::Tensor& t, std::int64_t dim) { return static_cast<std::size_t>(t.size(dim)); }
std::ptrdiff_t step(std::size_t columns) { return static_cast<std::ptrdiff_t>(columns); }
Matrix<float> matrix(const float* data, std::size_t columns) { return {data, step(columns), 1}; }

// Of a link, by row.
std::size_t results_of(const Chain::Link& link) {
  return extent(link.weight, 0) / (link.unit ? link.unit->activation().spec().inputs : 1);
}

// What autograd's engine does when a parameter's gradient has arrived.
void call_hooks(const at::Tensor& parameter) { models::call_hooks(parameter, parameter.grad()); }

}  // namespace

float* Chain::Room::of(std::size_t count) {
  if (size_ < count) {
    memory_ = hwy::AllocateAligned<float>(count);
    TORCH_CHECK(memory_ != nullptr, "no memory for ", count, " numbers");
    size_ = count;
  }
  return memory_.get();
}

// An activation of rows of pre-activations, as the kernels take it.
class Chain::Unit {
 public:
  Unit(const nn::Activation& unit, std::size_t rows, std::size_t outputs, const float* sums, NoiseKey noise)
      : tensors_(unit->parameter_tensors()) {
    const Activation& activation = unit->activation();
    const Spec& spec = activation.spec();
    gates_ = spec.inputs;
    units_ = outputs / gates_;
    call_.function = &activation.function();
    call_.mode = unit->is_training() && spec.noise != Noise::none ? Mode::training : Mode::evaluation;
    call_.noise = noise;
    call_.channels = units_;
    for (std::size_t k = 0; k < tensors_.size(); ++k) {
      single_[k] = activation.parameters()[k];
      call_.parameter[k] = {&single_[k], false};
      if (!tensors_[k].defined()) continue;
      const float* const values = tensors_[k].data_ptr<float>();
      if (tensors_[k].numel() == 1) {
        single_[k] = values[0];
      } else {
        several_[k].assign(values, values + units_);
        call_.parameter[k] = {several_[k].data(), true};
      }
    }
    // Without gates there are no gaps between rows.
    call_.rows = gates_ == 1 ? 1 : rows;
    call_.length = gates_ == 1 ? rows * units_ : units_;
    for (std::size_t i = 0; i < gates_; ++i) call_.input[i] = {sums + i * units_, step(outputs), 1};
  }
  Unit(const Unit&) = delete;
  Unit& operator=(const Unit&) = delete;

  void forward(float* values) {
    call_.y = {values, step(units_), 1};
    ogee::forward(call_);
  }
  // Also writes the gradients of the parameters that have one.
  void backward(const float* gradient, float* by_sums) {
    call_.dy = {gradient, step(units_), 1};
    for (std::size_t i = 0; i < gates_; ++i) call_.dx[i] = {by_sums + i * units_, step(gates_ * units_), 1};
    std::array<std::vector<double>, max_parameters> totals;
    for (std::size_t k = 0; k < tensors_.size(); ++k) {
      if (!tensors_[k].defined() || !tensors_[k].requires_grad()) continue;
      totals[k].assign(call_.parameter[k].per_channel ? units_ : 1, 0.0);
      call_.dp[k] = totals[k].data();
    }
    ogee::backward(call_);
    for (std::size_t k = 0; k < tensors_.size(); ++k) {
      if (call_.dp[k] == nullptr) continue;
      float* out = tensors_[k].grad().data_ptr<float>();
      for (const double total : totals[k]) *out++ = static_cast<float>(total);
    }
  }

 private:
  const std::vector<torch::Tensor>& tensors_;
  std::size_t gates_ = 1, units_ = 0;
  std::array<double, max_parameters> single_{};
  std::array<std::vector<double>, max_parameters> several_;
  Call call_;
};

bool Chain::runs(const at::Tensor& x) const {
  if (links_.empty() || x.dim() != 2 || x.size(0) == 0 || !is_plain(x) || x.size(1) != links_[0].weight.size(1))
    return false;
  for (const Link& link : links_) {
    if (!is_plain(link.weight) || !is_plain(link.bias)) return false;
    if (!link.unit) continue;
    for (const at::Tensor& parameter : link.unit->parameter_tensors())
      if (parameter.defined() && !is_plain(parameter)) return false;
  }
  return true;
}

bool Chain::trains(const at::Tensor& x) const {
  if (x.requires_grad() || !runs(x)) return false;
  for (const Link& link : links_) {
    if (!has_room(link.weight) || !has_room(link.bias)) return false;
    if (!link.unit) continue;
    for (const at::Tensor& parameter : link.unit->parameter_tensors())
      if (parameter.defined() && parameter.requires_grad() && !has_room(parameter)) return false;
  }
  return true;
}

at::Tensor Chain::forward(const at::Tensor& x, bool keep) {
  const torch::NoGradGuard no_gradients;
  const std::size_t rows = extent(x, 0);
  const at::Tensor output = torch::empty({x.size(0), static_cast<std::int64_t>(results_of(links_.back()))});
  if (keep) {
    kept_.resize(links_.size());
    x_ = x;
    output_ = output;
    shown_.clear();
  }
  const bool announce = keep && observed();
  const float* input = x.data_ptr<float>();
  for (std::size_t i = 0; i < links_.size(); ++i) {
    const Link& link = links_[i];
    Kept& kept = keep ? kept_[i] : passing_;
    float* const out = i + 1 == links_.size() ? output.data_ptr<float>()
                                              : (keep ? kept.values : in_turn_[i % 2]).of(rows * results_of(link));
    kept.input = input;
    forward_link(link, kept, rows, out, announce);
    input = out;
  }
  return output;
}

void Chain::forward_link(const Link& link, Kept& kept, std::size_t rows, float* out, bool announce) {
  const std::size_t outputs = extent(link.weight, 0), inputs = extent(link.weight, 1);
  const float* input = kept.input;
  if (link.tamed) {
    float* const tamed = kept.tamed.of(rows * inputs);
    kernels::dense::over_root_mean_square(rows, inputs, epsilon, input, tamed, kept.factors.of(rows));
    input = tamed;
  }
  float* const sums = link.unit ? kept.sums.of(rows * outputs) : out;
  const auto multiply = [&] {
    const auto weight =
        Panels<float>::packed(packed_.of(Panels<float>::room(inputs, outputs)),
                              matrix(link.weight.data_ptr<float>(), inputs).transposed(), inputs, outputs);
    kernels::dense::multiply(
        Product<float>{rows, matrix(input, inputs), &weight, sums, step(outputs), link.bias.data_ptr<float>(), 0});
  };
  const auto activate = [&] {
    if (link.unit->is_training() && link.unit->activation().spec().noise != Noise::none) {
      const at::Tensor key = torch_call::draw_key(link.weight);
      const auto* const words = key.data_ptr<std::int64_t>();
      kept.noise = {static_cast<std::uint64_t>(words[0]), static_cast<std::uint64_t>(words[1])};
    }
    Unit(link.unit, rows, outputs, sums, kept.noise).forward(out);
  };
  kept.result = at::Tensor();
  if (!announce) {
    multiply();
    if (link.unit) activate();
    return;
  }
  // With a graph, as in any training step.
  const torch::AutoGradMode with_gradients(true);
  const auto of = [&](const float* data, std::size_t columns) {
    return torch::from_blob(const_cast<float*>(data), {x_.size(0), static_cast<std::int64_t>(columns)});
  };
  const at::Tensor shown_input = of(input, inputs);
  const at::Tensor shown_sums = sums == output_.data_ptr<float>() ? output_ : of(sums, outputs);
  shown_.insert(shown_.end(), {shown_input, shown_sums});
  announced(linear_schema(), {shown_input, link.weight, link.bias}, shown_sums, multiply);
  if (!link.unit) return;
  kept.result = result_over(out, x_.size(0), static_cast<std::int64_t>(results_of(link)));
  announced(activation_schema(), arguments_of(link.unit, shown_sums), kept.result, activate);
}

void Chain::backward(const at::Tensor& gradient, const Witness& witness) {
  const torch::NoGradGuard no_gradients;
  TORCH_CHECK(x_.defined() && is_plain(gradient) && gradient.sizes() == output_.sizes(),
              "a chain goes back once after forward, with a gradient like its result");
  const std::size_t rows = extent(x_, 0);
  const float* arriving = gradient.data_ptr<float>();
  std::size_t unit = units_;
  for (std::size_t i = links_.size(); i-- > 0;) {
    // Not where the link behind it left what arrives here.
    float* const by_input = i == 0 ? nullptr : in_turn_[i % 2].of(rows * extent(links_[i].weight, 1));
    backward_link(links_[i], kept_[i], rows, arriving, by_input);
    arriving = by_input;
    if (!links_[i].unit) continue;
    --unit;
    if (!witness) continue;
    const auto view = [&](float* data) { return torch::from_blob(data, {x_.size(0), links_[i].weight.size(0)}); };
    witness(unit, view(kept_[i].sums.data()), view(by_sums_.data()));
  }
  x_ = output_ = at::Tensor();
  for (Kept& kept : kept_) kept.result = at::Tensor();
  for (auto link = links_.rbegin(); link != links_.rend(); ++link) {
    if (link->unit) {
      for (const at::Tensor& parameter : link->unit->parameter_tensors())
        if (parameter.defined() && parameter.requires_grad()) call_hooks(parameter);
    }
    call_hooks(link->weight);
    call_hooks(link->bias);
  }
}

void Chain::backward_link(const Link& link, const Kept& kept, std::size_t rows, const float* gradient,
                          float* by_input) {
  const std::size_t outputs = extent(link.weight, 0), inputs = extent(link.weight, 1);
  if (kept.result.defined()) {
    const auto columns = static_cast<std::int64_t>(results_of(link));
    models::call_hooks(kept.result, torch::from_blob(const_cast<float*>(gradient), {x_.size(0), columns}));
  }
  if (link.unit) {
    float* const by_sums = by_sums_.of(rows * outputs);
    Unit(link.unit, rows, outputs, kept.sums.data(), kept.noise).backward(gradient, by_sums);
    gradient = by_sums;
  }
  kernels::dense::column_sums(rows, outputs, gradient, step(outputs), link.bias.grad().data_ptr<float>());
  const auto input = Panels<float>::in_place(link.tamed ? kept.tamed.data() : kept.input, step(inputs), rows, inputs);
  kernels::dense::multiply(Product<float>{outputs, matrix(gradient, outputs).transposed(), &input,
                                          link.weight.grad().data_ptr<float>(), step(inputs), nullptr, 0});
  if (by_input == nullptr) return;
  const auto weight = Panels<float>::in_place(link.weight.data_ptr<float>(), step(inputs), outputs, inputs);
  kernels::dense::multiply(
      Product<float>{rows, matrix(gradient, outputs), &weight, by_input, step(inputs), nullptr, 0});
  if (link.tamed) {
    kernels::dense::over_root_mean_square_backward(rows, inputs, kept.input, kept.factors.data(), by_input, by_input);
  }
}

}  // namespace ogee::models

// The modules of ogee/torch_recurrent.h.
#include <cmath>
#include <utility>

#include "torch/apply.h"
#include "torch/gates.h"
#include "torch/initial_range.h"
#include "torch/recurrent/sequence.h"

namespace ogee::nn {
namespace {

using torch_call::recurrent::gate_names;
using torch_call::recurrent::name_of;

const char* name_of_module(Cell cell) {
  switch (cell) {
    case Cell::lstm: return "ogee::nn::LSTM";
    case Cell::gru: return "ogee::nn::GRU";
    default: return "ogee::nn::MGU";
  }
}

// The text of a gate's activation: its own, or what stands for all sigmoids or tanhs.
std::vector<std::string> texts_of(Cell cell, const RecurrentOptions& o) {
  const std::pair<const char*, const std::string*> given[] = {
      {"input_gate", &o.input_gate()},   {"forget_gate", &o.forget_gate()}, {"output_gate", &o.output_gate()},
      {"reset_gate", &o.reset_gate()},   {"update_gate", &o.update_gate()}, {"candidate", &o.candidate()},
      {"cell_output", &o.cell_output()},
  };
  const std::vector<std::string>& names = gate_names(cell);
  std::vector<std::string> texts(names.size());
  for (const auto& [name, text] : given) {
    const auto place = std::find(names.begin(), names.end(), name);
    TORCH_CHECK(text->empty() || place != names.end(), name_of_module(cell), ": has no ", name);
    if (place != names.end()) texts[static_cast<std::size_t>(place - names.begin())] = *text;
  }
  for (std::size_t k = 0; k < names.size(); ++k) {
    if (texts[k].empty()) texts[k] = names[k].ends_with("_gate") ? o.sigmoid() : o.tanh();
  }
  return texts;
}

std::string suffix(std::int64_t layer, bool reverse) {
  return "_l" + std::to_string(layer) + (reverse ? "_reverse" : "");
}

// From the generator that the current GeneratorGuard names, unlike at::dropout.
at::Tensor dropped(const at::Tensor& x, double rate) {
  if (rate >= 1) return x.mul(at::zeros_like(x));
  const at::Tensor kept =
      at::empty_like(x, x.options().requires_grad(false))
          .bernoulli_(1 - rate,
                      x.is_cpu() ? c10::optional<at::Generator>(torch_call::current_generator()) : c10::nullopt);
  return x.mul(kept.div_(1 - rate));
}

}  // namespace

template <class Derived>
RecurrentImplBase<Derived>::RecurrentImplBase(Cell cell, RecurrentOptions options_)
    : options(std::move(options_)), cell_(cell) {
  const char* name = name_of_module(cell);
  TORCH_CHECK(options.input_size() >= 1 && options.hidden_size() >= 1 && options.num_layers() >= 1, name,
              ": input_size, hidden_size and num_layers must be at least 1, not ", options.input_size(), ", ",
              options.hidden_size(), " and ", options.num_layers());
  TORCH_CHECK(options.dropout() >= 0 && options.dropout() <= 1, name, ": dropout must be in [0, 1], not ",
              options.dropout());
  TORCH_CHECK(!options.peephole() || cell == Cell::lstm, name, ": only an LSTM has peepholes");
  const std::vector<std::string> texts = texts_of(cell, options);
  for (std::size_t k = 0; k < texts.size(); ++k) {
    const std::string& gate = gate_names(cell)[k];
    activations_.emplace_back(texts[k]);
    const Spec& spec = activations_.back().spec();
    TORCH_CHECK(spec.inputs == 1, name, ": ", gate, ": ", spec.name, " takes two inputs; expected one");
    for (std::size_t i = 0; i < spec.parameters.size(); ++i) {
      if (spec.parameters[i].role != Role::learned) continue;
      const auto [low, high] = torch_call::initial_range(activations_.back(), i);
      learned_.push_back({gate + "_" + std::string(spec.parameters[i].name), low, high});
    }
  }
  reset();
}

template <class Derived>
void RecurrentImplBase<Derived>::reset() {
  const auto held = this->named_parameters(false);
  const auto make = [&](const std::string& name, std::vector<std::int64_t> sizes) {
    if (!held.contains(name)) this->register_parameter(name, torch::empty(sizes));
  };
  const std::int64_t units = options.hidden_size(), directions = options.bidirectional() ? 2 : 1;
  const std::int64_t rows = (cell_ == Cell::lstm ? 4 : cell_ == Cell::gru ? 3 : 2) * units;
  for (std::int64_t layer = 0; layer < options.num_layers(); ++layer) {
    for (std::int64_t d = 0; d < directions; ++d) {
      const std::string end = suffix(layer, d == 1);
      make("weight_ih" + end, {rows, layer == 0 ? options.input_size() : directions * units});
      make("weight_hh" + end, {rows, units});
      if (options.bias()) {
        make("bias_ih" + end, {rows});
        make("bias_hh" + end, {rows});
      }
      if (options.peephole()) make("weight_peephole" + end, {3, units});
      for (const Learned& p : learned_) make(p.name + end, {units});
    }
  }
  reset_parameters();
}

template <class Derived>
void RecurrentImplBase<Derived>::reset_parameters() {
  const torch::NoGradGuard no_grad;
  const double bound = 1 / std::sqrt(static_cast<double>(options.hidden_size()));
  for (auto& entry : this->named_parameters(false)) {
    double low = -bound, high = bound;
    for (const Learned& p : learned_) {
      if (entry.key().rfind(p.name + "_l", 0) == 0) {
        low = p.low;
        high = p.high;
      }
    }
    if (low < high) {
      entry.value().uniform_(low, high, torch_call::current_generator());
    } else {
      entry.value().fill_(low);
    }
  }
}

template <class Derived>
void RecurrentImplBase<Derived>::pretty_print(std::ostream& stream) const {
  stream << name_of_module(cell_) << "(" << options.input_size() << ", " << options.hidden_size();
  if (options.num_layers() > 1) stream << ", num_layers=" << options.num_layers();
  if (!options.bias()) stream << ", bias=false";
  if (options.batch_first()) stream << ", batch_first=true";
  if (options.dropout() > 0) stream << ", dropout=" << options.dropout();
  if (options.bidirectional()) stream << ", bidirectional=true";
  if (options.peephole()) stream << ", peephole=true";
  for (std::size_t k = 0; k < activations_.size(); ++k) {
    stream << ", " << gate_names(cell_)[k] << "=" << activations_[k].text();
  }
  stream << ")";
}

template <class Derived>
void RecurrentImplBase<Derived>::set(const std::string& parameter, double value) {
  torch_call::set_parameter(activations_, name_of_module(cell_), parameter, value);
}

template <class Derived>
RecurrentLayer RecurrentImplBase<Derived>::layer(std::size_t index) const {
  const std::size_t directions = options.bidirectional() ? 2 : 1;
  TORCH_CHECK(index < directions * static_cast<std::size_t>(options.num_layers()), name_of_module(cell_),
              ": has no layer ", index);
  RecurrentLayer layer;
  layer.reverse = index % directions == 1;
  const std::string end = suffix(static_cast<std::int64_t>(index / directions), layer.reverse);
  const auto held = this->named_parameters(false);
  const auto find = [&](const std::string& name) {
    const torch::Tensor* tensor = held.find(name + end);
    return tensor == nullptr ? torch::Tensor() : *tensor;
  };
  layer.cell = cell_;
  layer.activations = activations_;
  layer.weight_ih = find("weight_ih");
  layer.weight_hh = find("weight_hh");
  layer.bias_ih = find("bias_ih");
  layer.bias_hh = find("bias_hh");
  layer.peephole = find("weight_peephole");
  for (const Learned& p : learned_) layer.learned.push_back(find(p.name));
  layer.training = this->is_training();
  return layer;
}

template <class Derived>
auto RecurrentImplBase<Derived>::run(const torch::Tensor& x, const torch::Tensor& h, const torch::Tensor& c) -> States {
  const char* name = name_of_module(cell_);
  TORCH_CHECK(x.defined() && (x.dim() == 2 || x.dim() == 3), name, ": x must have 2 or 3 dimensions",
              x.defined() ? ", not " + std::to_string(x.dim()) : std::string(", but is undefined"));
  TORCH_CHECK(x.size(-1) == options.input_size(), name, ": the last dimension of x must be ", options.input_size(),
              ", but its shape is ", x.sizes());
  const bool batched = x.dim() == 3;
  torch::Tensor y = !batched ? x.unsqueeze(1) : options.batch_first() ? x.transpose(0, 1) : x;
  const std::size_t directions = options.bidirectional() ? 2 : 1;
  const std::size_t count = directions * static_cast<std::size_t>(options.num_layers());
  const auto states = [&](const torch::Tensor& given, const char* what) {
    std::vector<torch::Tensor> each(count);
    if (!given.defined()) return each;
    std::vector<std::int64_t> sizes{static_cast<std::int64_t>(count), y.size(1), options.hidden_size()};
    if (!batched) sizes.erase(sizes.begin() + 1);
    TORCH_CHECK(given.sizes() == at::IntArrayRef(sizes), name, ": ", what, " has shape ", given.sizes(), "; expected ",
                at::IntArrayRef(sizes));
    return (batched ? given : given.unsqueeze(1)).unbind(0);
  };
  const std::vector<torch::Tensor> h_first = states(h, "h"), c_first = states(c, "c");
  std::vector<torch::Tensor> h_last, c_last;
  for (std::size_t i = 0; i < count; i += directions) {
    if (i > 0 && options.dropout() > 0 && this->is_training()) y = dropped(y, options.dropout());
    std::vector<torch::Tensor> both;
    for (std::size_t d = 0; d < directions; ++d) {
      const RecurrentOutput out = recurrent(layer(i + d), y, h_first[i + d], c_first[i + d]);
      both.push_back(out.y);
      h_last.push_back(out.h);
      c_last.push_back(out.c);
    }
    y = directions == 1 ? both[0] : torch::cat(both, 2);
  }
  const auto stacked = [&](const std::vector<torch::Tensor>& all) {
    const torch::Tensor t = torch::stack(all);
    return batched ? t : t.squeeze(1);
  };
  if (!batched) {
    y = y.squeeze(1);
  } else if (options.batch_first()) {
    y = y.transpose(0, 1);
  }
  return {y, stacked(h_last), cell_ == Cell::lstm ? stacked(c_last) : torch::Tensor()};
}

template class RecurrentImplBase<LSTMImpl>;
template class RecurrentImplBase<GRUImpl>;
template class RecurrentImplBase<MGUImpl>;

std::tuple<torch::Tensor, LSTMState> LSTMImpl::forward(const torch::Tensor& x, torch::optional<LSTMState> state) {
  torch::Tensor h, c;
  if (state.has_value()) std::tie(h, c) = *state;
  const States out = run(x, h, c);
  return {out.y, {out.h, out.c}};
}
std::tuple<torch::Tensor, torch::Tensor> GRUImpl::forward(const torch::Tensor& x, const torch::Tensor& h) {
  const States out = run(x, h, {});
  return {out.y, out.h};
}
std::tuple<torch::Tensor, torch::Tensor> MGUImpl::forward(const torch::Tensor& x, const torch::Tensor& h) {
  const States out = run(x, h, {});
  return {out.y, out.h};
}

}  // namespace ogee::nn

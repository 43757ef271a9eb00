// The modules of ogee/torch_attention.h.
#include <cmath>
#include <utility>

#include "torch/apply.h"
#include "torch/gates.h"
#include "torch/initial_range.h"
#include "torch/attention/decode.h"

namespace ogee::nn {
namespace {

constexpr const char* encoder_name = "ogee::nn::AttentionEncoder";
constexpr const char* decoder_name = "ogee::nn::AttentionDecoder";

}  // namespace

AttentionEncoderImpl::AttentionEncoderImpl(AttentionEncoderOptions how) : options(std::move(how)) { reset(); }

void AttentionEncoderImpl::reset() {
  const GRUOptions each =
      GRUOptions(options.input_size(), options.hidden_size()).sigmoid(options.sigmoid()).tanh(options.tanh());
  forward_gru = register_module("forward_gru", GRU(each));
  backward_gru = register_module("backward_gru", GRU(each));
}

void AttentionEncoderImpl::pretty_print(std::ostream& stream) const {
  stream << encoder_name << "(" << options.input_size() << ", " << options.hidden_size()
         << ", sigmoid=" << options.sigmoid() << ", tanh=" << options.tanh() << ")";
}

void AttentionEncoderImpl::set(const std::string& parameter, double value) {
  forward_gru->set(parameter, value);
  backward_gru->set(parameter, value);
}

torch::Tensor AttentionEncoderImpl::forward(const torch::Tensor& x, const torch::Tensor& lengths) {
  TORCH_CHECK(x.defined() && x.dim() == 3, encoder_name, ": x must have 3 dimensions");
  const torch::Tensor there = std::get<0>(forward_gru->forward(x));
  const torch::Tensor back = reverse_padded(std::get<0>(backward_gru->forward(reverse_padded(x, lengths))), lengths);
  const torch::Tensor own = at::arange(x.size(0), lengths.options()).unsqueeze(1).lt(lengths).to(x.device());
  return torch::cat({there, back}, 2).mul(own.unsqueeze(2));
}

AttentionDecoderImpl::AttentionDecoderImpl(AttentionDecoderOptions how) : options(std::move(how)) {
  for (const auto& [what, size] : {std::pair("input_size", options.input_size()),
                                   {"hidden_size", options.hidden_size()},
                                   {"memory_size", options.memory_size()}})
    TORCH_CHECK(size >= 1, decoder_name, ": ", what, " must be at least 1, not ", size);
  TORCH_CHECK(options.attention_size() >= 0, decoder_name, ": attention_size must be at least 0, not ",
              options.attention_size());
  TORCH_CHECK(options.cell() != Cell::mgu, decoder_name, ": the cell is an mgu; expected a gru or an lstm");
  for (const std::string& slot : torch_call::attention::slot_names(options.cell())) {
    activations_.emplace_back(slot.ends_with("_gate") ? options.sigmoid() : options.tanh());
    const Spec& spec = activations_.back().spec();
    TORCH_CHECK(spec.inputs == 1, decoder_name, ": ", slot, ": ", spec.name, " takes two inputs; expected one");
    for (std::size_t i = 0; i < spec.parameters.size(); ++i) {
      if (spec.parameters[i].role != Role::learned) continue;
      const auto [low, high] = torch_call::initial_range(activations_.back(), i);
      learned_.push_back({slot + "_" + std::string(spec.parameters[i].name),
                          slot == "score" ? attention_size() : options.hidden_size(), low, high});
    }
  }
  reset();
}

std::int64_t AttentionDecoderImpl::attention_size() const {
  return options.attention_size() > 0 ? options.attention_size() : options.hidden_size();
}

void AttentionDecoderImpl::reset() {
  const auto there = named_parameters(false);
  const auto make = [&](const std::string& what, std::vector<std::int64_t> sizes) {
    if (!there.contains(what)) register_parameter(what, torch::empty(sizes));
  };
  const std::int64_t units = options.hidden_size(), size = attention_size(), wide = gates() * units;
  make("weight_ih", {wide, options.input_size()});
  make("weight_ch", {wide, options.memory_size()});
  make("weight_hh", {wide, units});
  make("bias_ih", {wide});
  make("bias_hh", {wide});
  make("weight_query", {size, units});
  make("weight_key", {size, options.memory_size()});
  make("bias_key", {size});
  make("weight_score", {size});
  for (const Learned& p : learned_) make(p.name, {p.size});
  reset_parameters();
}

void AttentionDecoderImpl::reset_parameters() {
  const torch::NoGradGuard no_grad;
  const at::Generator random = torch_call::current_generator();
  const double bound = 1 / std::sqrt(static_cast<double>(options.hidden_size()));
  for (auto& entry : named_parameters(false)) {
    double low = -bound, high = bound;
    for (const Learned& p : learned_)
      if (entry.key() == p.name) std::tie(low, high) = std::pair(p.low, p.high);
    if (low < high)
      entry.value().uniform_(low, high, random);
    else
      entry.value().fill_(low);
  }
}

void AttentionDecoderImpl::pretty_print(std::ostream& stream) const {
  stream << decoder_name << "(" << (gates() == 4 ? "lstm, " : "gru, ") << options.input_size() << ", "
         << options.hidden_size() << ", " << options.memory_size() << ", attention_size=" << attention_size();
  const std::vector<std::string>& names = torch_call::attention::slot_names(options.cell());
  for (std::size_t k = 0; k < names.size(); ++k) stream << ", " << names[k] << "=" << activations_[k].text();
  stream << ")";
}

void AttentionDecoderImpl::set(const std::string& parameter, double value) {
  torch_call::set_parameter(activations_, decoder_name, parameter, value);
}

torch::Tensor AttentionDecoderImpl::held(const std::string& what) const { return named_parameters(false)[what]; }

AttentionLayer AttentionDecoderImpl::layer() const {
  AttentionLayer layer;
  layer.cell = options.cell();
  layer.activations = activations_;
  layer.weight_hh = held("weight_hh");
  layer.bias_hh = held("bias_hh");
  layer.weight_query = held("weight_query");
  layer.weight_score = held("weight_score");
  for (const Learned& p : learned_) layer.learned.push_back(held(p.name));
  layer.training = is_training();
  return layer;
}

AttentionSource AttentionDecoderImpl::source(const torch::Tensor& memory, const torch::Tensor& lengths) const {
  TORCH_CHECK(memory.defined() && memory.dim() == 3 && memory.size(2) == options.memory_size(), decoder_name,
              ": memory must have the shape [places, batch, ", options.memory_size(), "]",
              memory.defined() ? c10::str(", not ", memory.sizes()) : std::string(", but is undefined"));
  const torch::Tensor places = memory.transpose(0, 1);
  return {at::linear(places, held("weight_key"), held("bias_key")), at::linear(places, held("weight_ch")), lengths};
}

AttentionDecoded AttentionDecoderImpl::forward(const torch::Tensor& x, const torch::Tensor& memory,
                                               const torch::Tensor& lengths, const torch::Tensor& h,
                                               const torch::Tensor& c) {
  TORCH_CHECK(x.defined() && x.dim() == 3 && x.size(2) == options.input_size(), decoder_name,
              ": x must have the shape [time, batch, ", options.input_size(), "]",
              x.defined() ? c10::str(", not ", x.sizes()) : std::string(", but is undefined"));
  const torch::Tensor first =
      h.defined() ? h : at::zeros({x.size(1), options.hidden_size()}, x.options().requires_grad(false));
  const AttentionOutput out =
      attend(layer(), at::linear(x, held("weight_ih"), held("bias_ih")), first, source(memory, lengths), c);
  // All steps' contexts are one product an example.
  const torch::Tensor contexts = at::bmm(out.weights.transpose(0, 1), memory.transpose(0, 1)).transpose(0, 1);
  return {out.y, contexts, out.weights, out.c};
}

}  // namespace ogee::nn

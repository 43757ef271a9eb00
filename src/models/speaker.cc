#include "models/speaker.h"

#include <cmath>

#include "data/subwords.h"
#include "models/beam.h"
#include "torch/apply.h"

namespace ogee::models {

using data::Subwords;

Speaker::Speaker(const Settings& settings, const data::Dataset& data, at::Generator random)
    : Network(settings, std::move(random)),
      units_(settings.width),
      embedded_(settings.attention.embedding > 0 ? settings.attention.embedding : settings.width),
      source_tokens_(data.source_tokens),
      all_gates_(settings.all_gates),
      lstm_(settings.attention.lstm),
      size_(settings.attention.size > 0 ? settings.attention.size : settings.width),
      beam_(settings.attention.beam),
      dropout_(settings.attention.dropout),
      coverage_(settings.attention.coverage) {
  if (all_gates_) functions_ = gate_functions(settings.activation);
}

void Speaker::add_words(const data::Dataset& data) {
  words_ = weights("target_embedding", {data.outputs(), embedded_}, 1);
}

void Speaker::add_speaker(std::int64_t memory, std::int64_t summary) {
  const std::int64_t states = lstm_ ? 2 * units_ : units_, wide = (lstm_ ? 4 : 3) * units_;
  first_ = map("first", {states, summary}, gain_);
  first_layer_ = add_unit("first", false, states);
  speaker_ = unit("decoder", embedded_, lstm_);
  look_ = weights("decoder_context", {wide, memory}, std::sqrt(1.0 / 3) * gain_);
  query_ = weights("query", {size_, units_}, std::sqrt(0.5) * gain_);
  key_ = map("key", {size_, memory}, std::sqrt(0.5) * gain_);
  score_ = weights("score", {1, size_}, gain_);
  score_layer_ = add_unit("score", false, size_);
  readout_ = map("readout", {embedded_, units_ + memory + embedded_}, gain_);
  readout_layer_ = add_unit("readout", false, embedded_);
  output_bias_ = register_parameter("output_bias", torch::zeros({words_.size(0)}));
}

at::Tensor Speaker::forward(at::Tensor x) {
  const at::Tensor target = x.narrow(1, source_tokens_, x.size(1) - source_tokens_);
  const at::Tensor asked = target.ne(Subwords::padding);
  const std::int64_t steps = asked.sum(1).max().item<std::int64_t>();
  Ready states = ready(see(x));
  const at::Tensor e = embed(words_, target.narrow(1, 0, steps).t());  // [steps, n, embedded]
  at::Tensor looked;
  const at::Tensor y = say(e, states, &looked);
  end_steps();
  penalty_ = at::Tensor();
  if (coverage_ > 0 && is_training() && !recording) {
    const at::Tensor own = asked.narrow(1, 0, steps).t().to(looked.scalar_type());
    penalty_ = (1 - (looked * own.unsqueeze(2)).sum(0)).square().sum() * coverage_ / own.sum();
  }
  return at::linear(y.transpose(0, 1), words_, output_bias_);
}

at::Tensor Speaker::generate(at::Tensor x) {
  const Seen seen = see(x);
  Ready states = ready(seen);
  Beam beam;
  beam.width = beam_;
  beam.longest = seen.longest;
  beam.begin = Subwords::begin;
  beam.end = Subwords::end;
  beam.padding = Subwords::padding;
  for (at::Tensor* state : {&states.h, &states.c})
    if (state->defined()) *state = state->repeat_interleave(beam_, 0);
  const at::Device device = x.device();
  const auto next = [&](const at::Tensor& tokens, const at::Tensor& from) {
    for (at::Tensor* state : {&states.h, &states.c})
      if (state->defined()) *state = state->index_select(0, from.to(device));
    const at::Tensor y = say(embed(words_, tokens.to(device).unsqueeze(0)), states);
    return at::log_softmax(at::linear(y.squeeze(0), words_, output_bias_), 1);
  };
  return beam_search(x.size(0), beam, next);
}

std::size_t Speaker::add_unit(const std::string& name, bool gate, std::int64_t units) {
  if (all_gates_)
    add_gate(name, gate ? functions_.sigmoid : functions_.tanh, units);
  else if (!gate)
    add_layer(name, units);
  else
    return none;
  return layers.size() - 1;
}

Speaker::Unit Speaker::unit(const std::string& name, std::int64_t features, bool lstm) {
  Unit made;
  const double half = std::sqrt(0.5);
  const std::int64_t wide = (lstm ? 4 : 3) * units_;
  made.in = map(name + "_in", {wide, features}, half);
  made.recurrent = weights(name + "_recurrent", {wide, units_}, half * gain_);
  made.bias = register_parameter(name + "_recurrent_bias", torch::zeros({wide}));
  const std::vector<std::string> slots =
      lstm ? std::vector<std::string>{"_input_gate", "_forget_gate", "_candidate", "_output_gate", "_cell_output"}
           : std::vector<std::string>{"_reset_gate", "_update_gate", "_candidate"};
  for (const std::string& slot : slots) made.layers.push_back(add_unit(name + slot, slot.ends_with("_gate"), units_));
  return made;
}

at::Tensor Speaker::dropped(const at::Tensor& x) const {
  if (dropout_ <= 0 || !is_training() || recording) return x;
  const at::Tensor kept = at::empty_like(x, x.options().requires_grad(false));
  // From the generator of the run, unlike at::dropout.
  kept.bernoulli_(1 - dropout_,
                  x.is_cpu() ? c10::optional<at::Generator>(torch_call::current_generator()) : c10::nullopt);
  return x.mul(kept.div_(1 - dropout_));
}
at::Tensor Speaker::embed(const at::Tensor& all, const at::Tensor& tokens) const {
  return dropped(at::embedding(all, tokens).mul(std::sqrt(static_cast<double>(embedded_))));
}
at::Tensor Speaker::act(std::size_t layer, const at::Tensor& z) {
  return layer == none ? at::sigmoid(z) : activate_step(layer, z);
}

at::Tensor Speaker::step(const Unit& cell, const at::Tensor& x, const at::Tensor& h, at::Tensor* c) {
  const at::Tensor from_h = at::linear(h, cell.recurrent, cell.bias);
  if (c != nullptr) {
    const std::vector<at::Tensor> a = (x + from_h).chunk(4, 1);
    const at::Tensor in = act(cell.layers[0], a[0]), kept = act(cell.layers[1], a[1]);
    *c = kept * *c + in * act(cell.layers[2], a[2]);
    const at::Tensor out = act(cell.layers[3], a[3]);
    return out * act(cell.layers[4], *c);
  }
  const std::vector<at::Tensor> a = x.chunk(3, 1), b = from_h.chunk(3, 1);
  const at::Tensor reset = act(cell.layers[0], a[0] + b[0]), update = act(cell.layers[1], a[1] + b[1]);
  const at::Tensor n = act(cell.layers[2], a[2] + reset * b[2]);
  return n + update * (h - n);
}

Speaker::Ready Speaker::ready(const Seen& seen) {
  Ready result;
  result.memory = seen.memory;
  result.source.keys = at::linear(seen.memory, key_.weight, key_.bias);
  result.source.values = at::linear(seen.memory, look_);
  result.source.lengths = seen.lengths;
  const at::Tensor first = act(first_layer_, at::linear(seen.summary, first_.weight, first_.bias));
  result.h = first.narrow(1, 0, units_);
  if (lstm_) result.c = first.narrow(1, units_, units_);
  return result;
}

at::Tensor Speaker::say(const at::Tensor& e, Ready& states, at::Tensor* weights) {
  const at::Tensor x = at::linear(e, speaker_.in.weight, speaker_.in.bias);
  AttentionOutput out;
  if (recording) {
    out = say_slowly(x, states);
  } else {
    AttentionLayer layer;
    layer.cell = lstm_ ? Cell::lstm : Cell::gru;
    layer.weight_hh = speaker_.recurrent;
    layer.bias_hh = speaker_.bias;
    layer.weight_query = query_;
    layer.weight_score = score_.select(0, 0);
    std::vector<std::size_t> slots = speaker_.layers;
    slots.push_back(score_layer_);
    put_units(slots, layer);
    out = ogee::attend(layer, x, states.h, states.source, states.c);
  }
  states.h = out.y.select(0, out.y.size(0) - 1);
  states.c = out.c;
  if (weights != nullptr) *weights = out.weights;
  // [sources, steps*queries, places] x [sources, places, numbers].
  const std::int64_t steps = out.y.size(0), rows = out.y.size(1), n = states.memory.size(0),
                     places = states.memory.size(1), numbers = states.memory.size(2);
  const at::Tensor looks = out.weights.view({steps, n, rows / n, places}).transpose(0, 1).flatten(1, 2);
  const at::Tensor contexts =
      at::bmm(looks, states.memory).view({n, steps, rows / n, numbers}).transpose(0, 1).reshape({steps, rows, numbers});
  const at::Tensor seen = at::cat({out.y, contexts, e}, 2).flatten(0, 1);
  const at::Tensor z = at::linear(seen, readout_.weight, readout_.bias);
  return dropped(act(readout_layer_, z)).view({steps, rows, embedded_});
}

// The same as ogee::attend, while somebody looks.
AttentionOutput Speaker::say_slowly(const at::Tensor& x, const Ready& states) {
  const AttentionSource& source = states.source;
  const at::Tensor places = at::arange(source.keys.size(1), source.lengths.options());
  const at::Tensor beyond = places.unsqueeze(0).ge(source.lengths.unsqueeze(1)).to(x.device());
  at::Tensor h = states.h, c = states.c;
  std::vector<at::Tensor> all, looks;
  for (const at::Tensor& input : x.unbind(0)) {
    const at::Tensor seen = source.keys + at::linear(h, query_).unsqueeze(1);
    const at::Tensor fit = act(score_layer_, seen.flatten(0, 1)).matmul(score_.select(0, 0)).view(beyond.sizes());
    const at::Tensor w = at::softmax(fit.masked_fill(beyond, -1e30), 1);
    h = step(speaker_, input + w.unsqueeze(1).matmul(source.values).squeeze(1), h, lstm_ ? &c : nullptr);
    all.push_back(h);
    looks.push_back(w);
  }
  return {at::stack(all), at::stack(looks), c};
}

}  // namespace ogee::models

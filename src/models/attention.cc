// An encoder and a decoder with attention (Bahdanau, Cho, Bengio 2015, 1409.0473), for translation: `depth` layers of
// GRUs in both directions read the source, `width` units each; a GRU of as many says the target, and looks at the
// source before every token (ogee/torch_attention.h). The activations compared stand in the place of every tanh: of
// candidates, of the score of attention, of the map to the first state, and of the layer before the output; with
// gates=all also, as their kin (gates.h), in the place of every sigmoid, as Gulcehre et al. (2016) have it.
//
//   first state = phi(W first of the backward layer);  readout = phi(V [state, what it looked at, token before])
//   output = E readout + b, with E the target's embedding
//
// dropout takes numbers of the embeddings, of what the encoder's layers hand on, and of the readout.
#include <algorithm>
#include <cmath>

#include "data/subwords.h"
#include "models/beam.h"
#include "models/gates.h"
#include "models/network.h"
#include "ogee/torch_attention.h"
#include "torch/apply.h"

namespace ogee::models {
namespace {

using data::Subwords;

class Attention : public Network {
 public:
  Attention(const Settings& settings, const data::Dataset& data, at::Generator random)
      : Network(settings, std::move(random)),
        all_gates_(settings.all_gates),
        units_(settings.width),
        embedded_(settings.attention.embedding > 0 ? settings.attention.embedding : settings.width),
        size_(settings.attention.size > 0 ? settings.attention.size : settings.width),
        source_tokens_(data.source_tokens),
        longest_(data.shape[0] - data.source_tokens),
        beam_(settings.attention.beam),
        dropout_(settings.attention.dropout) {
    if (all_gates_) functions_ = gate_functions(settings.activation);
    from_ = weights("source_embedding", {data.subwords[0]->size(), embedded_}, 1);
    to_ = weights("target_embedding", {data.outputs(), embedded_}, 1);
    std::int64_t features = embedded_;
    for (std::int64_t i = 0; i < settings.depth; ++i, features = 2 * units_)
      for (const char* direction : {"forward", "backward"})
        readers_.push_back(gru("encoder" + std::to_string(i + 1) + "_" + direction, features));
    first_ = map("first", {units_, units_}, gain_);
    first_layer_ = add_unit("first", false, units_);
    speaker_ = gru("decoder", embedded_);
    const double third = std::sqrt(1.0 / 3);
    look_ = weights("decoder_context", {3 * units_, 2 * units_}, third * gain_);
    query_ = weights("query", {size_, units_}, std::sqrt(0.5) * gain_);
    key_ = map("key", {size_, 2 * units_}, std::sqrt(0.5) * gain_);
    score_ = weights("score", {1, size_}, gain_);
    score_layer_ = add_unit("score", false, size_);
    readout_ = map("readout", {embedded_, 3 * units_ + embedded_}, gain_);
    readout_layer_ = add_unit("readout", false, embedded_);
    output_bias_ = register_parameter("output_bias", torch::zeros({data.outputs()}));
  }

  // Shorter than the data's longest: as the longest of this batch.
  at::Tensor forward(at::Tensor x) override {
    const at::Tensor target = x.narrow(1, source_tokens_, x.size(1) - source_tokens_);
    const std::int64_t steps = target.ne(Subwords::padding).sum(1).max().item<std::int64_t>();
    const Read read = encode(x);
    const at::Tensor e = embed(to_, target.narrow(1, 0, steps).t());  // [steps, n, embedded]
    const at::Tensor y = say(e, read.first, read);
    end_steps();
    return at::linear(y.transpose(0, 1), to_, output_bias_);
  }

  at::Tensor generate(at::Tensor x) override {
    const Read read = encode(x);
    const std::int64_t n = x.size(0);
    Beam beam;
    beam.width = beam_;
    beam.longest = std::min(longest_ + 10, 2 * read.memory.size(1) + 10);
    beam.begin = Subwords::begin;
    beam.end = Subwords::end;
    beam.padding = Subwords::padding;
    at::Tensor h = read.first.repeat_interleave(beam_, 0);
    const at::Device device = x.device();
    const auto next = [&](const at::Tensor& tokens, const at::Tensor& from) {
      h = h.index_select(0, from.to(device));
      const at::Tensor y = say(embed(to_, tokens.to(device).unsqueeze(0)), h, read, &h);
      return at::log_softmax(at::linear(y.squeeze(0), to_, output_bias_), 1);
    };
    return beam_search(n, beam, next);
  }

 private:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  // The source, read: what there is to look at, and the state to begin with.
  struct Read {
    at::Tensor memory;  // [n, places, 2*units]
    AttentionSource source;
    at::Tensor first;
  };
  struct Gru {
    Map in;
    at::Tensor recurrent, bias;
    std::size_t layers[3];  // of Network::layers, or none: a plain sigmoid
  };

  std::size_t add_unit(const std::string& name, bool gate, std::int64_t units) {
    if (all_gates_)
      add_gate(name, gate ? functions_.sigmoid : functions_.tanh, units);
    else if (!gate)
      add_layer(name, units);
    else
      return none;
    return layers.size() - 1;
  }
  Gru gru(const std::string& name, std::int64_t features) {
    Gru made;
    const double half = std::sqrt(0.5);
    made.in = map(name + "_in", {3 * units_, features}, half);
    made.recurrent = weights(name + "_recurrent", {3 * units_, units_}, half * gain_);
    made.bias = register_parameter(name + "_recurrent_bias", torch::zeros({3 * units_}));
    made.layers[0] = add_unit(name + "_reset_gate", true, units_);
    made.layers[1] = add_unit(name + "_update_gate", true, units_);
    made.layers[2] = add_unit(name + "_candidate", false, units_);
    return made;
  }
  // The activations of some layers with their learned parameters, as ogee::recurrent and ogee::attend want them.
  template <class Layer>
  void put_units(const std::vector<std::size_t>& which, Layer& layer) const {
    for (const std::size_t k : which) {
      if (k == none) {
        layer.activations.emplace_back("sigmoid");
        continue;
      }
      const auto& unit = layers[k].unit;
      const auto& parameters = unit->activation().spec().parameters;
      layer.activations.push_back(unit->activation());
      for (std::size_t p = 0; p < parameters.size(); ++p)
        if (parameters[p].role == Role::learned) layer.learned.push_back(unit->parameter_tensors()[p]);
    }
    layer.training = is_training();
  }

  at::Tensor dropped(const at::Tensor& x) const {
    if (dropout_ <= 0 || !is_training() || recording) return x;
    const at::Tensor kept = at::empty_like(x, x.options().requires_grad(false));
    // From the generator of the run, unlike at::dropout.
    kept.bernoulli_(1 - dropout_,
                    x.is_cpu() ? c10::optional<at::Generator>(torch_call::current_generator()) : c10::nullopt);
    return x.mul(kept.div_(1 - dropout_));
  }
  at::Tensor embed(const at::Tensor& all, const at::Tensor& tokens) const {
    return dropped(at::embedding(all, tokens).mul(std::sqrt(static_cast<double>(embedded_))));
  }
  at::Tensor act(std::size_t layer, const at::Tensor& z) {
    return layer == none ? at::sigmoid(z) : activate_step(layer, z);
  }

  at::Tensor step(const Gru& cell, const at::Tensor& x, const at::Tensor& h) {
    const std::vector<at::Tensor> a = x.chunk(3, 1), b = at::linear(h, cell.recurrent, cell.bias).chunk(3, 1);
    const at::Tensor reset = act(cell.layers[0], a[0] + b[0]), update = act(cell.layers[1], a[1] + b[1]);
    const at::Tensor n = act(cell.layers[2], a[2] + reset * b[2]);
    return n + update * (h - n);
  }
  at::Tensor read(const Gru& cell, const at::Tensor& x) {
    if (!recording) {
      RecurrentLayer layer;
      layer.cell = Cell::gru;
      layer.weight_ih = cell.in.weight;
      layer.bias_ih = cell.in.bias;
      layer.weight_hh = cell.recurrent;
      layer.bias_hh = cell.bias;
      put_units({cell.layers[0], cell.layers[1], cell.layers[2]}, layer);
      return ogee::recurrent(layer, x).y;
    }
    at::Tensor h = torch::zeros({x.size(1), units_}, x.options().requires_grad(false));
    std::vector<at::Tensor> states;
    for (const at::Tensor& input : at::linear(x, cell.in.weight, cell.in.bias).unbind(0))
      states.push_back(h = step(cell, input, h));
    return at::stack(states);
  }

  Read encode(const at::Tensor& given) {
    const at::Tensor own = given.narrow(1, 0, source_tokens_);
    const at::Tensor lengths = own.ne(Subwords::padding).sum(1).cpu();
    at::Tensor x = embed(from_, own.narrow(1, 0, lengths.max().item<std::int64_t>()).t());  // [places, n, embedded]
    at::Tensor back;
    for (std::size_t i = 0; i < readers_.size(); i += 2) {
      if (i > 0) x = dropped(x);
      back = reverse_padded(read(readers_[i + 1], reverse_padded(x, lengths)), lengths);
      x = at::cat({read(readers_[i], x), back}, 2);
    }
    Read result;
    result.memory = x.transpose(0, 1).contiguous();
    result.source.keys = at::linear(result.memory, key_.weight, key_.bias);
    result.source.values = at::linear(result.memory, look_);
    result.source.lengths = lengths;
    result.first = act(first_layer_, at::linear(back.select(0, 0), first_.weight, first_.bias));
    return result;
  }

  // What comes before the output, [steps, rows, embedded], of tokens e with the state h before them; `after` gets the
  // last state.
  at::Tensor say(const at::Tensor& e, const at::Tensor& h, const Read& read, at::Tensor* after = nullptr) {
    const at::Tensor x = at::linear(e, speaker_.in.weight, speaker_.in.bias);
    AttentionOutput out;
    if (recording) {
      out = say_slowly(x, h, read);
    } else {
      AttentionLayer layer;
      layer.weight_hh = speaker_.recurrent;
      layer.bias_hh = speaker_.bias;
      layer.weight_query = query_;
      layer.weight_score = score_.select(0, 0);
      put_units({speaker_.layers[0], speaker_.layers[1], speaker_.layers[2], score_layer_}, layer);
      out = ogee::attend(layer, x, h, read.source);
    }
    if (after != nullptr) *after = out.y.select(0, out.y.size(0) - 1);
    // [sources, steps*queries, places] x [sources, places, 2*units].
    const std::int64_t steps = out.y.size(0), rows = out.y.size(1), n = read.memory.size(0),
                       places = read.memory.size(1);
    const at::Tensor weights = out.weights.view({steps, n, rows / n, places}).transpose(0, 1).flatten(1, 2);
    const at::Tensor contexts = at::bmm(weights, read.memory)
                                    .view({n, steps, rows / n, 2 * units_})
                                    .transpose(0, 1)
                                    .reshape({steps, rows, 2 * units_});
    const at::Tensor seen = at::cat({out.y, contexts, e}, 2).flatten(0, 1);
    const at::Tensor z = at::linear(seen, readout_.weight, readout_.bias);
    return dropped(act(readout_layer_, z)).view({steps, rows, embedded_});
  }
  // The same as ogee::attend, while somebody looks.
  AttentionOutput say_slowly(const at::Tensor& x, at::Tensor h, const Read& read) {
    const at::Tensor places = at::arange(read.source.keys.size(1), read.source.lengths.options());
    const at::Tensor beyond = places.unsqueeze(0).ge(read.source.lengths.unsqueeze(1)).to(x.device());
    std::vector<at::Tensor> states, looks;
    for (const at::Tensor& input : x.unbind(0)) {
      const at::Tensor seen = read.source.keys + at::linear(h, query_).unsqueeze(1);
      const at::Tensor fit = act(score_layer_, seen.flatten(0, 1)).matmul(score_.select(0, 0)).view(beyond.sizes());
      const at::Tensor w = at::softmax(fit.masked_fill(beyond, -1e30), 1);
      h = step(speaker_, input + w.unsqueeze(1).matmul(read.source.values).squeeze(1), h);
      states.push_back(h);
      looks.push_back(w);
    }
    return {at::stack(states), at::stack(looks)};
  }

  const bool all_gates_;
  const std::int64_t units_, embedded_, size_, source_tokens_, longest_, beam_;
  const double dropout_;
  GateFunctions functions_;
  at::Tensor from_, to_, look_, query_, score_, output_bias_;
  std::vector<Gru> readers_;
  Gru speaker_;
  Map first_, key_, readout_;
  std::size_t first_layer_ = none, score_layer_ = none, readout_layer_ = none;
};

}  // namespace

std::shared_ptr<Network> make_attention(const Settings& settings, const data::Dataset& data, at::Generator random) {
  return std::make_shared<Attention>(settings, data, std::move(random));
}

}  // namespace ogee::models

// What says a sentence about what it looks at, token by token: a GRU or an LSTM that attends to places before every
// token (ogee/torch_attention.h), and beam search. What the places are, each network says for itself: words of a
// sentence (attention.cc) or parts of a picture (captioner.cc).
//
//   first states = phi(W what the network found);  readout = phi(V [state, what it looked at, token before])
//   output = E readout + b, with E the tokens' embedding
//
// The activations compared stand in the place of every tanh: of candidates and cell outputs, of the score of attention,
// of the map to the first states, and of the layer before the output; with gates=all also, as their kin (gates.h), in
// the place of every sigmoid, as Gulcehre et al. (2016) have it. dropout takes numbers of the embeddings and of the
// readout.
#pragma once

#include <string>
#include <vector>

#include "models/gates.h"
#include "models/network.h"
#include "ogee/torch_attention.h"

namespace ogee::models {

class Speaker : public Network {
 public:
  // Shorter than the data's longest: as the longest of this batch.
  at::Tensor forward(at::Tensor x) override;
  at::Tensor generate(at::Tensor x) override;
  // Xu et al. (2015, 1502.03044), "doubly stochastic": coverage times the sum over places of (1 - how often each was
  // looked at)^2, a sentence's; here over the batch's tokens, as the loss is.
  at::Tensor penalty() const override { return penalty_; }

 protected:
  // What there is to look at, and what to begin with.
  struct Seen {
    at::Tensor memory;     // [n, places, numbers]
    at::Tensor lengths;    // [n], int64 on the CPU
    at::Tensor summary;    // [n, ...]: the first states are a map of it
    std::int64_t longest;  // tokens of what may be said of it
  };
  struct Unit {
    Map in;
    at::Tensor recurrent, bias;
    std::vector<std::size_t> layers;  // of Network::layers, or none: a plain sigmoid
  };
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  Speaker(const Settings& settings, const data::Dataset& data, at::Generator random);
  // Both once, in the constructor, before and behind what the network itself is made of. memory, summary: numbers of a
  // place, and of the summary.
  void add_words(const data::Dataset& data);
  void add_speaker(std::int64_t memory, std::int64_t summary);
  virtual Seen see(const at::Tensor& x) = 0;

  Unit gru(const std::string& name, std::int64_t features) { return unit(name, features, false); }
  // The activations of some layers with their learned parameters, as ogee::recurrent and ogee::attend want them.
  template <class Layer>
  void put_units(const std::vector<std::size_t>& which, Layer& layer) const {
    for (const std::size_t k : which) {
      if (k == none) {
        layer.activations.emplace_back("sigmoid");
        continue;
      }
      const auto& its = layers[k].unit;
      const auto& parameters = its->activation().spec().parameters;
      layer.activations.push_back(its->activation());
      for (std::size_t p = 0; p < parameters.size(); ++p)
        if (parameters[p].role == Role::learned) layer.learned.push_back(its->parameter_tensors()[p]);
    }
    layer.training = is_training();
  }
  at::Tensor dropped(const at::Tensor& x) const;
  at::Tensor embed(const at::Tensor& all, const at::Tensor& tokens) const;
  // A step of a GRU, or of an LSTM with its cell state c, while somebody looks.
  at::Tensor step(const Unit& cell, const at::Tensor& x, const at::Tensor& h, at::Tensor* c = nullptr);

  const std::int64_t units_, embedded_, source_tokens_;

 private:
  // The states before a step, and what is looked at, mapped once.
  struct Ready {
    at::Tensor memory, h, c;
    AttentionSource source;
  };
  std::size_t add_unit(const std::string& name, bool gate, std::int64_t units);
  Unit unit(const std::string& name, std::int64_t features, bool lstm);
  at::Tensor act(std::size_t layer, const at::Tensor& z);
  Ready ready(const Seen& seen);
  // What comes before the output, [steps, rows, embedded], of tokens e; `states` are moved on.
  at::Tensor say(const at::Tensor& e, Ready& states, at::Tensor* weights = nullptr);
  AttentionOutput say_slowly(const at::Tensor& x, const Ready& states);

  const bool all_gates_, lstm_;
  const std::int64_t size_, beam_;
  const double dropout_, coverage_;
  GateFunctions functions_;
  at::Tensor words_, look_, query_, score_, output_bias_, penalty_;
  Unit speaker_;
  Map first_, key_, readout_;
  std::size_t first_layer_ = none, score_layer_ = none, readout_layer_ = none;
};

}  // namespace ogee::models

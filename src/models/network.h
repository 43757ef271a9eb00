// A network built around one activation, and what the laboratory needs to see of it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ogee/libtorch.h"
#include "data/dataset.h"
#include "models/design.h"
#include "ogee/torch.h"

namespace ogee::models {

// Of a neural Turing machine (ntm.cc).
struct MemorySettings {
  std::int64_t locations = 128, width = 20;
  std::int64_t reads = 1, writes = 1;  // heads
  bool feedforward = false;            // its controller; else an lstm
};

// Of what says sentences with attention (speaker.h).
struct AttentionSettings {
  bool lstm = false;                     // the decoder's cell; else a gru
  std::int64_t embedding = 0, size = 0;  // numbers of a token, and of a key; 0: the width
  std::int64_t beam = 5;                 // the width of beam search
  double dropout = 0.2;
  double coverage = 0;        // captioner: what it weighs that every place be looked at about once
  std::int64_t channels = 0;  // captioner: of its first convolution; 0: 16
};

struct Settings {
  // mlp, convnet, resnet, lstm, gru, transformer, ntm, attention or captioner, with attributes: resnet(batch_norm=1),
  // transformer(heads=2), lstm(gates=all, head=mean), ntm(controller=feedforward, memory=128x20, reads=1, writes=1),
  // attention(gates=all, cell=gru, embedding=128, size=256, dropout=0.2, beam=5), captioner(the same, channels=16,
  // coverage=1). Empty: transformer for text, lstm for recall, attention for translation, captioner for captions, else
  // mlp.
  std::string model = "mlp";
  std::int64_t depth = 0, width = 0;  // 0: the model's own
  std::string activation = "relu";
  bool match_parameters = true;  // gated functions: as many parameters as the others have, else as many units
  bool per_channel = false;      // learned parameters: a set for each unit (of a convolution: each channel)
  // The attributes, which `resolve` reads from `model`.
  bool batch_norm = false;
  std::int64_t heads = 0;
  bool all_gates =
      false;  // lstm, gru, ntm, attention, captioner: the activation's kin stand for the sigmoids, too (gates.h)
  bool mean_head = false;  // lstm, gru: the answer comes from the mean over time, by way of a layer of relu units
  MemorySettings memory;
  AttentionSettings attention;
  std::shared_ptr<const Design> design = nullptr;  // where there is one, all the rest but the activation is its own
};

class Chain;

// mlp and convnet are plain deep stacks, without normalisation and residual connections, so that the activation has to
// do the work. Learned parameters: one set per layer, or per unit. Gated functions take the packed pre-activation, gate
// first. Outputs are [n, data.outputs()], of what asks at every step [n, steps, data.outputs()], of
// translation and captions for as many steps as the longest target of the batch has.
class Network : public torch::nn::Module {
 public:
  // An activation and the pre-activation that it saw last ([n, units], or [n, channels, height, width]; of sequences
  // [n*steps, units]), kept only while `recording`.
  struct Layer {
    nn::Activation unit = nullptr;
    at::Tensor z;
  };

  virtual at::Tensor forward(at::Tensor x) = 0;
  // Of translation and captions: what the network makes of the sources by itself, [n, tokens], int64, padding behind
  // the end; the targets in x are not looked at.
  virtual at::Tensor generate(at::Tensor x);
  // What the last forward pass in training adds to the loss, of the network's own; undefined: nothing.
  virtual at::Tensor penalty() const { return {}; }
  // The same network as a chain that is run by hand, where it is one. x is then [n, inputs].
  virtual Chain* chain() { return nullptr; }
  // From the input to the output.
  std::vector<Layer> layers;
  // Keeps pre-activations, and their gradients after backward.
  bool recording = false;

  std::int64_t parameter_count() const;

 protected:
  // One map of weights; `fan_in` numbers feed each output, which come out of something with `gain`.
  struct Map {
    at::Tensor weight, bias;
  };
  Network(const Settings& settings, at::Generator random);
  Network(std::string activation, at::Generator random);
  Map map(const std::string& name, at::IntArrayRef shape, double gain);
  // The weights alone.
  at::Tensor weights(const std::string& name, at::IntArrayRef shape, double gain);
  // `units` come out of it; of a convolution: channels.
  void add_layer(const std::string& name, std::int64_t units);
  // One of another activation, with a set of learned parameters for each unit; a noisy unit's p starts around 0.
  void add_gate(const std::string& name, const std::string& activation, std::int64_t units);
  at::Tensor activate(std::size_t layer, at::Tensor z);
  // The same of x through a map: in one operation where nobody looks between.
  at::Tensor activate_mapped(std::size_t layer, const at::Tensor& x, const Map& map);
  // The same for one step ([n, units]) of a layer that a forward pass goes through step by step; and, after the last
  // step, what makes one record of them all.
  at::Tensor activate_step(std::size_t layer, at::Tensor z);
  void end_steps();
  // What goes into every gated layer of a gated network but the first: x over its root mean square, example by example,
  // without parameters. A product of two inputs squares their scale, so that ten such layers in a row raise any
  // difference in scale between examples to its 1024th power; gated layers are used behind a normalisation everywhere,
  // and a comparison without it would only show that. Ungated networks are left as they are.
  at::Tensor tame(const at::Tensor& x) const;

  // [n, steps, features]: a series as it is, a picture row by row.
  static at::Tensor as_sequence(const at::Tensor& x);

  const Activation activation_;
  const double gain_;          // of the activation
  const std::int64_t packed_;  // how many inputs the activation takes

 private:
  bool per_channel_ = false;
  at::Generator random_;
  std::vector<std::vector<at::Tensor>> steps_;  // by layer, while recording
};

// The name in front of the attributes.
std::string name_of(const Settings& settings);
// Features of each step of a series, or of a picture's rows.
std::int64_t sequence_features(const data::Dataset& data);

// The sizes after defaults have been filled in; throws Error on an unknown model or one that does not fit the data.
Settings resolve(Settings settings, const data::Dataset& data);
// Throws Error where the model, resolved, cannot use the activation.
void check_activation(const Settings& settings);
// Weights are drawn from a generator of the seed alone: never the global one, as networks are built concurrently.
std::shared_ptr<Network> build(const Settings& settings, const data::Dataset& data, std::uint64_t seed);

// One file each.
std::shared_ptr<Network> make_mlp(const Settings& settings, const data::Dataset& data, at::Generator random);
std::shared_ptr<Network> make_convnet(const Settings& settings, const data::Dataset& data, at::Generator random);
std::shared_ptr<Network> make_resnet(const Settings& settings, const data::Dataset& data, at::Generator random);
std::shared_ptr<Network> make_lstm(const Settings& settings, const data::Dataset& data, at::Generator random);
std::shared_ptr<Network> make_gru(const Settings& settings, const data::Dataset& data, at::Generator random);
std::shared_ptr<Network> make_transformer(const Settings& settings, const data::Dataset& data, at::Generator random);
std::shared_ptr<Network> make_attention(const Settings& settings, const data::Dataset& data, at::Generator random);
std::shared_ptr<Network> make_captioner(const Settings& settings, const data::Dataset& data, at::Generator random);
std::shared_ptr<Network> make_ntm(const Settings& settings, const data::Dataset& data, at::Generator random);

}  // namespace ogee::models

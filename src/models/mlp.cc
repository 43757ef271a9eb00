// `depth` hidden layers of `width`: x -> (linear, activation) * depth -> linear.
//
// A gated function replaces hidden layers in pairs by a gated feed-forward block, linear(width -> 2h), gate,
// linear(h -> width), as in transformers (Shazeer 2020): as many weight layers one after another, and h = 2/3 width for
// equal parameters. An odd hidden layer left over becomes linear(-> 2h), gate. h is then chosen so that the whole
// network's parameter count is the nearest to the ungated one's.
#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "models/announce.h"
#include "models/chain.h"
#include "models/network.h"

namespace ogee::models {
namespace {

std::int64_t plain_count(std::int64_t inputs, std::int64_t depth, std::int64_t width, std::int64_t outputs) {
  return (inputs + 1) * width + (depth - 1) * (width + 1) * width + (width + 1) * outputs;
}

std::int64_t gated_count(std::int64_t inputs, std::int64_t depth, std::int64_t width, std::int64_t outputs,
                         std::int64_t hidden) {
  std::int64_t count = 0, in = inputs;
  for (; depth >= 2; depth -= 2, in = width) count += (in + 1) * 2 * hidden + (hidden + 1) * width;
  if (depth == 1) count += (in + 1) * 2 * hidden, in = hidden;
  return count + (in + 1) * outputs;
}

std::int64_t matched_hidden(std::int64_t inputs, std::int64_t depth, std::int64_t width, std::int64_t outputs) {
  const std::int64_t wanted = plain_count(inputs, depth, width, outputs);
  const auto miss = [&](std::int64_t h) { return std::abs(gated_count(inputs, depth, width, outputs, h) - wanted); };
  std::int64_t best = 1;
  for (std::int64_t h = 2; h <= width; ++h)
    if (miss(h) < miss(best)) best = h;
  return best;
}

class Mlp : public Network {
 public:
  Mlp(const Settings& settings, const data::Dataset& data, at::Generator random)
      : Network(settings, std::move(random)) {
    std::int64_t in = 1;
    for (const auto size : data.shape) in *= size;
    double gain = 1;  // inputs are standardised
    const auto layer = [&](std::int64_t outputs) {
      const std::string name = "hidden" + std::to_string(layers.size() + 1);
      steps_.push_back({map(name, {packed_ * outputs, in}, gain), true});
      add_layer(name, outputs);
      in = outputs;
      gain = gain_;
    };
    const auto project = [&](const std::string& name, std::int64_t outputs) {
      steps_.push_back({map(name, {outputs, in}, gain), false});
      in = outputs;
      gain = 1;
    };
    if (packed_ == 1) {
      for (std::int64_t i = 0; i < settings.depth; ++i) layer(settings.width);
    } else {
      const std::int64_t hidden = settings.match_parameters
                                      ? matched_hidden(in, settings.depth, settings.width, data.outputs())
                                      : settings.width;
      for (std::int64_t left = settings.depth; left > 0; left -= 2) {
        layer(hidden);
        if (left > 1) project("project" + std::to_string(layers.size()), settings.width);
      }
    }
    project("output", data.outputs());
    for (std::size_t next = 0; const Step& step : steps_) {
      const bool tamed = step.activated && next > 0 && packed_ > 1;
      chain_.add({step.map.weight, step.map.bias, step.activated ? layers[next++].unit : nullptr, tamed});
    }
  }

  at::Tensor forward(at::Tensor x) override {
    x = x.flatten(1);
    if (!recording && !at::GradMode::is_enabled() && !observed() && chain_.runs(x)) return chain_.forward(x, false);
    std::size_t next = 0;
    for (const Step& step : steps_) {
      if (step.activated && next > 0) x = tame(x);
      x = step.activated ? activate_mapped(next++, x, step.map) : at::linear(x, step.map.weight, step.map.bias);
    }
    return x;
  }
  Chain* chain() override { return &chain_; }

 private:
  struct Step {
    Map map;
    bool activated;
  };
  std::vector<Step> steps_;
  Chain chain_;
};

}  // namespace

std::shared_ptr<Network> make_mlp(const Settings& settings, const data::Dataset& data, at::Generator random) {
  return std::make_shared<Mlp>(settings, data, std::move(random));
}

}  // namespace ogee::models

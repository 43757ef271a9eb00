// `depth` stages of (3x3 convolution, activation, 2x2 max pooling while the picture is at least 4 wide), of `width`,
// 2*width, 4*width... channels up to 8*width, then linear(4*width), activation, linear.
//
// A gated function has each of these layers produce twice as many channels, of which the gate makes half, all layers
// narrowed by one factor so that the parameter count matches; the linear layer, whose steps are finest, takes up what
// rounding leaves. All but the first normalise their input (Network::tame).
#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "models/network.h"

namespace ogee::models {
namespace {

struct Sizes {
  std::vector<std::int64_t> channels;
  std::int64_t hidden;
};

class Shape {
 public:
  Shape(const Settings& settings, const data::Dataset& data)
      : inputs_(data.shape[0]), outputs_(data.outputs()), height_(data.shape[1]), width_(data.shape[2]) {
    for (std::int64_t i = 0; i < settings.depth; ++i) {
      plain_.channels.push_back(settings.width << std::min<std::int64_t>(i, 3));
      pooled_.push_back(std::min(height_, width_) >= 4);
      if (pooled_.back()) height_ /= 2, width_ /= 2;
    }
    plain_.hidden = 4 * settings.width;
  }

  std::int64_t pixels() const { return height_ * width_; }
  bool pooled(std::size_t stage) const { return pooled_[stage]; }
  const Sizes& plain() const { return plain_; }

  std::int64_t count(const Sizes& sizes, std::int64_t packed) const {
    std::int64_t total = 0, in = inputs_;
    for (const auto channels : sizes.channels) total += (9 * in + 1) * packed * channels, in = channels;
    return total + (in * pixels() + 1) * packed * sizes.hidden + (sizes.hidden + 1) * outputs_;
  }

  Sizes gated() const {
    const std::int64_t wanted = count(plain_, 1);
    Sizes best;
    std::int64_t least = -1;
    // Around 1/sqrt(2), what halves the product of two widths: what a stack of square layers needs.
    for (double factor = 0.5; factor <= 1; factor += 0.02) {
      Sizes sizes;
      for (const auto channels : plain_.channels)
        sizes.channels.push_back(std::max<std::int64_t>(1, std::lround(factor * static_cast<double>(channels))));
      sizes.hidden = std::max<std::int64_t>(1, std::lround(factor * static_cast<double>(plain_.hidden)));
      const std::int64_t each = 2 * (sizes.channels.back() * pixels() + 1) + outputs_;
      sizes.hidden = std::max(sizes.hidden / 2 + 1, sizes.hidden + (wanted - count(sizes, 2)) / each);
      const double drift = std::abs(static_cast<double>(sizes.hidden) / static_cast<double>(plain_.hidden) - factor);
      // The count comes first, but not at the price of a linear layer out of proportion.
      const auto miss = std::abs(count(sizes, 2) - wanted) + std::lround(drift * 0.05 * static_cast<double>(wanted));
      if (least < 0 || miss < least) least = miss, best = sizes;
    }
    return best;
  }

 private:
  std::int64_t inputs_, outputs_, height_, width_;
  std::vector<bool> pooled_;
  Sizes plain_;
};

class Convnet : public Network {
 public:
  Convnet(const Settings& settings, const data::Dataset& data, at::Generator random)
      : Network(settings, std::move(random)), shape_(settings, data) {
    const Sizes sizes = packed_ == 1 || !settings.match_parameters ? shape_.plain() : shape_.gated();
    std::int64_t in = data.shape[0];
    double gain = 1;  // inputs are standardised
    for (const auto channels : sizes.channels) {
      const std::string name = "conv" + std::to_string(layers.size() + 1);
      maps_.push_back(map(name, {packed_ * channels, in, 3, 3}, gain));
      add_layer(name, channels);
      in = channels;
      gain = gain_;
    }
    maps_.push_back(map("hidden", {packed_ * sizes.hidden, in * shape_.pixels()}, gain_));
    add_layer("hidden", sizes.hidden);
    maps_.push_back(map("output", {data.outputs(), sizes.hidden}, gain_));
  }

  at::Tensor forward(at::Tensor x) override {
    const std::size_t stages = maps_.size() - 2;
    for (std::size_t i = 0; i < stages; ++i) {
      x = activate(i, at::conv2d(i > 0 ? tame(x) : x, maps_[i].weight, maps_[i].bias, 1, 1));
      if (shape_.pooled(i)) x = at::max_pool2d(x, 2);
    }
    x = activate_mapped(stages, tame(x).flatten(1), maps_[stages]);
    return at::linear(x, maps_[stages + 1].weight, maps_[stages + 1].bias);
  }

 private:
  Shape shape_;
  std::vector<Map> maps_;
};

}  // namespace

std::shared_ptr<Network> make_convnet(const Settings& settings, const data::Dataset& data, at::Generator random) {
  return std::make_shared<Convnet>(settings, data, std::move(random));
}

}  // namespace ogee::models

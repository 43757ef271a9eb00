// Residual blocks (He et al. 2016, 1512.03385): x -> activation(x + map(activation(map(x)))), `depth` of them behind
// map, activation. With images the maps are 3x3 convolutions in three stages of `width`, 2*width and 4*width channels,
// each but the first halving the picture, and the mean over the picture is classified; with flat features they are
// linear, of `width`. Where sizes change a linear map of each pixel goes along. batch_norm=1 normalises what every map
// gives (Ioffe and Szegedy 2015); without it the branches start 1/sqrt(depth) small, so that their sum does not grow.
//
// A gated function takes a block's two activations at once: x + map(gate(map(x))), as in transformers, with hidden
// sizes that match the parameter count; what enters a block is normalised (batch_norm, else Network::tame).
#include <algorithm>
#include <cmath>

#include "models/network.h"

namespace ogee::models {
namespace {

class Resnet : public Network {
 public:
  Resnet(const Settings& settings, const data::Dataset& data, at::Generator random)
      : Network(settings, std::move(random)),
        images_(data.images()),
        batch_norm_(settings.batch_norm),
        gated_(packed_ > 1),
        match_(settings.match_parameters) {
    std::int64_t in = 1;
    for (const auto size : data.shape) in *= size;
    if (images_) in = data.shape[0];
    std::int64_t side = images_ ? std::min(data.shape[1], data.shape[2]) : 0;
    std::int64_t channels = settings.width;
    stem_ = spatial("stem", channels, in, 1);
    if (!gated_) {
      norms_.push_back(norm("stem", channels));
      add_layer(layer_name("stem"), channels);
    }
    in = channels;
    // What matching the blocks before has left over, in parameters.
    std::int64_t spare = gated_ && batch_norm_ ? 2 * channels : 0;
    for (std::int64_t i = 0; i < settings.depth; ++i) {
      Block block;
      if (images_ && i > 0 && 3 * i / settings.depth != 3 * (i - 1) / settings.depth) {
        channels *= 2;
        block.stride = side >= 4 ? 2 : 1;
        side = (side + block.stride - 1) / block.stride;
      }
      add_block(block, "block" + std::to_string(i + 1), in, channels,
                1 / std::sqrt(static_cast<double>(settings.depth)), spare);
      in = channels;
    }
    output_ = map("output", {data.outputs(), in}, gated_ ? 1 : gain_);
  }

  at::Tensor forward(at::Tensor x) override {
    if (!images_) x = x.flatten(1);
    x = apply(stem_, x, 1);
    std::size_t layer = 0, norm = 0;
    if (!gated_) x = activate(layer++, normalise(norm++, x));
    for (const Block& block : blocks_) {
      at::Tensor branch;
      if (gated_) {
        branch = batch_norm_ ? normalise(norm++, x) : tame(x);
        branch = apply(block.second, activate(layer++, apply(block.first, branch, block.stride)), 1);
      } else {
        branch = activate(layer++, normalise(norm++, apply(block.first, x, block.stride)));
        branch = normalise(norm++, apply(block.second, branch, 1));
      }
      x = branch + (block.across.weight.defined() ? apply(block.across, x, block.stride) : x);
      if (!gated_) x = activate(layer++, x);
    }
    if (images_) x = x.mean({2, 3});
    return at::linear(x, output_.weight, output_.bias);
  }

 private:
  struct Norm {
    at::Tensor scale, shift, mean, variance;
  };
  struct Block {
    Map first, second, across;
    std::int64_t stride = 1;
  };

  std::string layer_name(const std::string& name) const { return images_ ? "conv_" + name : name; }

  // A 3x3 convolution or a linear map.
  Map spatial(const std::string& name, std::int64_t out, std::int64_t in, double gain) {
    return images_ ? map(name, {out, in, 3, 3}, gain) : map(name, {out, in}, gain);
  }

  at::Tensor apply(const Map& map, const at::Tensor& x, std::int64_t stride) const {
    if (!images_) return at::linear(x, map.weight, map.bias);
    return at::conv2d(x, map.weight, map.bias, stride, map.weight.size(2) / 2);
  }

  Norm norm(const std::string& name, std::int64_t channels) {
    if (!batch_norm_) return {};
    return {register_parameter(name + "_norm_scale", torch::ones({channels})),
            register_parameter(name + "_norm_shift", torch::zeros({channels})),
            register_buffer(name + "_norm_mean", torch::zeros({channels})),
            register_buffer(name + "_norm_variance", torch::ones({channels}))};
  }

  at::Tensor normalise(std::size_t index, const at::Tensor& x) const {
    if (!batch_norm_) return x;
    const Norm& norm = norms_[index];
    // A batch of one flat example has no variance.
    const bool training = is_training() && x.numel() > x.size(1);
    return at::batch_norm(x, norm.scale, norm.shift, norm.mean, norm.variance, training, 0.1, 1e-5, false);
  }

  void add_block(Block& block, const std::string& name, std::int64_t in, std::int64_t channels, double small,
                 std::int64_t& spare) {
    const std::int64_t area = images_ ? 9 : 1;
    std::int64_t hidden = channels;
    if (gated_ && match_) {
      const std::int64_t plain = (area * in + 1) * channels + (area * channels + 1) * channels +
                                 (batch_norm_ ? 4 * channels - 2 * in : 0) + spare;
      const std::int64_t each = (area * in + 1) * packed_ + area * channels;
      hidden = std::max<std::int64_t>(1, (plain - channels + each / 2) / each);
      spare = plain - channels - hidden * each;
    }
    if (gated_) norms_.push_back(norm(name + "_in", in));
    block.first = spatial(name + "_first", packed_ * hidden, in, gated_ ? 1 : gain_);
    if (!gated_) norms_.push_back(norm(name + "_first", channels));
    add_layer(layer_name(name + "_first"), hidden);
    block.second = spatial(name + "_second", channels, hidden, batch_norm_ ? gain_ : small * gain_);
    if (!gated_) {
      norms_.push_back(norm(name + "_second", channels));
      add_layer(layer_name(name + "_second"), channels);
    }
    if (in != channels)
      block.across =
          images_ ? map(name + "_across", {channels, in, 1, 1}, 1) : map(name + "_across", {channels, in}, 1);
    blocks_.push_back(block);
  }

  const bool images_, batch_norm_, gated_, match_;
  Map stem_, output_;
  std::vector<Block> blocks_;
  std::vector<Norm> norms_;
};

}  // namespace

std::shared_ptr<Network> make_resnet(const Settings& settings, const data::Dataset& data, at::Generator random) {
  return std::make_shared<Resnet>(settings, data, std::move(random));
}

}  // namespace ogee::models

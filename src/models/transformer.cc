// A transformer (Vaswani et al. 2017) of `depth` blocks, normalised in front (Xiong et al. 2020):
// x + attention(norm(x)), x + linear(activation(linear(norm(x)))), with `width` numbers a token, 4*width in between and
// learned places. For text a decoder, where no token sees those after it; else an encoder, whose last place answers a
// series and whose mean a picture (row by row). A gated function's in-between width is 2/3 of that (Shazeer 2020),
// rounded to the nearest parameter count.
#include <algorithm>
#include <cmath>

#include "models/network.h"

namespace ogee::models {
namespace {

class Transformer : public Network {
 public:
  Transformer(const Settings& settings, const data::Dataset& data, at::Generator random)
      : Network(settings, std::move(random)),
        width_(settings.width),
        heads_(settings.heads),
        text_(data.text()),
        mean_(data.images()) {
    const std::int64_t steps = data.images() ? data.shape[1] : data.shape[0];
    if (text_)
      embedding_ = weights("embedding", {data.outputs(), width_}, std::sqrt(width_));
    else
      in_ = map("embedding", {width_, sequence_features(data)}, 1);
    // Drawn with a deviation of 0.1: less than what stands there, enough to tell places apart.
    places_ = weights("places", {steps, width_}, 0.1 * std::sqrt(width_));
    std::int64_t hidden = 4 * width_;
    if (packed_ > 1 && settings.match_parameters) {
      const std::int64_t plain = (width_ + 1) * hidden + hidden * width_;
      const std::int64_t each = (width_ + 1) * packed_ + width_;
      hidden = (plain + each / 2) / each;
    }
    // Two branches a block add up in x.
    const double small = 1 / std::sqrt(2 * static_cast<double>(settings.depth));
    for (std::int64_t i = 0; i < settings.depth; ++i) {
      const std::string name = "block" + std::to_string(i + 1);
      Block block;
      block.attention_norm = norm(name + "_attention");
      block.queries = map(name + "_queries", {3 * width_, width_}, 1);
      block.values = map(name + "_values", {width_, width_}, small);
      block.hidden_norm = norm(name + "_hidden");
      block.hidden = map(name + "_hidden", {packed_ * hidden, width_}, 1);
      add_layer(name + "_hidden", hidden);
      block.out = map(name + "_out", {width_, hidden}, small * gain_);
      blocks_.push_back(block);
    }
    norm_ = norm("output");
    output_ = map("output", {data.outputs(), width_}, 1);
    if (text_) {
      hidden_from_ = torch::full({steps, steps}, -std::numeric_limits<float>::infinity()).triu(1);
      register_buffer("hidden_from", hidden_from_);
    }
  }

  at::Tensor forward(at::Tensor x) override {
    x = text_ ? at::embedding(embedding_, x) : at::linear(as_sequence(x), in_.weight, in_.bias);
    x = x + places_;
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      const Block& block = blocks_[i];
      x = x + attend(block, normalise(block.attention_norm, x));
      const at::Tensor hidden = activate_mapped(i, normalise(block.hidden_norm, x).flatten(0, 1), block.hidden);
      x = x + at::linear(hidden, block.out.weight, block.out.bias).view_as(x);
    }
    if (!text_) x = mean_ ? x.mean(1) : x.select(1, x.size(1) - 1);
    return at::linear(normalise(norm_, x), output_.weight, output_.bias);
  }

 private:
  struct Norm {
    at::Tensor scale, shift;
  };
  struct Block {
    Norm attention_norm, hidden_norm;
    Map queries, values, hidden, out;  // `queries`: and keys, and what is attended to
  };

  Norm norm(const std::string& name) {
    return {register_parameter(name + "_norm_scale", torch::ones({width_})),
            register_parameter(name + "_norm_shift", torch::zeros({width_}))};
  }
  at::Tensor normalise(const Norm& norm, const at::Tensor& x) const {
    return at::layer_norm(x, {width_}, norm.scale, norm.shift);
  }

  at::Tensor attend(const Block& block, const at::Tensor& x) const {
    const std::int64_t n = x.size(0), steps = x.size(1), each = width_ / heads_;
    // [3, n, heads, steps, each]
    const at::Tensor all = at::linear(x, block.queries.weight, block.queries.bias)
                               .view({n, steps, 3, heads_, each})
                               .permute({2, 0, 3, 1, 4});
    const std::vector<at::Tensor> parts = all.unbind(0);
    at::Tensor scores = at::matmul(parts[0] * (1 / std::sqrt(static_cast<double>(each))), parts[1].transpose(2, 3));
    if (text_) scores = scores + hidden_from_;
    const at::Tensor seen = at::matmul(scores.softmax(3), parts[2]).transpose(1, 2).reshape({n, steps, width_});
    return at::linear(seen, block.values.weight, block.values.bias);
  }

  const std::int64_t width_, heads_;
  const bool text_, mean_;
  at::Tensor embedding_, places_, hidden_from_;
  Map in_, output_;
  Norm norm_;
  std::vector<Block> blocks_;
};

}  // namespace

std::shared_ptr<Network> make_transformer(const Settings& settings, const data::Dataset& data, at::Generator random) {
  return std::make_shared<Transformer>(settings, data, std::move(random));
}

}  // namespace ogee::models

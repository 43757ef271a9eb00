#include "bench/faults/network.h"

#include <cmath>
#include <functional>
#include <map>

#include "models/gain.h"

namespace ogee::faults {
namespace {

using Function = std::function<at::Tensor(const at::Tensor&)>;

// LibTorch's own operators, so that both kinds are watched.
const std::map<std::string, Function> own = {
    {"relu", [](const at::Tensor& z) { return at::relu(z); }},
    {"tanh", [](const at::Tensor& z) { return at::tanh(z); }},
    {"sigmoid", [](const at::Tensor& z) { return at::sigmoid(z); }},
    {"gelu", [](const at::Tensor& z) { return at::gelu(z); }},
    {"silu", [](const at::Tensor& z) { return at::silu(z); }},
    {"elu", [](const at::Tensor& z) { return at::elu(z); }},
    {"selu", [](const at::Tensor& z) { return at::selu(z); }},
    {"mish", [](const at::Tensor& z) { return at::mish(z); }},
    {"softplus", [](const at::Tensor& z) { return at::softplus(z); }},
    {"leaky_relu", [](const at::Tensor& z) { return at::leaky_relu(z); }},
    {"hardtanh", [](const at::Tensor& z) { return at::hardtanh(z); }},
    {"hard_sigmoid", [](const at::Tensor& z) { return at::hardsigmoid(z); }},
    {"hard_swish", [](const at::Tensor& z) { return at::hardswish(z); }},
    {"relu6", [](const at::Tensor& z) { return at::relu6(z); }},
};

class Mlp : public Net {
 public:
  Mlp(const Design& design, const std::vector<std::int64_t>& shape, std::int64_t classes) : Net(design, shape) {
    std::int64_t in = features();
    for (std::int64_t i = 0; i < design.depth; ++i) {
      const std::string name = "hidden" + std::to_string(i + 1);
      layers_.push_back(linear(name, in, design.width, i == 0 ? design.gain : own_gain()));
      site(name, layers_.back(), design.width, design.activation);
      if (design.norm == "batch")
        batch_.push_back(register_module(name + "_norm", torch::nn::BatchNorm1d(design.width)));
      if (design.norm == "layer")
        layer_.push_back(
            register_module(name + "_norm", torch::nn::LayerNorm(torch::nn::LayerNormOptions({design.width}))));
      in = design.width;
    }
    output_ = linear("output", in, classes, 1);
  }

  at::Tensor forward(at::Tensor x) override {
    x = x.flatten(1);
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      x = layers_[i]->forward(x);
      if (!batch_.empty()) x = batch_[i]->forward(x);
      if (!layer_.empty()) x = layer_[i]->forward(x);
      x = activate(i, x);
    }
    return output_->forward(x);
  }

 private:
  std::vector<torch::nn::Linear> layers_;
  std::vector<torch::nn::BatchNorm1d> batch_;
  std::vector<torch::nn::LayerNorm> layer_;
  torch::nn::Linear output_{nullptr};
};

class Convnet : public Net {
 public:
  Convnet(const Design& design, const std::vector<std::int64_t>& shape, std::int64_t classes) : Net(design, shape) {
    std::int64_t in = shape[0], size = shape[1];
    for (std::int64_t i = 0; i < design.depth; ++i) {
      const std::string name = "conv" + std::to_string(i + 1);
      layers_.push_back(conv(name, in, design.width, i == 0 ? design.gain : own_gain()));
      site(name, layers_.back(), design.width, design.activation);
      if (design.norm != "none")
        batch_.push_back(register_module(name + "_norm", torch::nn::BatchNorm2d(design.width)));
      // Halved early where images are large, then late.
      pooled_.push_back(size > 8 ? true : 2 * i + 2 == design.depth || i + 1 == design.depth);
      if (pooled_.back()) size /= 2;
      in = design.width;
    }
    output_ = linear("output", in * size * size, classes, 1);
  }

  at::Tensor forward(at::Tensor x) override {
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      x = layers_[i]->forward(x);
      if (!batch_.empty()) x = batch_[i]->forward(x);
      x = activate(i, x);
      if (pooled_[i]) x = at::max_pool2d(x, 2);
    }
    return output_->forward(x.flatten(1));
  }

 private:
  std::vector<torch::nn::Conv2d> layers_;
  std::vector<torch::nn::BatchNorm2d> batch_;
  std::vector<bool> pooled_;
  torch::nn::Linear output_{nullptr};
};

// Blocks x + W2 phi(norm(W1 x)), behind a first layer; with batch normalisation they are convolutions.
class Resnet : public Net {
 public:
  Resnet(const Design& design, const std::vector<std::int64_t>& shape, std::int64_t classes) : Net(design, shape) {
    images_ = design.norm == "batch";
    const std::int64_t blocks = std::max<std::int64_t>(1, design.depth / 2), width = design.width;
    // Without normalisation branches start small enough for their sum to stay in bounds.
    const double last =
        images_ || design.norm == "layer" ? own_gain() : own_gain() / std::sqrt(static_cast<double>(blocks));
    if (images_)
      first_conv_ = conv("stem", shape[0], width, 1);
    else
      first_ = linear("stem", features(), width, 1);
    for (std::int64_t i = 0; i < blocks; ++i) {
      const std::string name = "block" + std::to_string(i + 1);
      if (images_) {
        conv_in_.push_back(conv(name + "_in", width, width, own_gain()));
        conv_out_.push_back(conv(name + "_out", width, width, last));
        site(name + "_in", conv_in_.back(), width, design.activation);
        batch_.push_back(register_module(name + "_norm_in", torch::nn::BatchNorm2d(width)));
        batch_.push_back(register_module(name + "_norm_out", torch::nn::BatchNorm2d(width)));
      } else {
        in_.push_back(linear(name + "_in", width, width, design.gain));
        out_.push_back(linear(name + "_out", width, width, last));
        site(name + "_in", in_.back(), width, design.activation);
        if (design.norm == "layer")
          layer_.push_back(register_module(name + "_norm", torch::nn::LayerNorm(torch::nn::LayerNormOptions({width}))));
      }
    }
    output_ = linear("output", width, classes, 1);
  }

  at::Tensor forward(at::Tensor x) override {
    x = images_ ? first_conv_->forward(x) : first_->forward(x.flatten(1));
    for (std::size_t i = 0; i < sites.size(); ++i) {
      if (images_) {
        x = x + batch_[2 * i + 1]->forward(
                    conv_out_[i]->forward(activate(i, batch_[2 * i]->forward(conv_in_[i]->forward(x)))));
      } else {
        const at::Tensor y = layer_.empty() ? x : layer_[i]->forward(x);
        x = x + out_[i]->forward(activate(i, in_[i]->forward(y)));
      }
    }
    return output_->forward(images_ ? x.mean({2, 3}) : x);
  }

 private:
  bool images_ = false;
  torch::nn::Conv2d first_conv_{nullptr};
  torch::nn::Linear first_{nullptr}, output_{nullptr};
  std::vector<torch::nn::Conv2d> conv_in_, conv_out_;
  std::vector<torch::nn::Linear> in_, out_;
  std::vector<torch::nn::BatchNorm2d> batch_;
  std::vector<torch::nn::LayerNorm> layer_;
};

// Rows of the image one after another; `activation` takes the place of tanh.
class Lstm : public Net {
 public:
  Lstm(const Design& design, const std::vector<std::int64_t>& shape, std::int64_t classes) : Net(design, shape) {
    std::int64_t in = shape[0] * shape[2];
    for (std::int64_t i = 0; i < design.depth; ++i) {
      const std::string name = "cell" + std::to_string(i + 1);
      cells_.push_back(linear(name, in + design.width, 4 * design.width, design.gain));
      torch::NoGradGuard guard;
      cells_.back()->bias.slice(0, design.width, 2 * design.width).fill_(1);  // remember at first
      site(name, cells_.back(), design.width, design.activation);
      in = design.width;
    }
    output_ = linear("output", design.width, classes, 1);
  }

  at::Tensor forward(at::Tensor x) override {
    const std::int64_t steps = shape_[1];
    std::vector<at::Tensor> row;
    for (std::int64_t t = 0; t < steps; ++t) row.push_back(x.select(2, t).flatten(1));
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      at::Tensor h = at::zeros({x.size(0), design_.width}), c = h;
      for (at::Tensor& input : row) {
        const auto gates = cells_[i]->forward(at::cat({input, h}, 1)).chunk(4, 1);
        c = at::sigmoid(gates[1]) * c + at::sigmoid(gates[0]) * activate(i, gates[2]);
        h = at::sigmoid(gates[3]) * at::tanh(c);
        input = h;
      }
    }
    return output_->forward(row.back());
  }

 private:
  std::vector<torch::nn::Linear> cells_;
  torch::nn::Linear output_{nullptr};
};

// Rows of the image as tokens; layer normalisation before attention and before the feed-forward layers.
class Transformer : public Net {
 public:
  Transformer(const Design& design, const std::vector<std::int64_t>& shape, std::int64_t classes) : Net(design, shape) {
    const std::int64_t width = design.width;
    embed_ = linear("embed", shape[0] * shape[2], width, 1);
    place_ = register_parameter("place", 0.5 * torch::randn({shape[1], width}));
    for (std::int64_t i = 0; i < design.depth; ++i) {
      const std::string name = "block" + std::to_string(i + 1);
      mixed_.push_back(linear(name + "_qkv", width, 3 * width, 1));
      back_.push_back(linear(name + "_attended", width, width, 0.5));
      up_.push_back(linear(name + "_up", width, 2 * width, design.gain));
      down_.push_back(linear(name + "_down", 2 * width, width, 0.5 * own_gain()));
      site(name + "_up", up_.back(), 2 * width, design.activation);
      if (design.norm == "skip") continue;
      for (const char* which : {"_norm1", "_norm2"})
        norm_.push_back(register_module(name + which, torch::nn::LayerNorm(torch::nn::LayerNormOptions({width}))));
    }
    output_ = linear("output", width, classes, 1);
  }

  at::Tensor forward(at::Tensor x) override {
    const std::int64_t n = x.size(0), tokens = shape_[1], width = design_.width, heads = 4, each = width / heads;
    x = embed_->forward(x.transpose(1, 2).flatten(2)) + place_;
    for (std::size_t i = 0; i < up_.size(); ++i) {
      const auto parts =
          mixed_[i]->forward(norm_.empty() ? x : norm_[2 * i]->forward(x)).view({n, tokens, 3, heads, each});
      const auto q = parts.select(2, 0).transpose(1, 2), k = parts.select(2, 1).transpose(1, 2),
                 v = parts.select(2, 2).transpose(1, 2);
      const auto weights = at::softmax(at::matmul(q, k.transpose(2, 3)) / std::sqrt(static_cast<double>(each)), -1);
      x = x + back_[i]->forward(at::matmul(weights, v).transpose(1, 2).reshape({n, tokens, width}));
      x = x + down_[i]->forward(activate(i, up_[i]->forward(norm_.empty() ? x : norm_[2 * i + 1]->forward(x))));
    }
    return output_->forward(x.mean(1));
  }

 private:
  at::Tensor place_;
  torch::nn::Linear embed_{nullptr}, output_{nullptr};
  std::vector<torch::nn::Linear> mixed_, back_, up_, down_;
  std::vector<torch::nn::LayerNorm> norm_;
};

}  // namespace

std::int64_t Net::features() const {
  std::int64_t product = 1;
  for (const std::int64_t size : shape_) product *= size;
  return product;
}

double Net::gain_of(const std::string& activation) const { return models::gain(ogee::Activation(activation)); }

torch::nn::Linear Net::linear(const std::string& name, std::int64_t in, std::int64_t out, double gain) {
  auto module = register_module(name, torch::nn::Linear(in, out));
  torch::NoGradGuard guard;
  module->weight.normal_(0, gain / std::sqrt(static_cast<double>(in)));
  module->bias.zero_();
  return module;
}

torch::nn::Conv2d Net::conv(const std::string& name, std::int64_t in, std::int64_t out, double gain) {
  auto module = register_module(name, torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, 3).padding(1)));
  torch::NoGradGuard guard;
  module->weight.normal_(0, gain / std::sqrt(static_cast<double>(9 * in)));
  module->bias.zero_();
  return module;
}

std::size_t Net::add_site(const std::string& name, const at::Tensor& weight, const at::Tensor& bias, std::int64_t units,
                          const std::string& activation) {
  Site site{name, weight, bias, activation, nullptr, {}};
  if (!own.contains(activation)) {
    nn::ActivationOptions options(activation);
    const std::int64_t dimension = weight.dim() == 4 ? 1 : -1;
    options.channel_dim(dimension).channels(design_.channels ? units : 1);
    site.unit = register_module(name + "_activation", nn::Activation(options));
  }
  sites.push_back(site);
  return sites.size() - 1;
}

at::Tensor Net::activate(std::size_t index, const at::Tensor& z) {
  Site& site = sites[index];
  if (probing) site.z = z.detach();
  return site.unit ? site.unit->forward(z) : own.at(site.activation)(z);
}

std::shared_ptr<Net> build(const Design& design, const std::vector<std::int64_t>& shape, std::int64_t classes) {
  if (design.kind == "mlp") return std::make_shared<Mlp>(design, shape, classes);
  if (design.kind == "convnet") return std::make_shared<Convnet>(design, shape, classes);
  if (design.kind == "resnet") return std::make_shared<Resnet>(design, shape, classes);
  if (design.kind == "lstm") return std::make_shared<Lstm>(design, shape, classes);
  if (design.kind == "transformer") return std::make_shared<Transformer>(design, shape, classes);
  throw Error("no kind of network is called " + design.kind);
}

}  // namespace ogee::faults

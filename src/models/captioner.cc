// Captions with soft attention (Xu et al. 2015, 1502.03044): a decoder (speaker.h; an LSTM, or a GRU with cell=gru) of
// `width` units says what a picture shows, and looks at its parts before every word. Its first states are a map of the
// parts' mean.
//
// Of pictures, `depth` 3x3 convolutions find the parts, trained together with the decoder: the first has `channels`
// channels, each next one twice as many, up to eight times; ReLU behind each, whatever activations are compared, as
// these are about the decoder; 2x2 max pooling behind all but the last, while the picture is at least 4 wide. As so few
// convolutions do not know where in the picture they are, each part also has learned numbers of its own place added to
// it. Features that were computed beforehand are looked at as they are.
#include <algorithm>
#include <cmath>
#include <utility>

#include "models/speaker.h"

namespace ogee::models {
namespace {

class Captioner : public Speaker {
 public:
  Captioner(const Settings& settings, const data::Dataset& data, at::Generator random)
      : Speaker(settings, data, std::move(random)), pictures_(data.pictures), longest_(data.shape[0] - 1) {
    add_words(data);
    std::int64_t numbers = pictures_.all.size(-1);
    if (pictures_.all.dim() == 4) {
      numbers = pictures_.all.size(1);
      std::int64_t height = pictures_.all.size(2), width = pictures_.all.size(3);
      for (std::int64_t i = 0; i < settings.depth; ++i) {
        const std::int64_t channels = settings.attention.channels << std::min<std::int64_t>(i, 3);
        // Pictures are standardised, and ReLU halves what comes out of it.
        maps_.push_back(map("conv" + std::to_string(i + 1), {channels, numbers, 3, 3}, i > 0 ? std::sqrt(2.0) : 1));
        numbers = channels;
        pooled_.push_back(i + 1 < settings.depth && std::min(height, width) >= 4);
        if (pooled_.back()) height /= 2, width /= 2;
      }
      places_ = register_parameter("places", torch::zeros({height * width, numbers}));
    }
    add_speaker(numbers, numbers);
  }

  // A picture's captions are neighbours: it is looked at once for all of them.
  at::Tensor generate(at::Tensor x) override {
    const auto [first, where] = different(x);
    return Speaker::generate(x.index_select(0, first)).index_select(0, where.cpu());
  }

 protected:
  Seen see(const at::Tensor& x) override {
    const auto [first, where] = different(x);
    at::Tensor memory = pictures_.of(x.select(1, 0).index_select(0, first));
    if (places_.defined()) {
      for (std::size_t i = 0; i < maps_.size(); ++i) {
        memory = at::relu(at::conv2d(memory, maps_[i].weight, maps_[i].bias, 1, 1));
        if (pooled_[i]) memory = at::max_pool2d(memory, 2);
      }
      memory = memory.flatten(2).transpose(1, 2) + places_;
    }
    if (first.size(0) < x.size(0)) memory = memory.index_select(0, where);
    memory = memory.contiguous();
    return {memory, torch::full({x.size(0)}, memory.size(1), torch::kLong), memory.mean(1), longest_};
  }

 private:
  // Rows whose picture is another one than the row's before, and which of them each row has the picture of.
  static std::pair<at::Tensor, at::Tensor> different(const at::Tensor& x) {
    const at::Tensor numbers = x.select(1, 0);
    at::Tensor fresh = torch::ones({x.size(0)}, numbers.options().dtype(torch::kBool));
    const std::int64_t later = x.size(0) - 1;
    fresh.narrow(0, 1, later).copy_(numbers.narrow(0, 1, later).ne(numbers.narrow(0, 0, later)));
    return {fresh.nonzero().flatten(), fresh.cumsum(0) - 1};
  }

  const data::Pictures pictures_;
  const std::int64_t longest_;
  std::vector<Map> maps_;
  std::vector<bool> pooled_;
  at::Tensor places_;
};

}  // namespace

std::shared_ptr<Network> make_captioner(const Settings& settings, const data::Dataset& data, at::Generator random) {
  return std::make_shared<Captioner>(settings, data, std::move(random));
}

}  // namespace ogee::models

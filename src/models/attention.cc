// An encoder and a decoder with attention (Bahdanau, Cho, Bengio 2015, 1409.0473), for translation: `depth` layers of
// GRUs in both directions read the source, `width` units each; a decoder of as many (speaker.h), a GRU or, with
// cell=lstm, an LSTM, says the target, and looks at the source before every token. Its first state is a map of where
// the backward layer has come to. dropout also takes numbers of what the encoder's layers hand on.
#include "data/subwords.h"
#include "models/speaker.h"

namespace ogee::models {
namespace {

using data::Subwords;

class Attention : public Speaker {
 public:
  Attention(const Settings& settings, const data::Dataset& data, at::Generator random)
      : Speaker(settings, data, std::move(random)), longest_(data.shape[0] - data.source_tokens) {
    from_ = weights("source_embedding", {data.subwords[0]->size(), embedded_}, 1);
    add_words(data);
    std::int64_t features = embedded_;
    for (std::int64_t i = 0; i < settings.depth; ++i, features = 2 * units_)
      for (const char* direction : {"forward", "backward"})
        readers_.push_back(gru("encoder" + std::to_string(i + 1) + "_" + direction, features));
    add_speaker(2 * units_, units_);
  }

 protected:
  Seen see(const at::Tensor& given) override {
    const at::Tensor own = given.narrow(1, 0, source_tokens_);
    const at::Tensor lengths = own.ne(Subwords::padding).sum(1).cpu();
    at::Tensor x = embed(from_, own.narrow(1, 0, lengths.max().item<std::int64_t>()).t());  // [places, n, embedded]
    at::Tensor back;
    for (std::size_t i = 0; i < readers_.size(); i += 2) {
      if (i > 0) x = dropped(x);
      back = reverse_padded(read(readers_[i + 1], reverse_padded(x, lengths)), lengths);
      x = at::cat({read(readers_[i], x), back}, 2);
    }
    const at::Tensor memory = x.transpose(0, 1).contiguous();
    return {memory, lengths, back.select(0, 0), std::min(longest_ + 10, 2 * memory.size(1) + 10)};
  }

 private:
  at::Tensor read(const Unit& cell, const at::Tensor& x) {
    if (!recording) {
      RecurrentLayer layer;
      layer.cell = Cell::gru;
      layer.weight_ih = cell.in.weight;
      layer.bias_ih = cell.in.bias;
      layer.weight_hh = cell.recurrent;
      layer.bias_hh = cell.bias;
      put_units(cell.layers, layer);
      return ogee::recurrent(layer, x).y;
    }
    at::Tensor h = torch::zeros({x.size(1), units_}, x.options().requires_grad(false));
    std::vector<at::Tensor> states;
    for (const at::Tensor& input : at::linear(x, cell.in.weight, cell.in.bias).unbind(0))
      states.push_back(h = step(cell, input, h));
    return at::stack(states);
  }

  const std::int64_t longest_;
  at::Tensor from_;
  std::vector<Unit> readers_;
};

}  // namespace

std::shared_ptr<Network> make_attention(const Settings& settings, const data::Dataset& data, at::Generator random) {
  return std::make_shared<Attention>(settings, data, std::move(random));
}

}  // namespace ogee::models

// Topics out of keywords: a network of one hidden layer that tells a film's missing keywords from those it sees.
#pragma once

#include <atomic>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "ogee/libtorch.h"
#include "data/keywords.h"

namespace ogee::claims {

using data::SparseRows;

struct TopicSettings {
  std::int64_t units = 50, epochs = 30, batch = 64;
  std::vector<double> rates = {0.001, 0.003, 0.01, 0.03};  // of Adam; the best on the validation films is taken
};

// The hidden layers that there are: relu, relu_no_bias (max(x.w, 0)), relu_positive (starts from weights as the
// overlap's do), cosine (max(x.w + b, 0) by the cosine of x and w: a control that looks at sizes, too), and the
// overlaps.
const std::vector<std::string>& topic_units();

// keywords -> units -> keywords: a hidden layer, the two weight matrices untied, and scores of keywords whose softmax
// is what is trained. Rows stay sparse in all arms.
class TopicModel : public torch::nn::Module {
 public:
  // Weights as nn::Linear and nn::OverlapLinear start, from the seed alone.
  TopicModel(std::string unit, std::int64_t keywords, std::int64_t units, std::uint64_t seed);
  at::Tensor hidden(const SparseRows& rows);  // [rows, units]
  at::Tensor scores(const SparseRows& rows);  // [rows, keywords]

  at::Tensor weight, bias;  // [keywords, units]; [units], or undefined

 private:
  const std::string unit_;
  at::Tensor decoder_, decoder_bias_;
};

// A film's keywords in two: what a network sees and what it is to tell. Half of them, rounded down, are hidden.
struct Halves {
  SparseRows seen, hidden;
};
Halves hide_half(const SparseRows& rows, std::mt19937_64& random);

// Some rows of a matrix, in this order.
SparseRows take_rows(const SparseRows& rows, const std::vector<std::int64_t>& which);

struct Trained {
  std::shared_ptr<TopicModel> model;
  double loss;  // on the validation films: the mean cross-entropy of a hidden keyword, in nats
  double rate;
  bool stopped = false;
};
// Of all rates and epochs the network with the least loss on the validation films; the untrained one where none is
// less.
Trained train_topics(const SparseRows& train, const SparseRows& validation, std::int64_t keywords,
                     const TopicSettings& settings, const std::string& unit, std::uint64_t seed,
                     const std::atomic<bool>* stop);

}  // namespace ogee::claims

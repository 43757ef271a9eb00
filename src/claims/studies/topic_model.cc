#include "claims/studies/topic_model.h"

#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "lab/optimiser.h"
#include "ogee/torch_overlap.h"

namespace ogee::claims {
namespace {

// A copy: the graph of a loss keeps it for longer than the rows live.
at::Tensor tensor_of(const std::vector<std::int64_t>& numbers) {
  return torch::from_blob(const_cast<std::int64_t*>(numbers.data()), {static_cast<std::int64_t>(numbers.size())},
                          torch::kLong)
      .clone();
}

bool is_overlap(const std::string& unit) { return unit == "ruzicka" || unit == "tanimoto" || unit == "l1_tanimoto"; }

// The mean over the hidden keywords of -log softmax.
at::Tensor loss_of(TopicModel& model, const Halves& films) {
  const at::Tensor logs = model.scores(films.seen).log_softmax(1);
  std::vector<std::int64_t> places;
  for (std::int64_t row = 0; row < films.hidden.rows(); ++row)
    for (auto k = films.hidden.begin[static_cast<std::size_t>(row)];
         k < films.hidden.begin[static_cast<std::size_t>(row) + 1]; ++k)
      places.push_back(row * logs.size(1) + films.hidden.columns[static_cast<std::size_t>(k)]);
  return -logs.view(-1).index_select(0, tensor_of(places)).mean();
}

std::vector<at::Tensor> copies_of(const std::vector<at::Tensor>& tensors) {
  std::vector<at::Tensor> copies;
  for (const at::Tensor& tensor : tensors) copies.push_back(tensor.detach().clone());
  return copies;
}

}  // namespace

const std::vector<std::string>& topic_units() {
  static const std::vector<std::string> names = {"relu",    "relu_no_bias", "relu_positive", "cosine",
                                                 "ruzicka", "tanimoto",     "l1_tanimoto"};
  return names;
}

TopicModel::TopicModel(std::string unit, std::int64_t keywords, std::int64_t units, std::uint64_t seed)
    : unit_(std::move(unit)) {
  const torch::NoGradGuard no_gradients;
  const auto random = at::make_generator<at::CPUGeneratorImpl>(seed);
  const double reach = 1 / std::sqrt(static_cast<double>(keywords)), reach_out = 1 / std::sqrt(double(units));
  const bool positive = is_overlap(unit_) || unit_ == "relu_positive";
  weight = register_parameter("weight", torch::empty({keywords, units}).uniform_(positive ? 0 : -reach, reach, random));
  decoder_ = register_parameter("decoder", torch::empty({units, keywords}).uniform_(-reach_out, reach_out, random));
  decoder_bias_ = register_parameter("decoder_bias", torch::zeros({keywords}));
  if (unit_ != "relu_no_bias") bias = register_parameter("bias", torch::zeros({units}));
}

at::Tensor TopicModel::hidden(const SparseRows& rows) {
  const at::Tensor begin = tensor_of(rows.begin), columns = tensor_of(rows.columns);
  if (is_overlap(unit_))
    return overlap_linear_of_rows(begin, columns, torch::ones({columns.numel()}), weight, bias, unit_);
  const at::Tensor dot = std::get<0>(at::embedding_bag(weight, columns, begin, /*scale_grad_by_freq=*/false, /*mode=*/0,
                                                       /*sparse=*/false, /*per_sample_weights=*/{},
                                                       /*include_last_offset=*/true));
  const at::Tensor z = (bias.defined() ? dot + bias : dot).relu();
  if (unit_ != "cosine") return z;
  const at::Tensor sizes = (begin.slice(0, 1) - begin.slice(0, 0, -1)).to(torch::kFloat).clamp_min(1).sqrt();
  return z * dot / (sizes.unsqueeze(1) * weight.square().sum(0).sqrt().clamp_min(1e-12));
}

at::Tensor TopicModel::scores(const SparseRows& rows) { return torch::addmm(decoder_bias_, hidden(rows), decoder_); }

Halves hide_half(const SparseRows& rows, std::mt19937_64& random) {
  Halves halves;
  for (std::size_t row = 0; row + 1 < rows.begin.size(); ++row) {
    std::vector<std::int64_t> columns(rows.columns.begin() + rows.begin[row],
                                      rows.columns.begin() + rows.begin[row + 1]);
    std::shuffle(columns.begin(), columns.end(), random);
    const auto middle = columns.begin() + static_cast<std::ptrdiff_t>(columns.size() - columns.size() / 2);
    std::sort(columns.begin(), middle);
    std::sort(middle, columns.end());
    halves.seen.columns.insert(halves.seen.columns.end(), columns.begin(), middle);
    halves.hidden.columns.insert(halves.hidden.columns.end(), middle, columns.end());
    halves.seen.begin.push_back(static_cast<std::int64_t>(halves.seen.columns.size()));
    halves.hidden.begin.push_back(static_cast<std::int64_t>(halves.hidden.columns.size()));
  }
  return halves;
}

SparseRows take_rows(const SparseRows& rows, const std::vector<std::int64_t>& which) {
  SparseRows taken;
  for (const std::int64_t row : which) {
    const auto place = static_cast<std::size_t>(row);
    taken.columns.insert(taken.columns.end(), rows.columns.begin() + rows.begin[place],
                         rows.columns.begin() + rows.begin[place + 1]);
    taken.begin.push_back(static_cast<std::int64_t>(taken.columns.size()));
  }
  return taken;
}

Trained train_topics(const SparseRows& train, const SparseRows& validation, std::int64_t keywords,
                     const TopicSettings& settings, const std::string& unit, std::uint64_t seed,
                     const std::atomic<bool>* stop) {
  // What is hidden of the validation films, and in every epoch of the others, is the same for all arms and rates.
  std::mt19937_64 of_validation(seed * 2);
  const Halves held = hide_half(validation, of_validation);
  Trained best{std::make_shared<TopicModel>(unit, keywords, settings.units, seed), 0, 0};
  const auto validate = [&](TopicModel& model) {
    const torch::NoGradGuard no_gradients;
    return loss_of(model, held).item<double>();
  };
  best.loss = validate(*best.model);
  for (const double rate : settings.rates) {
    const auto model = std::make_shared<TopicModel>(unit, keywords, settings.units, seed);
    const auto optimiser = lab::make_optimiser({}, *model);
    std::mt19937_64 random(seed * 2 + 1);
    std::vector<std::int64_t> order(static_cast<std::size_t>(train.rows()));
    std::iota(order.begin(), order.end(), 0);
    std::vector<at::Tensor> kept;
    for (std::int64_t epoch = 0; epoch < settings.epochs; ++epoch) {
      std::shuffle(order.begin(), order.end(), random);
      for (std::size_t first = 0; first < order.size(); first += static_cast<std::size_t>(settings.batch)) {
        if (stop && stop->load(std::memory_order_relaxed)) return {best.model, best.loss, best.rate, true};
        const auto last = std::min(order.size(), first + static_cast<std::size_t>(settings.batch));
        const std::vector<std::int64_t> batch(order.begin() + static_cast<std::ptrdiff_t>(first),
                                              order.begin() + static_cast<std::ptrdiff_t>(last));
        optimiser->zero_gradients();
        loss_of(*model, hide_half(take_rows(train, batch), random)).backward();
        optimiser->step(rate);
      }
      // Comparisons with NaN are false: a network that has diverged is never the best.
      if (const double loss = validate(*model); loss < best.loss) {
        best = {model, loss, rate};
        kept = copies_of(model->parameters());
      }
    }
    if (kept.empty()) continue;
    const torch::NoGradGuard no_gradients;
    const auto parameters = model->parameters();
    for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i].copy_(kept[i]);
  }
  return best;
}

}  // namespace ogee::claims

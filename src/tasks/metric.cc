#include "tasks/metric.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <vector>

#include "ogee/ogee.h"
#include "registry/suggestion.h"

namespace ogee::tasks {
namespace {

using data::Goal;

constexpr Metric all[] = {
    {"error", "error", Goal::classification, true, true},
    {"balanced_error", "balanced error", Goal::classification, true, false},
    {"macro_f1", "1 - macro F1", Goal::classification, true, false},
    {"top5_error", "top-5 error", Goal::classification, true, true},
    {"loss", "loss", Goal::classification, false, false},
    {"rmse", "RMSE", Goal::regression, false, false},
    {"mae", "MAE", Goal::regression, false, false},
    {"r2", "1 - R2", Goal::regression, false, false},
    {"loss", "loss", Goal::regression, false, false},
    {"perplexity", "perplexity", Goal::language, false, false},
    {"bits", "bits", Goal::language, false, false},
    {"loss", "loss", Goal::language, false, false},
    {"error", "token error", Goal::language, true, false},
    {"mse", "MSE", Goal::forecasting, false, false},
    {"mae", "MAE", Goal::forecasting, false, false},
    {"wrong_bits", "wrong bits", Goal::recall, true, false},
    {"error", "error", Goal::recall, true, true},
    {"loss", "loss", Goal::recall, false, false},
    {"bleu", "1 - BLEU", Goal::translation, true, false},
    {"perplexity", "perplexity", Goal::translation, false, false},
    {"loss", "loss", Goal::translation, false, false},
    {"bleu", "1 - BLEU", Goal::captions, true, false},
    {"bleu_1", "1 - BLEU-1", Goal::captions, true, false},
    {"bleu_2", "1 - BLEU-2", Goal::captions, true, false},
    {"bleu_3", "1 - BLEU-3", Goal::captions, true, false},
    {"perplexity", "perplexity", Goal::captions, false, false},
    {"loss", "loss", Goal::captions, false, false},
};

constexpr const char* goal_words[] = {"classes",        "values",      "a text",  "a series",
                                      "bits to recall", "translation", "captions"};

// Those that fit.
std::vector<std::string_view> keys_of(Goal goal, std::int64_t classes) {
  std::vector<std::string_view> keys;
  for (const Metric& metric : all)
    if (metric.goal == goal && (std::string_view(metric.key) != "top5_error" || classes > 5))
      keys.push_back(metric.key);
  return keys;
}

const Metric* titled(const std::string& title) {
  for (const Metric& metric : all)
    if (title == metric.title) return &metric;
  return nullptr;
}

}  // namespace

std::span<const Metric> metrics() { return all; }

const Metric& metric_named(const std::string& key, Goal goal, std::int64_t classes) {
  const auto words_of = [](Goal of) { return goal_words[static_cast<std::size_t>(of)]; };
  const std::vector<std::string_view> keys = keys_of(goal, classes);
  const auto refuse = [&](const std::string& why) {
    return Error(fmt::format("--metric {}: {}; expected {} for {}", key, why, alternatives(keys), words_of(goal)));
  };
  std::vector<std::string_view> elsewhere;
  for (const Metric& metric : all) {
    if (metric.goal == goal && key == "top5_error" && key == metric.key && classes <= 5)
      throw refuse(fmt::format("there are only {} classes, more than 5 are needed", classes));
    if (metric.goal == goal && (key.empty() || key == metric.key)) return metric;
    if (key == metric.key) elsewhere.emplace_back(words_of(metric.goal));
  }
  if (!elsewhere.empty()) throw refuse(fmt::format("it is for {}", fmt::join(elsewhere, ", ")));
  throw refuse("there is no such metric" + suggestion(key, keys));
}

bool is_metric(const std::string& key) {
  return std::any_of(std::begin(all), std::end(all), [&](const Metric& metric) { return key == metric.key; });
}
bool is_share(const std::string& title) {
  const Metric* metric = titled(title);
  return metric && metric->share;
}
bool is_counted(const std::string& title) {
  const Metric* metric = titled(title);
  return metric && metric->counted;
}

at::Tensor one_number(const at::Tensor& sum) { return sum.to(at::kDouble).reshape({1}); }
double mean_of(const at::Tensor& sums, double examples) { return sums[0].item<double>() / examples; }

}  // namespace ogee::tasks

// Sentences for sentences or for pictures.
#include <fmt/format.h>

#include <cmath>

#include "ogee/libtorch.h"
#include "data/subwords.h"
#include "tasks/bleu.h"
#include "tasks/task.h"

namespace ogee::tasks {
namespace {

// The targets' tokens as far as the output goes: it is as long as the longest of its batch.
at::Tensor asked_of(const at::Tensor& output, const at::Tensor& y) { return y.narrow(1, 1, output.size(1)); }

class Sentences : public Task {
 public:
  Sentences(const Metric& metric, const data::Dataset& data)
      : Task(metric), references_(data.references), subwords_(data.subwords[1]) {
    const std::string key = metric.key;
    if (generates()) {
      // bleu is bleu_4.
      const std::size_t order = key == "bleu" ? bleu_orders : static_cast<std::size_t>(key.back() - '0');
      measure_ = {[this](const at::Tensor& tokens, const at::Tensor& y) { return counted(tokens, y); },
                  [order](const at::Tensor& sums, double) { return 1 - bleu(from(sums), order); }};
      return;
    }
    measure_ = loss_measure();
    if (key == "perplexity")
      measure_.error = [mean = measure_.error](const at::Tensor& sums, double examples) {
        return std::exp(mean(sums, examples));
      };
  }
  bool generates() const final { return std::string(metric().key).starts_with("bleu"); }
  std::map<std::string, double> further(const at::Tensor& sums) const override {
    std::map<std::string, double> all;
    for (std::size_t n = 1; generates() && n <= bleu_orders; ++n) all[fmt::format("bleu_{}", n)] = bleu(from(sums), n);
    return all;
  }
  // The mean over the tokens that are asked for.
  at::Tensor loss(const at::Tensor& output, const at::Tensor& y) const override {
    return at::cross_entropy_loss(output.flatten(0, 1), asked_of(output, y).flatten());
  }
  double weight(const at::Tensor& y) const override {
    return static_cast<double>(y.slice(1, 1).ge(0).sum().item<std::int64_t>());
  }
  std::int64_t at_once() const override { return 64; }

 private:
  at::Tensor counted(const at::Tensor& tokens, const at::Tensor& y) const {
    const at::Tensor said = tokens.cpu().contiguous(), number = y.select(1, 0).cpu().contiguous();
    const at::Tensor sums = torch::zeros({2 * static_cast<std::int64_t>(bleu_orders) + 2}, torch::kDouble);
    auto* to = sums.data_ptr<double>();
    for (std::int64_t i = 0; i < said.size(0); ++i) {
      if (number.data_ptr<std::int64_t>()[i] < 0) continue;
      const std::string text = subwords_->decode(said.data_ptr<std::int64_t>() + i * said.size(1), said.size(1));
      const auto place = static_cast<std::size_t>(number.data_ptr<std::int64_t>()[i]);
      const BleuCounts counts = count_bleu(text, references_.at(place));
      for (std::size_t n = 0; n < bleu_orders; ++n) {
        to[n] += counts.correct[n];
        to[bleu_orders + n] += counts.total[n];
      }
      to[2 * bleu_orders] += counts.tokens;
      to[2 * bleu_orders + 1] += counts.reference_tokens;
    }
    return sums;
  }
  static BleuCounts from(const at::Tensor& sums) {
    const auto* s = sums.data_ptr<double>();
    BleuCounts counts;
    for (std::size_t n = 0; n < bleu_orders; ++n) {
      counts.correct[n] = s[n];
      counts.total[n] = s[bleu_orders + n];
    }
    counts.tokens = s[2 * bleu_orders];
    counts.reference_tokens = s[2 * bleu_orders + 1];
    return counts;
  }

  const std::vector<std::vector<std::string>>& references_;
  const std::shared_ptr<const data::Subwords> subwords_;
};

}  // namespace

std::unique_ptr<Task> make_sentences(const Metric& metric, const data::Dataset& data) {
  return std::make_unique<Sentences>(metric, data);
}

}  // namespace ogee::tasks

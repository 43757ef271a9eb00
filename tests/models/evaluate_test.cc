// The loss of a part of the data: the mean over all that is asked for in it, in whatever batches it is evaluated.
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "ogee/libtorch.h"
#include "drawn.h"
#include "models/network.h"
#include "tasks/task.h"

namespace ogee::tasks::evaluate_test {
namespace {

// A task whose batches are as large as one wants.
class InBatches : public Task {
 public:
  InBatches(const Task& task, std::int64_t at_once) : Task(task.metric()), task_(task), at_once_(at_once) {
    measure_ = loss_measure();
  }
  at::Tensor loss(const at::Tensor& output, const at::Tensor& y) const override { return task_.loss(output, y); }
  double weight(const at::Tensor& y) const override { return task_.weight(y); }
  std::int64_t at_once() const override { return at_once_; }

 private:
  const Task& task_;
  const std::int64_t at_once_;
};

struct Case {
  data::Dataset data;
  std::string model;
};

std::shared_ptr<models::Network> network(const Case& it) {
  models::Settings settings;
  settings.model = it.model;
  settings.activation = "tanh";
  settings.width = 6;
  const auto made = models::build(settings, it.data, 1);
  // As if trained: what is said differs much in how likely it is.
  const torch::NoGradGuard no_gradients;
  for (at::Tensor& parameter : made->parameters()) parameter.mul_(2);
  return made;
}

// The sum of the tokens' cross-entropies, and their number; by hand, token by token.
std::pair<double, double> by_hand(const Case& it, models::Network& net, const data::Part& part) {
  const torch::NoGradGuard no_gradients;
  net.eval();
  const at::Tensor odds = at::log_softmax(net.forward(part.x).to(torch::kDouble), -1);
  const at::Tensor y = it.data.sentences() ? part.y.slice(1, 1) : part.y;
  double sum = 0, tokens = 0;
  for (std::int64_t i = 0; i < odds.size(0); ++i)
    for (std::int64_t j = 0; j < odds.size(1); ++j)
      if (const auto token = y[i][j].item<std::int64_t>(); token >= 0) {
        sum -= odds[i][j][token].item<double>();
        ++tokens;
      }
  net.train();
  return {sum, tokens};
}

TEST(Evaluate, TheLossIsTheMeanOverAllTokens) {
  const Folder folder;
  const Case cases[] = {{loaded("programs(length=4,train=20,validation=5,test=90)"), "lstm"},
                        {drawn_translation(folder, 90), "attention"},
                        {loaded("shapes(train=40,validation=2,test=18)"), "captioner(channels=2)"}};
  for (const Case& it : cases) {
    SCOPED_TRACE(it.data.name);
    const auto net = network(it);
    const auto task = make_task(it.data, "perplexity");
    const data::Part& part = it.data.test;
    ASSERT_EQ(part.size(), 90);
    const auto [sum, tokens] = by_hand(it, *net, part);
    EXPECT_EQ(task->weight(part.y), tokens);
    double by_examples = 0;  // what it is not: the mean of the batches' means by their examples
    for (const std::int64_t at_once : {1, 7, 40, 90}) {
      const Score score = evaluate(InBatches(*task, at_once), *net, part);
      EXPECT_NEAR(score.loss, sum / tokens, 1e-6 * sum / tokens) << at_once << " at once";
      EXPECT_EQ(score.error, score.loss) << "as the metric";
      by_examples = 0;
      for (std::int64_t from = 0; at_once == 7 && from < part.size(); from += at_once) {
        const std::int64_t count = std::min(at_once, part.size() - from);
        const data::Part batch{part.x.narrow(0, from, count), part.y.narrow(0, from, count)};
        const auto [its, own] = by_hand(it, *net, batch);
        by_examples += its / own * static_cast<double>(count) / static_cast<double>(part.size());
      }
      if (at_once == 7) {
        EXPECT_GT(std::abs(by_examples - sum / tokens), 1e-4) << "a test that cannot fail";
        RecordProperty(it.model, std::to_string(by_examples) + " by examples, " + std::to_string(sum / tokens));
      }
    }
    const Score score = evaluate(*task, *net, part);
    EXPECT_EQ(score.error, std::exp(score.loss)) << "perplexity";
    // Shared by three, of whom one has nothing to do.
    at::Tensor sums;
    for (const auto& [from, count] : {std::pair(0, 50), {50, 40}})
      evaluate(*task, *net, part,
               Share{from, count, [&](at::Tensor& own) { sums = sums.defined() ? sums + own : own.clone(); }});
    const Score shared = evaluate(*task, *net, part, Share{90, 0, [&](at::Tensor& own) { own += sums; }});
    EXPECT_NEAR(shared.loss, sum / tokens, 1e-6 * sum / tokens);
    EXPECT_EQ(shared.error, std::exp(shared.loss));
  }
}

// What is not asked for at all has no mean, and spoils no other's.
TEST(Evaluate, ABatchThatAsksForNothingAddsNothing) {
  Case it{loaded("programs(length=4,train=20,validation=5,test=20)"), "lstm"};
  const auto net = network(it);
  const auto task = make_task(it.data, "loss");
  it.data.test.y.narrow(0, 5, 5).fill_(data::not_asked_token);
  const auto [sum, tokens] = by_hand(it, *net, it.data.test);
  const Score score = evaluate(InBatches(*task, 5), *net, it.data.test);
  EXPECT_NEAR(score.loss, sum / tokens, 1e-6 * sum / tokens);
  EXPECT_EQ(score.error, score.loss);
}

}  // namespace
}  // namespace ogee::tasks::evaluate_test

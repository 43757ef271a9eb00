#include "tasks/task.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "models/carrying.h"

namespace ogee::tasks {

namespace {

// The same answer to each of so many examples, in the network's own terms.
at::Tensor constant_answer(const data::Dataset& data, std::int64_t examples) {
  // Bits are even: the answer that is never surer of one than of the other.
  if (data.recall()) return torch::zeros({examples, data.shape[0], data.outputs()});
  if (data.goal != data::Goal::classification) return torch::zeros({examples, data.outputs()});  // the mean
  const at::Tensor frequency = torch::bincount(data.train.y.cpu(), {}, data.outputs()).to(torch::kFloat);
  return (frequency / frequency.sum()).log().unsqueeze(0).expand({examples, data.outputs()});
}

// A mean as what adds up: the sum, and over how many. The mean over none is no number, and adds nothing.
at::Tensor weighted(const at::Tensor& mean, double weight) {
  const at::Tensor sum = weight > 0 ? mean.cpu() * weight : torch::zeros({1}, torch::kDouble);
  return at::cat({sum, torch::tensor({weight}, torch::kDouble)});
}

}  // namespace

Task::Differentiated Task::differentiated(const at::Tensor& output, const at::Tensor& y) const {
  const torch::AutoGradMode with_gradients(true);
  const at::Tensor leaf = output.detach().requires_grad_();
  const at::Tensor mean = loss(leaf, y);
  return {mean.item<double>(), torch::autograd::grad({mean}, {leaf})[0].contiguous()};
}

Measure Task::loss_measure() const {
  return {[this](const at::Tensor& output, const at::Tensor& y) {
            return weighted(one_number(loss(output, y)), weight(y));
          },
          [](const at::Tensor& sums, double) { return sums[0].item<double>() / sums[1].item<double>(); }};
}

std::unique_ptr<Task> make_task(const data::Dataset& data, const std::string& metric) {
  const Metric& its = metric_named(metric, data.goal, static_cast<std::int64_t>(data.classes.size()));
  switch (data.goal) {
    case data::Goal::classification: return make_classification(its, data.outputs());
    case data::Goal::regression: return make_regression(its, data.target_deviation);
    case data::Goal::language: return make_language(its, data.shape[0] * data.outputs());
    case data::Goal::forecasting: return make_forecasting(its);
    case data::Goal::recall: return make_recall(its);
    case data::Goal::translation:
    case data::Goal::captions: return make_sentences(its, data);
  }
  throw Error("a data set of an unknown kind");
}

double baseline(const Task& task, const data::Dataset& data) {
  if (&task.metric() == &metric_named("", data.goal, 0)) return data.baseline;
  if (data.goal == data::Goal::language && std::string(task.metric().key) == "error") {
    const auto asked = [](const data::Part& part) { return part.y.cpu().masked_select(part.y.cpu().ge(0)); };
    const at::Tensor likeliest = torch::bincount(asked(data.train), {}, data.outputs()).argmax();
    return asked(data.test).ne(likeliest).to(torch::kDouble).mean().item<double>();
  }
  // A text's is e to the mean loss of answering with the tokens' frequencies.
  if (data.goal == data::Goal::language)
    return task.error(torch::tensor({std::log(data.baseline), 1.0}, torch::kDouble), 1);
  if (data.sentences() && task.generates()) return data.baseline;
  if (data.sentences()) {
    // Of answering with the tokens' frequencies, with one count more for each.
    const auto asked = [](const data::Part& part) {
      const at::Tensor tokens = part.y.cpu().slice(1, 1);
      return tokens.masked_select(tokens.ge(0));
    };
    const at::Tensor counts = torch::bincount(asked(data.train), {}, data.outputs()).to(torch::kDouble) + 1;
    const at::Tensor each = (counts / counts.sum()).log().index_select(0, asked(data.test));
    return task.error(torch::stack({-each.sum(), torch::tensor(static_cast<double>(each.numel()), torch::kDouble)}), 1);
  }
  const std::int64_t examples = data.test.y.size(0);
  return task.error(task.statistics(constant_answer(data, examples), data.test.y.cpu()), static_cast<double>(examples));
}

Score evaluate(const Task& task, models::Network& network, const data::Part& part, const std::optional<Share>& share) {
  const std::int64_t most = task.at_once();
  const torch::NoGradGuard no_gradients;
  network.eval();
  // A text is read from its first token to its last, and nothing of what training carries is lost.
  auto* const carrying = dynamic_cast<models::Carrying*>(&network);
  const bool whole = carrying && carrying->carries;
  std::vector<at::Tensor> kept;
  if (whole) kept = std::exchange(carrying->carried, {});
  const std::int64_t begin = share ? share->from : 0, end = share ? share->from + share->count : part.size();
  // The task's statistics, then the loss and what it counts by. Of no examples at all there are as many, all of them 0.
  at::Tensor sums;
  for (std::int64_t from = begin; from < end || !sums.defined(); from += most) {
    const std::int64_t count = std::min(most, end - from);
    const std::int64_t seen = std::max<std::int64_t>(count, 1);
    const at::Tensor y = part.y.narrow(0, std::min(from, part.size() - seen), seen);
    const at::Tensor x = part.x.narrow(0, std::min(from, part.size() - seen), seen);
    const at::Tensor output =
        whole ? network.forward(x.reshape({1, -1})).view({seen, x.size(1), -1}) : network.forward(x);
    const at::Tensor loss = weighted(one_number(task.loss(output, y)), task.weight(y));
    const at::Tensor judged =
        task.generates() ? network.generate(part.x.narrow(0, std::min(from, part.size() - seen), seen)) : output;
    at::Tensor found = at::cat({task.statistics(judged, y).cpu(), loss});
    if (count == 0) found.zero_();
    sums = sums.defined() ? sums + found : found;
  }
  if (whole) carrying->carried = std::move(kept);
  if (share) share->sum(sums);
  network.train();
  const std::int64_t statistics = sums.numel() - 2;
  const at::Tensor its = sums.narrow(0, 0, statistics);
  return {task.error(its, static_cast<double>(part.size())),
          sums[statistics].item<double>() / sums[statistics + 1].item<double>(), task.further(its)};
}

}  // namespace ogee::tasks

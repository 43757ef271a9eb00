// A TorchScript model, trained further or only run, and watched.
#include <fmt/format.h>
#include <torch/script.h>
#include <torch/optim.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "ogee/libtorch.h"
#include "cli/watch.h"
#include "models/script_file.h"
#include "monitor/show/live.h"
#include "ogee/monitor.h"
#include "ogee/ogee.h"
#include "tasks/task.h"

namespace ogee::cli {
namespace {

class Batches {
 public:
  Batches(const data::Part& part, std::int64_t size)
      : part_(part), size_(std::min(size, part.size())), random_(at::detail::createCPUGenerator(1)) {}
  data::Part next() {
    if (!order_.defined() || at_ + size_ > part_.size()) {
      order_ = torch::randperm(part_.size(), random_, torch::kLong);
      at_ = 0;
    }
    const at::Tensor chosen = order_.narrow(0, at_, size_);
    at_ += size_;
    return {part_.x.index_select(0, chosen), part_.y.index_select(0, chosen)};
  }

 private:
  const data::Part& part_;
  const std::int64_t size_;
  at::Generator random_;
  at::Tensor order_;
  std::int64_t at_ = 0;
};

}  // namespace

Watched watch_model(const WatchFlags& flags, const std::atomic<bool>& stop) {
  torch::jit::Module model = models::parse_script(models::read_script(flags.model), flags.model);
  const data::Dataset data = data::load(flags.data);
  const auto task = tasks::make_task(data);
  std::vector<at::Tensor> parameters;
  for (const at::Tensor& parameter : model.parameters())
    if (parameter.requires_grad()) parameters.push_back(parameter);
  const bool train = !flags.evaluate;
  if (train && parameters.empty())
    throw Error(flags.model + ": has no parameters that can be trained; --evaluate only runs it");
  model.train(train);
  std::optional<torch::optim::Adam> optimiser;
  if (train) optimiser.emplace(parameters, torch::optim::AdamOptions(flags.rate));

  const auto does_not_run = [&](const std::exception& e) {
    return Error(fmt::format("{}: does not run on {} (examples of shape {}): {}", flags.model, data.name,
                             models::shape_text(data.shape), models::reason_of(e)));
  };
  bool rows = false;
  try {
    rows = models::wants_rows(model, data);
  } catch (const std::exception& e) {
    throw does_not_run(e);
  }

  Watched watched;
  watched.title = fmt::format("{} on {}", std::filesystem::path(flags.model).filename().string(), data.name);
  Monitor monitor(MonitorOptions()
                      .every(flags.every)
                      .budget(flags.budget)
                      .trace_non_finite(flags.trace_non_finite)
                      .json(flags.json)
                      .tensorboard(flags.tensorboard)
                      .print(false));
  for (const auto& parameter : model.named_parameters()) monitor.name(parameter.value, parameter.name);

  std::optional<monitor::show::Live> live;
  if (!flags.quiet) live.emplace(STDERR_FILENO);
  torch::manual_seed(1);
  // Operators one by one: a graph that the interpreter has optimised hides which weights they belong to.
  torch::jit::setGraphExecutorOptimize(false);
  Batches batches(train ? data.train : data.validation, flags.batch);
  std::int64_t step = 0;
  try {
    for (; step < flags.steps && !stop; ++step) {
      const data::Part batch = batches.next();
      const torch::AutoGradMode with_gradients(train);
      const c10::IValue result = model.forward({rows ? batch.x.flatten(1) : batch.x});
      const at::Tensor loss = task->loss(models::fitted_output(result, batch.size(), data), batch.y);
      if (train) {
        optimiser->zero_grad();
        loss.backward();
        optimiser->step();
      }
      if (live && step > 0 && live->due()) {
        const monitor::Record record = monitor.record();
        if (!record.layers.empty()) live->show(record, judge(record));
      }
    }
  } catch (const std::exception& e) {
    throw does_not_run(e);
  }
  if (live) live->clear();
  if (stop) watched.remarks.push_back(fmt::format("stopped after {} of {} steps", step, flags.steps));
  watched.record = monitor.record();
  if (train) {
    watched.record.optimiser = "Adam";
    watched.record.learning_rate = flags.rate;
  }
  watched.findings = judge(watched.record);
  watched.observed = !watched.record.layers.empty() || !watched.record.non_finite.empty();
  if (!watched.observed) {
    watched.remarks.push_back("no activation was seen in " + flags.model);
    watched.status = 2;
  }
  return watched;
}

}  // namespace ogee::cli

#include "ogee/monitor.h"

#include <torch/optim.h>
//
#include <fmt/format.h>

#include <cstdio>
#include <functional>
#include <typeinfo>

#include "monitor/observer.h"
#include "monitor/show/table.h"

namespace ogee {
namespace {

std::string optimiser_name(const torch::optim::Optimizer& optimizer) {
  if (dynamic_cast<const torch::optim::Adam*>(&optimizer)) return "Adam";
  if (dynamic_cast<const torch::optim::AdamW*>(&optimizer)) return "AdamW";
  if (dynamic_cast<const torch::optim::SGD*>(&optimizer)) return "SGD";
  if (dynamic_cast<const torch::optim::RMSprop*>(&optimizer)) return "RMSprop";
  if (dynamic_cast<const torch::optim::Adagrad*>(&optimizer)) return "Adagrad";
  return "";
}

void name_all(monitor::Observer& observer, const torch::nn::Module& model) {
  for (const auto& item : model.named_parameters()) observer.name(item.value(), item.key());
}

}  // namespace

Monitor::Monitor(MonitorOptions options)
    : observer_(std::make_unique<monitor::Observer>(std::move(options), nullptr, "")) {}

Monitor::Monitor(const torch::nn::Module& model, MonitorOptions options) : Monitor(std::move(options)) {
  name_all(*observer_, model);
}

Monitor::Monitor(const torch::nn::Module& model, const torch::optim::Optimizer& optimizer, MonitorOptions options)
    : observer_(std::make_unique<monitor::Observer>(
          std::move(options),
          [&optimizer]() -> double {
            const auto& groups = optimizer.param_groups();
            return groups.empty() ? monitor::not_measured : groups.front().options().get_lr();
          },
          optimiser_name(optimizer))) {
  name_all(*observer_, model);
}

Monitor::~Monitor() {
  try {
    const monitor::Record seen = record();
    auto found = monitor::judge(seen);
    observer_->finish(seen, found);
    if (observer_->options().print()) {
      // A healthy network gets silence, whatever else could be said of it.
      std::erase_if(found, [](const monitor::Finding& f) { return f.severity == monitor::Severity::note; });
      if (!found.empty()) {
        const monitor::show::Style style = monitor::show::style_for(fileno(stderr));
        fmt::print(stderr, "ogee: {}\n{}", monitor::show::summary(seen, found),
                   monitor::show::report(seen, found, style));
      }
    }
  } catch (const std::exception& error) {
    if (observer_->options().print()) fmt::print(stderr, "ogee: the monitor failed: {}\n", error.what());
  }
}

void Monitor::name(const at::Tensor& parameter, const std::string& name) { observer_->name(parameter, name); }
void Monitor::pause() { observer_->pause(true); }
void Monitor::resume() { observer_->pause(false); }
void Monitor::between_steps() { observer_->between_steps(); }
std::string Monitor::save() const { return observer_->save(); }
void Monitor::restore(const std::string& state, const torch::nn::Module& model) {
  std::map<std::string, at::Tensor> parameters;
  for (const auto& item : model.named_parameters()) parameters.emplace(item.key(), item.value());
  observer_->restore(state, parameters);
}
monitor::Record Monitor::record() const { return observer_->record(); }
std::vector<monitor::Finding> Monitor::findings() const { return monitor::judge(record()); }

}  // namespace ogee

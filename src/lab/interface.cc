// What include/ogee/lab.h promises, from the laboratory's own parts.
#include <fmt/format.h>

#include <cmath>

#include "data/tensors.h"
#include "lab/builder.h"
#include "lab/laboratory.h"
#include "ogee/lab.h"

namespace ogee::lab {
namespace {

using Json = nlohmann::ordered_json;

double number(const Json& value) { return value.is_number() ? value.get<double>() : std::nan(""); }

ArmResult arm_of(const Json& json) {
  ArmResult arm;
  arm.activation = json["activation"].get<std::string>();
  arm.verdict = json["verdict"].get<std::string>();
  arm.error = number(json["test_error"]["mean"]);
  arm.low = number(json["test_error"]["low"]);
  arm.high = number(json["test_error"]["high"]);
  arm.loss = number(json["test_loss"]);
  arm.learning_rate = number(json["learning_rate"]);
  arm.milliseconds_per_step = number(json["ms_per_step"]);
  arm.parameters = json["parameters"].get<std::int64_t>();
  for (const Json& run : json["runs"])
    if (run["status"] == "finished") arm.errors.push_back(number(run["test_error"]));
  return arm;
}

// The generator that builders draw from, as it was.
class DefaultGeneratorGuard {
 public:
  DefaultGeneratorGuard() : generator_(at::detail::getDefaultCPUGenerator()) {
    const std::lock_guard lock(generator_.mutex());
    state_ = generator_.get_state();
  }
  ~DefaultGeneratorGuard() {
    const std::lock_guard lock(generator_.mutex());
    generator_.set_state(state_);
  }
  DefaultGeneratorGuard(const DefaultGeneratorGuard&) = delete;
  DefaultGeneratorGuard& operator=(const DefaultGeneratorGuard&) = delete;

 private:
  at::Generator generator_;
  at::Tensor state_;
};

data::Dataset load(const CompareOptions& options) {
  data::Request request;
  request.data = options.data();
  request.target = options.target();
  request.train_limit = options.train_limit();
  return data::load(request);
}

CompareResult compare_on(const NetworkBuilder& build, const data::Dataset& data, const CompareOptions& options) {
  const DefaultGeneratorGuard guard;
  Experiment experiment;
  experiment.data = data.name;
  experiment.target = options.target();
  experiment.train_limit = options.train_limit();
  experiment.model = options.name();
  if (!options.activations().empty()) experiment.activations = options.activations();
  experiment.epochs = options.epochs();
  experiment.batch = options.batch();
  experiment.seeds = options.seeds();
  experiment.learning_rate = options.learning_rate();
  experiment.design = builder_design(build, options.first_weights(), experiment.activations, data);
  Options how;
  how.out = options.out();
  how.workers = options.workers();
  how.command = fmt::format("ogee::lab::compare of {}", options.name());
  const Json results = compare(experiment, data, how).results;

  CompareResult result;
  result.complete = results["complete"].get<bool>();
  const Json& recommendation = results["recommendation"];
  if (recommendation["arm"].is_string()) result.recommended = recommendation["arm"].get<std::string>();
  result.recommendation = recommendation["text"].get<std::string>();
  for (const Json& arm : results["arms"]) result.arms.push_back(arm_of(arm));
  result.report = options.out() + "/report.html";
  result.json = results.dump(1);
  return result;
}

}  // namespace

ActivationFactory::ActivationFactory(std::string name)
    : name_(std::move(name)), packed_(static_cast<std::int64_t>(Activation(name_).spec().inputs)) {}

nn::Activation ActivationFactory::operator()(std::int64_t gate_dim, std::int64_t channels,
                                             std::int64_t channel_dim) const {
  made_->emplace_back(nn::ActivationOptions(name_)
                          .layout(Layout::gate_first)
                          .gate_dim(gate_dim)
                          .channels(channels)
                          .channel_dim(channel_dim));
  return made_->back();
}

std::int64_t ActivationFactory::width(std::int64_t ungated) const {
  return packed_ == 1 ? ungated : (2 * ungated + 1) / 3;
}

CompareResult compare_networks(const NetworkBuilder& build, const CompareOptions& options) {
  return compare_on(build, load(options), options);
}

CompareResult compare_networks(const NetworkBuilder& build, const at::Tensor& x, const at::Tensor& y,
                               const CompareOptions& options) {
  return compare_on(build, data::from_tensors("tensors", x, y, options.train_limit()), options);
}

}  // namespace ogee::lab

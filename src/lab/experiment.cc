#include "lab/experiment.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <map>
#include <set>

#include "ogee/libtorch.h"
#include "data/dataset.h"
#include "lab/curriculum.h"
#include "models/network.h"
#include "models/script.h"
#include "models/script_file.h"
#include "ogee/ogee.h"
#include "tasks/metric.h"

namespace ogee::lab {
namespace {

using Json = nlohmann::ordered_json;

// Counts up when what a run does changes, so that old results are not mixed with new ones.
constexpr int procedure = 1;

void check_range(const std::string& what, std::int64_t value, std::int64_t low, std::int64_t high) {
  if (value < low || value > high)
    throw Error(fmt::format("{} {}: out of range, expected {} to {}", what, value, low, high));
}

void check_rate(const std::string& what, double rate) {
  if (!(rate > 0 && rate <= 100))
    throw Error(fmt::format("{} {:g}: out of range, expected more than 0, at most 100", what, rate));
}

std::string of_arm(const ArmSettings& arm, const std::string& flag) {
  return fmt::format("arm {}: {}", arm.label(), flag);
}

void check_arm(const Experiment& experiment, const ArmSettings& arm) {
  try {
    std::set<std::string> moved;
    for (const Schedule& schedule : arm.schedules) {
      if (const std::string problem = problem_of(schedule); !problem.empty())
        throw Error(schedule.attribute + ": " + problem);
      if (!moved.insert(schedule.attribute).second) throw Error(schedule.attribute + ": it has two schedules");
      Activation activation(arm.activation);
      for (const Parameter& p : activation.spec().parameters)
        if (p.name == schedule.attribute && p.role == Role::learned)
          throw Error(schedule.attribute + " is learned in training, and cannot follow a schedule");
      for (const double value : {schedule.from, schedule.to}) activation.set(schedule.attribute, value);
    }
    for (const Choice& choice : arm.choices) {
      if (!moved.insert(choice.attribute).second)
        throw Error(choice.attribute + ": it is both tuned and on a schedule, or tuned twice");
      if (choice.values.empty()) throw Error(choice.attribute + ": tuned over no values");
      std::set<double> seen;
      for (const double value : choice.values) {
        if (!seen.insert(value).second) throw Error(fmt::format("{}: tuned over {:g} twice", choice.attribute, value));
        Activation(arm.activation).set(choice.attribute, value);
      }
    }
    activation_of(arm);
  } catch (const Error& error) {
    if (arm.name.empty() && arm.schedules.empty() && arm.choices.empty())
      throw Error(fmt::format("--activations: {}", error.what()));
    throw Error(fmt::format("arm {}: {}", arm.label(), error.what()));
  }
  if (arm.per_channel) {
    const Spec& spec = Activation(arm.activation).spec();
    if (spec.inputs > 1 || std::none_of(spec.parameters.begin(), spec.parameters.end(),
                                        [](const Parameter& p) { return p.role == Role::learned; }))
      throw Error(fmt::format("{}: {} has no learned parameter, or two inputs", of_arm(arm, "per_channel"), spec.name));
  }
  if (!(arm.curriculum >= 0 && arm.curriculum <= 1))
    throw Error(fmt::format("{} {:g}: out of range, expected 0 to 1", of_arm(arm, "curriculum"), arm.curriculum));
  if (!arm.regime.empty() && std::find(regimes().begin(), regimes().end(), arm.regime) == regimes().end())
    throw Error(
        fmt::format("{} {}: expected one of {}", of_arm(arm, "curriculum"), arm.regime, fmt::join(regimes(), ", ")));
  if (!arm.regime.empty() && arm.curriculum > 0)
    throw Error(fmt::format("{} {}: it has another one, {:g}", of_arm(arm, "curriculum"), arm.regime, arm.curriculum));
  if (arm.learning_rate != 0) check_rate(of_arm(arm, "learning_rate"), arm.learning_rate);
  if (arm.depth != 0) check_range(of_arm(arm, "depth"), arm.depth, 1, 1000);
  if (arm.width != 0) check_range(of_arm(arm, "width"), arm.width, 1, 65536);
  if (arm.epochs != 0) check_range(of_arm(arm, "epochs"), arm.epochs, 1, 1000000);
  if (arm.batch != 0)
    check_range(of_arm(arm, "batch"), arm.batch, 1, std::min<std::int64_t>(1 << 20, experiment.examples));
}

void check_arms(const Experiment& experiment) {
  if (experiment.arms.empty()) throw Error("--activations: the list is empty");
  std::set<std::string> names;
  std::map<std::string, std::string> seen;  // by what they mean, as one function has many spellings
  for (const ArmSettings& arm : experiment.arms) {
    check_arm(experiment, arm);
    if (!names.insert(arm.label()).second)
      throw Error(fmt::format("two arms are called {}: give them names of their own", arm.label()));
    ArmSettings bare = arm;
    bare.name = "";
    bare.activation = Activation(arm.activation).text();
    const auto [first, fresh] = seen.emplace(to_json(bare).dump(), arm.label());
    if (!fresh) throw Error(fmt::format("--activations: {} and {} are the same", first->second, arm.label()));
  }
}

void check_training(const Experiment& experiment) {
  if (!experiment.design) {
    check_range("--depth", experiment.depth, 1, 1000);
    check_range("--width", experiment.width, 1, 65536);
  }
  check_range("--epochs", experiment.epochs, 1, 1000000);
  check_range("--batch", experiment.batch, 1, 1 << 20);
  check_range("--seeds", experiment.seeds, 1, 1000);
  if (experiment.learning_rate != 0) check_rate("--learning-rate", experiment.learning_rate);
  std::set<double> rates;
  for (const double rate : experiment.rates) {
    check_rate("rates:", rate);
    if (!rates.insert(rate).second) throw Error(fmt::format("rates: {:g} stands there twice", rate));
  }
  check_range("tuning budget", experiment.tuning_budget, 0, std::int64_t{1} << 40);
  if (experiment.device != "cpu" && experiment.device != "cuda")
    throw Error(fmt::format("--device {}: expected cpu or cuda", experiment.device));
  if (experiment.device == "cuda" && !torch::cuda::is_available())
    throw Error("--device cuda: this LibTorch finds no CUDA device");
  const OptimiserSettings& optimiser = experiment.optimiser;
  if (optimiser.name != "adam" && optimiser.name != "sgd" && optimiser.name != "rmsprop")
    throw Error(fmt::format("optimiser {}: expected adam, sgd or rmsprop", optimiser.name));
  if (!(optimiser.momentum >= 0 && optimiser.momentum < 1))
    throw Error(fmt::format("momentum {:g}: expected 0 or more, below 1", optimiser.momentum));
  if (optimiser.momentum > 0 && optimiser.name == "adam")
    throw Error("momentum is the optimisers sgd's and rmsprop's; adam's is fixed at 0.9");
  if (!(optimiser.clip_norm >= 0 && optimiser.clip_norm <= 1e9))
    throw Error(fmt::format("clip_norm {:g}: expected 0 to 1e9", optimiser.clip_norm));
  if (!(optimiser.clip_value >= 0 && optimiser.clip_value <= 1e9))
    throw Error(fmt::format("clip_value {:g}: expected 0 to 1e9", optimiser.clip_value));
  if (!(optimiser.weight_decay >= 0 && optimiser.weight_decay <= 1))
    throw Error(fmt::format("weight decay {:g}: expected 0 to 1", optimiser.weight_decay));
}

// A model file's network, and what it is known by.
void find_design(Experiment& experiment, const data::Dataset& data) {
  const bool file = !experiment.design && models::names_a_script(experiment.model);
  if (!file && !experiment.replace.empty())
    throw Error(fmt::format("--replace {}: only a model file has activations to choose from", experiment.replace));
  if (experiment.weights != "new" && experiment.weights != "keep")
    throw Error(fmt::format("--weights {}: expected new or keep", experiment.weights));
  if (!file && experiment.weights != "new") throw Error("--weights keep: only a model file has weights to keep");
  if (file)
    experiment.design =
        models::script_design({experiment.model, experiment.replace,
                               experiment.weights == "keep" ? models::Weights::kept : models::Weights::fresh},
                              data);
  if (!experiment.design) return;
  if (experiment.depth != 0 || experiment.width != 0)
    throw Error(fmt::format("--{} {}: {} has its own", experiment.depth != 0 ? "depth" : "width",
                            experiment.depth != 0 ? experiment.depth : experiment.width, experiment.model));
  const std::string found = experiment.design->fingerprint();
  if (!experiment.model_fingerprint.empty() && experiment.model_fingerprint != found)
    throw Error(fmt::format("{}: another model than the experiment was made for: its fingerprint is {}, expected {}",
                            experiment.model, found, experiment.model_fingerprint));
  experiment.model_fingerprint = found;
}

// Tries it with every arm.
void check_design(const Experiment& experiment) {
  if (!experiment.design) return;
  for (const ArmSettings& arm : experiment.arms) {
    if (arm.depth != 0 || arm.width != 0)
      throw Error(fmt::format("arm {}: {} has a depth and a width of its own", arm.label(), experiment.model));
    if (arm.per_channel)
      throw Error(fmt::format("arm {}: per_channel is for the built-in models, not {}", arm.label(), experiment.model));
    experiment.design->check(activation_of(arm));
  }
}

void check_carrying(const Experiment& experiment, const data::Dataset& data) {
  if (experiment.initial_range > 0 && experiment.design)
    throw Error(fmt::format("initial_range: {} has its own", experiment.model));
  if (!experiment.carry_state) return;
  const std::string name = experiment.model.substr(0, experiment.model.find('('));
  if (!data.text() || data.masked) throw Error(fmt::format("carry_state: {} is no running text", data.name));
  if (name != "lstm" && name != "gru")
    throw Error(fmt::format("carry_state: {} has no state to carry; expected lstm or gru", experiment.model));
  if (experiment.data_parallel) throw Error("carry_state: not with --data-parallel");
  if (experiment.train_limit > 0) throw Error("carry_state: not with a train_limit, which takes windows from anywhere");
}

}  // namespace

std::vector<std::string> Experiment::default_activations() {
  return {"sigmoid", "tanh", "relu", "leaky_relu", "prelu", "elu", "gelu", "silu", "nah(base=tanh)", "swiglu"};
}

const ArmSettings& Experiment::arm(const std::string& name) const {
  for (const ArmSettings& arm : arms)
    if (arm.label() == name) return arm;
  throw Error(fmt::format("no arm is called {}", name));
}

std::int64_t Experiment::batch_of(const ArmSettings& arm) const { return arm.batch > 0 ? arm.batch : batch; }
std::int64_t Experiment::steps_of(const ArmSettings& arm) const {
  return (arm.epochs > 0 ? arm.epochs : epochs) * (examples / batch_of(arm));
}

std::vector<std::string> split_activations(const std::string& text) {
  std::vector<std::string> names(1);
  int depth = 0;
  for (const char c : text) {
    depth += (c == '(') - (c == ')');
    if (c == ',' && depth == 0)
      names.emplace_back();
    else if (c != ' ' || !names.back().empty())
      names.back() += c;
  }
  for (std::string& name : names) {
    while (name.ends_with(' ')) name.pop_back();
    if (name.empty()) throw Error(fmt::format("--activations {}: an empty name", text));
  }
  return names;
}

std::string activation_of(const ArmSettings& arm, const std::string& attributes) {
  Activation activation(arm.activation);
  if (!attributes.empty()) {
    for (const std::string& item : split_activations(attributes)) {
      const auto equals = item.find('=');
      if (equals == std::string::npos) throw Error(fmt::format("attributes {}: expected name=value", attributes));
      activation.set(item.substr(0, equals), std::stod(item.substr(equals + 1)));
    }
  }
  for (const Schedule& schedule : arm.schedules) activation.set(schedule.attribute, schedule.from);
  return activation.text();
}

data::Request request_of(const Experiment& experiment) {
  data::Request request;
  request.data = experiment.data;
  request.target = experiment.target;
  request.train_limit = experiment.train_limit;
  request.kind = experiment.kind;
  request.validation = experiment.validation;
  request.test = experiment.test;
  request.validation_share = experiment.validation_share;
  request.test_share = experiment.test_share;
  request.context = experiment.context;
  request.horizon = experiment.horizon;
  request.tokens = experiment.tokens;
  request.size = experiment.size;
  return request;
}

Experiment resolve(Experiment experiment, const data::Dataset& data) {
  experiment.fingerprint = data.fingerprint;
  find_design(experiment, data);
  models::Settings model;
  bool batch_norm = false;
  if (!experiment.design) {
    models::Settings settings;
    settings.model = experiment.model;
    settings.depth = experiment.depth;
    settings.width = experiment.width;
    model = models::resolve(settings, data);
    experiment.model = model.model;
    experiment.depth = model.depth;
    experiment.width = model.width;
    batch_norm = model.batch_norm;
  } else {
    batch_norm = experiment.design->normalises_batches();
  }
  if (experiment.data_parallel && batch_norm)
    throw Error(
        fmt::format("--data-parallel: {} normalises over the examples of a batch, of which each rank sees only "
                    "a part; expected a model without batch normalisation",
                    experiment.model));
  if (experiment.epochs == 0) experiment.epochs = data.train.size() < 10000 ? 30 : 5;
  if (experiment.rates.empty()) experiment.rates.assign(std::begin(Tuning::rates), std::end(Tuning::rates));
  std::sort(experiment.rates.begin(), experiment.rates.end());
  check_training(experiment);
  // The usual one has no name, so that it is the same whether it was asked for or not.
  const tasks::Metric& metric =
      tasks::metric_named(experiment.metric, data.goal, static_cast<std::int64_t>(data.classes.size()));
  experiment.metric = &metric == &tasks::metric_named("", data.goal, 0) ? "" : metric.key;
  settle(experiment, data.train.size(), metric.counted, data.validation.size());
  check_arms(experiment);
  for (const ArmSettings& arm : experiment.arms) {
    if (arm.curriculum > 0 && !data.difficulty.defined())
      throw Error(fmt::format("{}: {} does not say how hard its examples are", of_arm(arm, "curriculum"), data.name));
    if (!arm.regime.empty() && data.levels.names.empty())
      throw Error(fmt::format("{} {}: {} has no easier levels; expected data that do, programs(easier=20000), say",
                              of_arm(arm, "curriculum"), arm.regime, data.name));
    model.activation = activation_of(arm);
    if (!experiment.design) models::check_activation(model);
  }
  check_design(experiment);
  check_carrying(experiment, data);
  return experiment;
}

void settle(Experiment& experiment, std::int64_t examples, bool counted, std::int64_t validation) {
  experiment.resolution = counted && validation > 0 ? 1 / static_cast<double>(validation) : 0;
  experiment.examples = examples;
  experiment.batch = std::min(experiment.batch, examples);
  if (experiment.arms.empty())
    for (const std::string& name : experiment.activations) experiment.arms.push_back({"", name, {}, {}});
  experiment.activations.clear();
  for (const ArmSettings& arm : experiment.arms) experiment.activations.push_back(arm.label());
  experiment.steps = experiment.epochs * (examples / experiment.batch);
}

nlohmann::ordered_json to_json(const ArmSettings& arm) {
  Json json{{"name", arm.label()}, {"activation", arm.activation}};
  for (const Schedule& schedule : arm.schedules) {
    Json& its = json["schedules"][schedule.attribute];
    its = {{"from", schedule.from}, {"to", schedule.to}, {"shape", name_of(schedule.shape)}};
    if (schedule.shape == Schedule::Shape::inverse_root) {
      its["every"] = schedule.every;
    } else if (schedule.shape == Schedule::Shape::validation) {
      its["factor"] = schedule.factor;
      its["patience"] = schedule.patience;
    } else {
      its["until"] = schedule.until;
    }
  }
  for (const Choice& choice : arm.choices) json["tune"][choice.attribute] = choice.values;
  if (arm.learning_rate > 0) json["learning_rate"] = arm.learning_rate;
  if (arm.depth > 0) json["depth"] = arm.depth;
  if (arm.width > 0) json["width"] = arm.width;
  if (arm.epochs > 0) json["epochs"] = arm.epochs;
  if (arm.batch > 0) json["batch"] = arm.batch;
  if (arm.per_channel) json["per_channel"] = true;
  if (arm.curriculum > 0) json["curriculum"] = arm.curriculum;
  if (!arm.regime.empty()) json["curriculum"] = arm.regime;
  return json;
}

nlohmann::ordered_json to_json(const Experiment& experiment) {
  Json json;
  json["data"] = experiment.data;
  if (!experiment.target.empty()) json["target"] = experiment.target;
  json["fingerprint"] = experiment.fingerprint;
  if (experiment.train_limit > 0) json["train_limit"] = experiment.train_limit;
  for (const auto& [key, text] : {std::pair("kind", &experiment.kind), std::pair("validation", &experiment.validation),
                                  std::pair("test", &experiment.test), std::pair("tokens", &experiment.tokens)})
    if (!text->empty()) json[key] = *text;
  for (const auto& [key, share] :
       {std::pair("validation_share", experiment.validation_share), std::pair("test_share", experiment.test_share)})
    if (share > 0) json[key] = share;
  for (const auto& [key, count] : {std::pair("context", experiment.context), std::pair("horizon", experiment.horizon),
                                   std::pair("size", experiment.size)})
    if (count > 0) json[key] = count;
  json["model"] = experiment.model;
  if (!experiment.model_fingerprint.empty()) {
    json["model_fingerprint"] = experiment.model_fingerprint;
    if (!experiment.replace.empty()) json["replace"] = experiment.replace;
    json["weights"] = experiment.weights;
  } else {
    json["depth"] = experiment.depth;
    json["width"] = experiment.width;
  }
  json["activations"] = experiment.activations;
  // Only what a name alone does not say.
  for (const ArmSettings& arm : experiment.arms) {
    Json its = to_json(arm);
    if (its.size() > 2 || !arm.name.empty()) json["arms"].push_back(std::move(its));
  }
  json["epochs"] = experiment.epochs;
  json["batch"] = experiment.batch;
  json["steps"] = experiment.steps;
  json["seeds"] = experiment.seeds;
  const OptimiserSettings& optimiser = experiment.optimiser;
  json["optimiser"] = optimiser.name;
  if (optimiser.momentum > 0) json["momentum"] = optimiser.momentum;
  if (optimiser.clip_norm > 0) json["clip_norm"] = optimiser.clip_norm;
  if (optimiser.clip_value > 0) json["clip_value"] = optimiser.clip_value;
  if (optimiser.weight_decay > 0) json["weight_decay"] = optimiser.weight_decay;
  if (experiment.rate_course.epochs > 0)
    json["schedule"] = fmt::format("constant for {} epochs, then times {:g} with each", experiment.rate_course.epochs,
                                   experiment.rate_course.factor);
  else
    json["schedule"] = "5 % linear warm-up, then cosine to 0";
  if (experiment.carry_state) json["carry_state"] = true;
  if (experiment.initial_range > 0) json["initial_range"] = experiment.initial_range;
  if (experiment.learning_rate > 0) {
    json["learning_rate"] = experiment.learning_rate;
  } else {
    json["learning_rate"] = "tuned";
    json["tuning"] = {{"rates", experiment.rates},
                      {"steps", {scout_steps(experiment.steps), tune_steps(experiment.steps)}},
                      {"survivors", Tuning::survivors},
                      {"seeds", {Tuning::scout_seed, Tuning::tune_seed}}};
  }
  if (experiment.tuning_budget > 0) json["tuning_budget"] = experiment.tuning_budget;
  if (!experiment.match_parameters) json["match_parameters"] = false;
  if (experiment.stop_early) json["stop_early"] = true;
  if (!experiment.metric.empty()) json["metric"] = experiment.metric;
  json["device"] = experiment.device;
  if (experiment.data_parallel) json["data_parallel"] = true;
  json["procedure"] = procedure;
  return json;
}

// Rates need some hundred steps to show their worth, whatever the length of the run.
std::int64_t scout_steps(std::int64_t steps) { return std::min(steps, std::max<std::int64_t>(steps / 6, 200)); }
std::int64_t tune_steps(std::int64_t steps) { return std::min(steps, std::max<std::int64_t>(steps / 2, 500)); }

}  // namespace ogee::lab

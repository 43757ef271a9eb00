#include "lab/experiment.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "data/dataset.h"
#include "models/network.h"
#include "models/script.h"
#include "models/script_file.h"
#include "ogee/ogee.h"

namespace ogee::lab {
namespace {

// Counts up when what a run does changes, so that old results are not mixed with new ones.
constexpr int procedure = 1;

void check_activations(const Experiment& experiment) {
  if (experiment.activations.empty()) throw Error("--activations: the list is empty");
  std::map<std::string, std::string> seen;  // by what they mean, as one function has many spellings
  for (const std::string& text : experiment.activations) {
    const auto [first, fresh] = seen.emplace(Activation(text).text(), text);
    if (!fresh) throw Error(fmt::format("--activations: {} and {} are the same", first->second, text));
  }
}

void check_range(const char* flag, std::int64_t value, std::int64_t low, std::int64_t high) {
  if (value < low || value > high)
    throw Error(fmt::format("{} {}: out of range, expected {} to {}", flag, value, low, high));
}

// A model file's network, tried with every arm.
void resolve_design(Experiment& experiment, const data::Dataset& data) {
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
  for (const std::string& activation : experiment.activations) experiment.design->check(activation);
}

}  // namespace

std::vector<std::string> Experiment::default_activations() {
  return {"sigmoid", "tanh", "relu", "leaky_relu", "prelu", "elu", "gelu", "silu", "nah(base=tanh)", "swiglu"};
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
  check_activations(experiment);
  resolve_design(experiment, data);
  if (!experiment.design) {
    models::Settings settings;
    settings.model = experiment.model;
    settings.depth = experiment.depth;
    settings.width = experiment.width;
    const models::Settings model = models::resolve(settings, data);
    experiment.model = model.model;
    experiment.depth = model.depth;
    experiment.width = model.width;
    check_range("--depth", experiment.depth, 1, 1000);
    check_range("--width", experiment.width, 1, 65536);
  }
  const std::int64_t examples = data.train.size();
  if (experiment.epochs == 0) experiment.epochs = examples < 10000 ? 30 : 5;
  check_range("--epochs", experiment.epochs, 1, 1000000);
  check_range("--batch", experiment.batch, 1, 1 << 20);
  check_range("--seeds", experiment.seeds, 1, 1000);
  experiment.batch = std::min(experiment.batch, examples);
  if (!(experiment.learning_rate >= 0 && experiment.learning_rate <= 100))
    throw Error(
        fmt::format("--learning-rate {}: out of range, expected more than 0, at most 100", experiment.learning_rate));
  if (experiment.device != "cpu" && experiment.device != "cuda")
    throw Error(fmt::format("--device {}: expected cpu or cuda", experiment.device));
  if (experiment.device == "cuda" && !torch::cuda::is_available())
    throw Error("--device cuda: this LibTorch finds no CUDA device");
  experiment.fingerprint = data.fingerprint;
  experiment.steps = experiment.epochs * (examples / experiment.batch);
  return experiment;
}

nlohmann::ordered_json to_json(const Experiment& experiment) {
  nlohmann::ordered_json json;
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
  if (experiment.design) {
    json["model_fingerprint"] = experiment.design->fingerprint();
    if (!experiment.replace.empty()) json["replace"] = experiment.replace;
    json["weights"] = experiment.weights;
  } else {
    json["depth"] = experiment.depth;
    json["width"] = experiment.width;
  }
  json["activations"] = experiment.activations;
  json["epochs"] = experiment.epochs;
  json["batch"] = experiment.batch;
  json["steps"] = experiment.steps;
  json["seeds"] = experiment.seeds;
  json["optimiser"] = "adam";
  json["schedule"] = "5 % linear warm-up, then cosine to 0";
  if (experiment.learning_rate > 0) {
    json["learning_rate"] = experiment.learning_rate;
  } else {
    json["learning_rate"] = "tuned";
    json["tuning"] = {{"rates", Tuning::rates},
                      {"steps", {scout_steps(experiment.steps), tune_steps(experiment.steps)}},
                      {"survivors", Tuning::survivors},
                      {"seeds", {Tuning::scout_seed, Tuning::tune_seed}}};
  }
  json["device"] = experiment.device;
  json["procedure"] = procedure;
  return json;
}

// Rates need some hundred steps to show their worth, whatever the length of the run.
std::int64_t scout_steps(std::int64_t steps) { return std::min(steps, std::max<std::int64_t>(steps / 6, 200)); }
std::int64_t tune_steps(std::int64_t steps) { return std::min(steps, std::max<std::int64_t>(steps / 2, 500)); }

}  // namespace ogee::lab

// What is to be compared, and how: everything a result depends on.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "lab/schedule.h"

namespace ogee::data {
struct Dataset;
struct Request;
}  // namespace ogee::data
namespace ogee::models {
class Design;
}

namespace ogee::lab {

// Values of one attribute that tuning chooses among.
struct Choice {
  std::string attribute;
  std::vector<double> values;
};

// One of the alternatives. Zeros mean the experiment's own.
struct ArmSettings {
  std::string name;        // "": the activation as it is written
  std::string activation;  // with attributes
  std::vector<Schedule> schedules;
  std::vector<Choice> choices;
  double learning_rate = 0;
  std::int64_t depth = 0, width = 0, epochs = 0, batch = 0;
  bool per_channel = false;  // learned parameters: a set for each unit, not for each layer
  // The share of a run's steps after which all training examples are in use: at first the easiest tenth is (as the data
  // say, data::Dataset::difficulty), then evenly more. 0: no curriculum.
  double curriculum = 0;
  // Another one, for data with levels: a word of regimes() (curriculum.h); "": none.
  std::string regime = {};

  const std::string& label() const { return name.empty() ? activation : name; }
};

// How the learning rate goes: up in the first twentieth of a run and down to 0 along a cosine, or, where `epochs` is
// not 0, constant for so many epochs, and in each further one `factor` times what it was in the one before.
struct RateCourse {
  std::int64_t epochs = 0;
  double factor = 0.5;
};

struct OptimiserSettings {
  std::string name = "adam";  // or sgd, or rmsprop
  double momentum = 0;        // of sgd and rmsprop
  double weight_decay = 0;    // adam: decoupled from the gradient (AdamW); sgd, rmsprop: added to it
  double clip_norm = 0;       // what the norm of all gradients together is cut down to; 0: not at all
  double clip_value = 0;      // what the size of each element of the gradient is cut down to, first; 0: not at all
};

// Zeros are resolved by `resolve`.
struct Experiment {
  std::string data = "optdigits";
  std::string target;
  std::int64_t train_limit = 0;
  std::string kind, validation, test;  // these and the next as data::Request has them
  double validation_share = 0, test_share = 0;
  std::int64_t context = 0, horizon = 0;
  std::string tokens;
  std::int64_t size = 0;
  std::string model;  // empty: the data's usual one
  std::int64_t depth = 0, width = 0;
  // The short form of `arms`; resolved, the names of all arms.
  std::vector<std::string> activations = default_activations();
  std::int64_t epochs = 0;
  std::int64_t batch = 64;
  std::int64_t seeds = 5;
  double learning_rate = 0;  // 0: tuned for each arm
  std::string device = "cpu";
  bool data_parallel = false;  // every run is trained by all ranks together
  std::vector<ArmSettings> arms;
  OptimiserSettings optimiser;
  RateCourse rate_course;
  // Of a text: a batch's rows are as many places in it, far apart, and each batch goes on where the one before ended,
  // with the state of the recurrent layers; evaluation reads a part from its first token to its last.
  bool carry_state = false;
  double initial_range = 0;  // all weights and biases start in U(-initial_range, initial_range); 0: as the model has it
  // Fairness.
  bool match_parameters = true;    // gated and other arms have as many parameters
  std::vector<double> rates;       // tuned over; empty: Tuning::rates
  std::int64_t tuning_budget = 0;  // steps that an arm's tuning may take in all; 0: see plan.h
  bool stop_early = false;         // arms that cannot win any more
  std::string metric;              // what arms are judged by (tasks/metric.h); empty: the data's usual one
  // Of a model that is a TorchScript file (models/script.h): which of its activations give way, and "new" or "keep".
  std::string replace;
  std::string weights = "new";
  // A network of one's own; `resolve` makes it where `model` is a file.
  std::shared_ptr<const models::Design> design;
  std::string model_fingerprint;  // what it is known by; found by `resolve`, and checked where it is given
  // Found from the data.
  std::string fingerprint;
  std::int64_t examples = 0;  // to train on
  double resolution = 0;      // of validation errors: 1/(number of examples) where they are counted, 0 of a real number
  std::int64_t steps = 0;     // of a whole run

  static std::vector<std::string> default_activations();
  const ArmSettings& arm(const std::string& name) const;
  std::int64_t batch_of(const ArmSettings& arm) const;
  std::int64_t steps_of(const ArmSettings& arm) const;
};

// "relu, nah(base=tanh, c=0.3)" into its names; commas inside parentheses belong to the attributes.
std::vector<std::string> split_activations(const std::string& text);

// The activation that a run of the arm starts with: its own attributes, "c=0.3, alpha=1" (tuning's choice) instead of
// them, and schedules at their start. Throws Error on what the function has not, or what is out of range.
std::string activation_of(const ArmSettings& arm, const std::string& attributes = "");

// What of an experiment tells which data to load.
data::Request request_of(const Experiment& experiment);

// Fills in what was left open and checks the rest, activations and device included. Throws Error.
Experiment resolve(Experiment experiment, const data::Dataset& data);

// The part of it that needs no data but their numbers: arms from names, the steps of a run, the resolution of errors.
// `counted`: errors are so many of the examples.
void settle(Experiment& experiment, std::int64_t examples, bool counted, std::int64_t validation);

// The settings as one flat object, in a fixed order. Equal objects mean that results may be shared.
nlohmann::ordered_json to_json(const Experiment& experiment);
nlohmann::ordered_json to_json(const ArmSettings& arm);

// How rates are tuned, if the experiment says nothing else.
struct Tuning {
  static constexpr double rates[] = {3e-4, 1e-3, 3e-3, 1e-2, 3e-2};
  static constexpr std::uint64_t scout_seed = 1001, tune_seed = 1002;  // results use 1, 2, 3...
  static constexpr int survivors = 2;
};
// The lengths of tuning's first and last stage for runs of `steps`: short for all, longer for the survivors.
std::int64_t scout_steps(std::int64_t steps);
std::int64_t tune_steps(std::int64_t steps);

}  // namespace ogee::lab

// What is to be compared, and how: everything a result depends on.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace ogee::data {
struct Dataset;
struct Request;
}  // namespace ogee::data
namespace ogee::models {
class Design;
}

namespace ogee::lab {

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
  std::vector<std::string> activations = default_activations();
  std::int64_t epochs = 0;
  std::int64_t batch = 64;
  std::int64_t seeds = 5;
  double learning_rate = 0;  // 0: tuned for each arm
  std::string device = "cpu";
  // Of a model that is a TorchScript file (models/script.h): which of its activations give way, and "new" or "keep".
  std::string replace;
  std::string weights = "new";
  // A network of one's own; `resolve` makes it where `model` is a file.
  std::shared_ptr<const models::Design> design;
  // Found from the data.
  std::string fingerprint;
  std::int64_t steps = 0;  // of a whole run

  static std::vector<std::string> default_activations();
};

// "relu, nah(base=tanh, c=0.3)" into its names; commas inside parentheses belong to the attributes.
std::vector<std::string> split_activations(const std::string& text);

// What of an experiment tells which data to load.
data::Request request_of(const Experiment& experiment);

// Fills in what was left open and checks the rest, activations and device included. Throws Error.
Experiment resolve(Experiment experiment, const data::Dataset& data);

// The settings as one flat object, in a fixed order. Equal objects mean that results may be shared.
nlohmann::ordered_json to_json(const Experiment& experiment);

// How rates are tuned: every arm walks through the same two stages.
struct Tuning {
  static constexpr double rates[] = {3e-4, 1e-3, 3e-3, 1e-2, 3e-2};
  static constexpr std::uint64_t scout_seed = 1001, tune_seed = 1002;  // results use 1, 2, 3...
  static constexpr int survivors = 2;
};
// The lengths of the two stages for runs of `steps`: a short one for all rates, a longer one for those left.
std::int64_t scout_steps(std::int64_t steps);
std::int64_t tune_steps(std::int64_t steps);

}  // namespace ogee::lab

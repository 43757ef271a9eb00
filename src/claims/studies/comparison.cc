// A comparison of the laboratory, as `ogee compare` makes it, seen as the observations of a claim: rates tuned for
// every arm with the same budget, pairs of equal seeds, the test part seen once, at the end.
#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "claims/studies/network_measures.h"
#include "claims/studies/studies.h"
#include "data/captions.h"
#include "data/generated.h"
#include "data/translation.h"
#include "lab/experiment_file.h"
#include "lab/laboratory.h"
#include "lab/stored.h"
#include "lab/toml_table.h"
#include "ogee/ogee.h"

namespace ogee::claims {
namespace {

namespace files = std::filesystem;
using Json = nlohmann::ordered_json;
using Measures = std::map<std::string, double>;
using RunName = std::pair<std::string, std::uint64_t>;  // arm, seed

// What was measured of networks, in a file beside the runs: a line each, written before the run counts as done. A run
// that is made again adds a line that takes the place of the first.
class Looks {
 public:
  explicit Looks(const std::string& path) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
      const Json json = Json::parse(line, nullptr, false);
      if (json.is_discarded()) continue;  // cut short
      Measures& measures = seen_[{json.at("arm").get<std::string>(), json.at("seed").get<std::uint64_t>()}];
      for (const auto& [name, value] : json.at("measures").items()) measures[name] = value.get<double>();
    }
    out_.open(path, std::ios::app);
    out_ << '\n';  // ends a line that was cut
    if (!out_.flush()) throw Error(fmt::format("{}: cannot be written", path));
  }

  void add(const RunName& run, const Measures& measures) {
    Json json{{"arm", run.first}, {"seed", run.second}, {"measures", Json::object()}};
    const std::lock_guard lock(mutex_);
    for (const auto& [name, value] : measures)
      if (std::isfinite(value)) seen_[run][name] = json["measures"][name] = value;
    out_ << json.dump() << '\n';
    if (!out_.flush()) throw lab::StoreFailure("what was measured of a network cannot be written");
  }

  const Measures& of(const RunName& run) { return seen_[run]; }

 private:
  std::mutex mutex_;
  std::map<RunName, Measures> seen_;
  std::ofstream out_;
};

class Comparison : public Study {
 public:
  explicit Comparison(lab::Table& table) {
    lab::take_experiment(table, experiment_);
    table.take("train_limits", train_limits_, 1, std::int64_t{1} << 40);
    table.take("epochs_at", epochs_at_, 1, 1000000);
    table.take("noise", noise_, 0, false, 1000);
    table.take("target_error", target_error_, 0, false, 1e9);
    table.take("target_loss", target_loss_, 0, false, 1e9);
    if (experiment_.arms.empty())
      table.fail("arm", "there is nothing to compare: expected tables headed [[PRESET.arm]]");
    if (!train_limits_.empty() && experiment_.train_limit > 0)
      table.fail("train_limits", "the data have a train_limit of their own: expected one of the two");
    if (std::set<std::int64_t>(train_limits_.begin(), train_limits_.end()).size() != train_limits_.size())
      table.fail("train_limits", "a number stands there twice");
    if (!epochs_at_.empty() && epochs_at_.size() != train_limits_.size())
      table.fail("epochs_at", fmt::format("{} numbers; expected one for each of the {} train_limits", epochs_at_.size(),
                                          train_limits_.size()));
    experiment_.activations.clear();
    for (const lab::ArmSettings& arm : experiment_.arms) experiment_.activations.push_back(arm.label());
  }

  Json settings() const override {
    lab::Experiment experiment = experiment_;
    experiment.fingerprint = fingerprint();
    Json json{{"study", "comparison"}, {"experiment", to_json(experiment)}};
    for (const lab::ArmSettings& arm : experiment_.arms) json["arms"].push_back(to_json(arm));
    json["train_limits"] = train_limits_;
    json["epochs_at"] = epochs_at_;
    json["noise"] = noise_;
    json["target_error"] = target_error_;
    json["target_loss"] = target_loss_;
    return json;
  }

  std::map<std::string, std::string> measures() const override {
    std::map<std::string, std::string> all{
        {"error", "on the test part, after training; of a run that diverged: that of a constant answer"},
        {"loss", "on the test part; unknown of a run that diverged"},
        {"validation_error", "after training; of a run that diverged: that of a constant answer"},
        {"train_loss", "the last epoch's mean, as the optimiser saw it; unknown of a run that diverged"},
        {"train_error", "on the training part, after training; of a run that diverged: that of a constant answer"},
        {"gap", "the error on the test part less that on the training part; 0 of a run that diverged"},
        {"final_train_loss", "on the training part, after training, without noise; unknown of a run that diverged"},
        {"loss_gap", "the loss on the test part less that on the training part; unknown of a run that diverged"},
        {"ms_per_step", "the thread's own time for a training step, the median; runs go side by side on all cores"},
        {"parameters", "of the whole network"},
        {"dead", "the share of units with slope 0 for all training examples"},
        {"saturated", "the share of slopes below 5 % of the function's largest"},
        {"zeros_start", "the share of outputs that are exactly 0, before training"},
        {"zeros", "the share of outputs that are exactly 0, after training"},
        {"mean_output_start", "the size of a unit's mean output, averaged over units, before training"},
        {"mean_output", "the size of a unit's mean output, averaged over units, after training"},
        {"layer_mean_start", "the size of a layer's mean output, averaged over layers, before training"},
        {"layer_mean", "the size of a layer's mean output, averaged over layers, after training"},
        {"slope_left", "the function's slope at -20, its size, with the parameters it starts with; exact"},
        {"slope_right", "the function's slope at 20, its size, with the parameters it starts with; exact"},
        {"learned_mean", "the first learned parameter, the mean over units, after training"},
        {"learned_deviation", "the first learned parameter, its deviation over units and layers, after training"},
        {"learned_first", "the first learned parameter in the first layer, the mean"},
        {"learned_last", "the first learned parameter in the last layer, the mean"}};
    if (says_sentences())
      for (const char order : {'1', '2', '3', '4'})
        all[fmt::format("bleu_{}", order)] = fmt::format(
            "BLEU-{} on the test part, n-grams of up to so many words; unknown of a run that diverged", order);
    if (target_error_ > 0) {
      all["steps_to_error"] = fmt::format(
          "steps until the validation error is {:g}, between epochs on a straight line; a run that does not "
          "get there, or diverges, counts with all its steps",
          target_error_);
      all["seconds_to_error"] = "steps_to_error times ms_per_step, in seconds";
    }
    if (target_loss_ > 0) {
      all["steps_to_loss"] = fmt::format(
          "steps until an epoch's mean training loss, set in its middle, is {:g}, on straight lines; a run "
          "that does not get there, or diverges, counts with all its steps",
          target_loss_);
      all["seconds_to_loss"] = "steps_to_loss times ms_per_step, in seconds";
    }
    if (noise_ > 0) {
      all["noisy_error"] =
          fmt::format("on the test part with normal noise of deviation {:g} added to its standardised inputs", noise_);
      all["noise_increase"] = "noisy_error less error";
      all["off_response"] =
          "under that noise, how much outputs move against how much their pre-activations do, where these are negative "
          "without noise: root mean squares, the mean over layers";
    }
    return all;
  }

  std::string missing() const override {
    const std::string& data = experiment_.data;
    if (data::is_translation(data)) {
      const std::string file = data::missing_of_translation(data);
      return file.empty() ? "" : fmt::format("needs {} under $OGEE_DATA", file);
    }
    if (data::is_captions(data)) {
      const std::string file = data::missing_of_captions(data);
      return file.empty() ? "" : fmt::format("needs {} under $OGEE_DATA", file);
    }
    if (data == "optdigits" || data::is_generated(data) || files::exists(data)) return "";
    const char* root = std::getenv("OGEE_DATA");
    if (root && *root && files::exists(files::path(root) / data)) return "";
    return fmt::format("needs {} under $OGEE_DATA", data);
  }

  std::vector<Observation> run(const Work& work) override {
    notes_.clear();
    std::vector<Observation> all;
    for (const lab::ArmSettings& arm : experiment_.arms) {
      const Activation activation(activation_of(arm));
      if (activation.spec().inputs > 1) continue;
      all.push_back({arm.label(), no_condition, 0, "slope_left", std::abs(slope_at(activation, -20))});
      all.push_back({arm.label(), no_condition, 0, "slope_right", std::abs(slope_at(activation, 20))});
    }
    const std::size_t conditions = std::max<std::size_t>(1, train_limits_.size());
    for (std::size_t i = 0; i < conditions; ++i) {
      lab::Experiment experiment = experiment_;
      std::string folder = work.folder + "/comparison";
      double at = no_condition;
      if (!train_limits_.empty()) {
        experiment.train_limit = train_limits_[i];
        if (!epochs_at_.empty()) experiment.epochs = epochs_at_[i];
        at = static_cast<double>(train_limits_[i]);
        folder += fmt::format("-{}", train_limits_[i]);
      }
      if (!compare(experiment, folder, at, i, conditions, work, all)) break;
    }
    return all;
  }

  std::vector<std::string> notes() const override { return notes_; }

 private:
  bool says_sentences() const {
    const std::string name = experiment_.data.substr(0, experiment_.data.find('('));
    return name == "translation" || name == "captions" || name == "shapes";
  }

  // Of the data; "" where they cannot be had, of which `missing` or `run` tells.
  std::string fingerprint() const {
    try {
      return data::load(request_of(experiment_)).fingerprint;
    } catch (const Error&) {
      return "";
    }
  }

  static double slope_at(const Activation& activation, double x) {
    const double one = 1;
    double slope = 0;
    backward<double>(activation, {&x, 1}, {&one, 1}, {&slope, 1});
    return slope;
  }

  // False if it was stopped.
  bool compare(const lab::Experiment& experiment, const std::string& folder, double at, std::size_t index,
               std::size_t conditions, const Work& work, std::vector<Observation>& all) {
    files::create_directories(folder);
    Looks looks(folder + "/networks.jsonl");
    lab::Options options;
    options.out = folder;
    options.workers = work.workers;
    options.stop = work.stop;
    options.command = "ogee claims";
    options.network = [&](const lab::RunKey& key, models::Network& network, const data::Dataset& data, bool trained) {
      looks.add({key.arm, key.seed}, look(network, data, key.seed, trained));
    };
    if (work.progress)
      options.progress = [&](const lab::Progress& progress) {
        const auto runs = static_cast<std::size_t>(progress.runs);
        work.progress(index * runs + static_cast<std::size_t>(progress.runs_done), conditions * runs, progress.latest);
      };
    const bool whole = lab::compare(experiment, options).ending != lab::Ending::stopped;
    const lab::StoredComparison stored = lab::load_comparison(folder);
    std::map<std::string, std::pair<double, int>> arms;  // rate, diverged runs
    for (const lab::StoredRun& run : stored.runs) {
      if (run.key.stage != lab::Stage::result) continue;
      if (run.result.status == lab::Status::failed)
        throw Error(fmt::format("arm {} could not run: {}", run.key.arm, run.result.message));
      auto& arm = arms[run.key.arm];
      arm.first = run.key.rate;
      arm.second += run.result.status == lab::Status::diverged;
      for (const auto& [name, value] : measures_of(run, stored, looks.of({run.key.arm, run.key.seed})))
        all.push_back({run.key.arm, at, run.key.seed, name, value});
    }
    if (arms.empty()) return whole;
    std::string note = std::isnan(at) ? "learning rates:" : fmt::format("learning rates with {:g} examples:", at);
    for (const auto& [name, arm] : arms)
      note += fmt::format(" {} {:g}{};", name, arm.first,
                          arm.second ? fmt::format(" (runs that diverged: {})", arm.second) : "");
    note.back() = '.';
    notes_.push_back(note);
    return whole;
  }

  Measures look(models::Network& network, const data::Dataset& data, std::uint64_t seed, bool trained) const {
    const Outputs outputs = outputs_of(network, data.train);
    if (!trained)
      return {{"zeros_start", outputs.zeros},
              {"mean_output_start", outputs.mean},
              {"layer_mean_start", outputs.layer_mean}};
    const auto task = tasks::make_task(data, experiment_.metric);
    Measures measures{{"zeros", outputs.zeros}, {"mean_output", outputs.mean}, {"layer_mean", outputs.layer_mean}};
    // To translate all that was trained on takes longer than to train on it.
    if (!task->generates()) {
      const tasks::Score training = tasks::evaluate(*task, network, data.train);
      measures["train_error"] = training.error;
      measures["final_train_loss"] = training.loss;
    }
    const Learned learned = learned_of(network);
    measures["learned_mean"] = learned.mean;
    measures["learned_deviation"] = learned.deviation;
    measures["learned_first"] = learned.first;
    measures["learned_last"] = learned.last;
    if (noise_ > 0) {
      const NoiseResponse response = noise_response(network, *task, data.test, noise_, seed);
      measures["noisy_error"] = response.error;
      measures["off_response"] = response.off_units;
    }
    return measures;
  }

  Measures measures_of(const lab::StoredRun& run, const lab::StoredComparison& stored, const Measures& seen) const {
    const lab::RunResult& result = run.result;
    const bool diverged = result.status == lab::Status::diverged;
    Measures measures = seen;
    const auto take = [&](const char* name, double value) {
      if (std::isfinite(value)) measures[name] = value;
    };
    const auto total = static_cast<double>(run.key.steps);
    if (diverged) {
      for (const char* name : {"error", "validation_error", "train_error"}) take(name, stored.facts.baseline);
      take("gap", 0);
      if (noise_ > 0) {
        take("noisy_error", stored.facts.baseline);
        take("noise_increase", 0);
      }
    } else {
      take("error", result.test_error);
      take("loss", result.test_loss);
      for (const auto& [name, value] : result.further) take(name.c_str(), value);
      take("validation_error", result.validation_error);
      if (!result.points.empty()) take("train_loss", result.points.back().train_loss);
      if (seen.contains("train_error")) take("gap", result.test_error - seen.at("train_error"));
      if (seen.contains("final_train_loss")) take("loss_gap", result.test_loss - seen.at("final_train_loss"));
      if (seen.contains("noisy_error")) take("noise_increase", seen.at("noisy_error") - result.test_error);
      take("dead", result.dead);
      take("saturated", result.saturated);
    }
    take("ms_per_step", result.ms_per_step);
    take("parameters", static_cast<double>(result.parameters));
    const lab::ArmSettings& arm = stored.experiment.arm(run.key.arm);
    const auto epoch = static_cast<double>(stored.facts.train / stored.experiment.batch_of(arm));
    std::vector<CoursePoint> errors, losses;
    for (const lab::Point& point : result.points) {
      errors.push_back({static_cast<double>(point.epoch) * epoch, point.validation_error});
      losses.push_back({(static_cast<double>(point.epoch) - 0.5) * epoch, point.train_loss});
    }
    for (const auto& [name, target, course] :
         {std::tuple("error", target_error_, &errors), std::tuple("loss", target_loss_, &losses)}) {
      if (!(target > 0)) continue;
      const double steps = diverged ? total : std::min(total, steps_to(*course, target, total));
      measures[fmt::format("steps_to_{}", name)] = steps;
      if (std::isfinite(result.ms_per_step))
        measures[fmt::format("seconds_to_{}", name)] = steps * result.ms_per_step / 1e3;
    }
    return measures;
  }

  lab::Experiment experiment_;
  std::vector<std::int64_t> train_limits_, epochs_at_;
  double noise_ = 0, target_error_ = 0, target_loss_ = 0;
  std::vector<std::string> notes_;
};

}  // namespace

std::unique_ptr<Study> make_comparison(lab::Table& table) { return std::make_unique<Comparison>(table); }

}  // namespace ogee::claims

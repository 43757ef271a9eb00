// Small networks trained plainly, from first weights, biases and rates that may be bad ones: what saturated, dead or
// one-signed units do to learning. One of these conditions is varied; where several rates are given, each network is
// judged by the rate at which it does best, so that no function wins by the rate it happened to get.
#include "claims/studies/training_run.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "claims/studies/common.h"
#include "claims/studies/studies.h"
#include "lab/toml_table.h"
#include "ogee/ogee.h"

namespace ogee::claims {
namespace {

class TrainingStudy : public CellStudy {
 public:
  explicit TrainingStudy(lab::Table& table) : arms_(take_arms(table, names_, {"scale", "bias", "share"})) {
    source_.take(table);
    table.take("depth", run_.depth, 2, 1000);
    table.take("width", run_.width, 2, 1 << 14);
    table.take("optimiser", run_.optimiser.name, std::vector<std::string>{"sgd", "adam"});
    table.take("momentum", run_.optimiser.momentum, 0, true, 1);
    table.take("rates", rates_, 0, false, 1e6);
    table.take("weight_scale", run_.scale, 0, false, 1e6);
    table.take("bias", run_.bias, -1e6, true, 1e6);
    table.take("batch", run_.batch, 1, 1 << 24);
    table.take("steps", run_.steps, 1, 1'000'000'000);
    table.take("every", run_.every, 1, 1'000'000);
    table.take("target", run_.target, 0, false, 1e6);
    table.take("stop_at_target", run_.stop_at_target);
    table.take("path", run_.path);
    table.take("vary", vary_, std::vector<std::string>{"rate", "scale", "bias", "batch"});
    table.take("values", values_, -1e6, true, 1e6);
    table.take("seeds", seeds_, 1, 100000);
    check(table);
  }

  nlohmann::ordered_json settings() const override {
    return {{"study", "training"},
            {"arms", names_},
            {"data", source_.name()},
            {"fingerprint", source_.fingerprint()},
            {"train_limit", source_.limit()},
            {"depth", run_.depth},
            {"width", run_.width},
            {"optimiser", run_.optimiser.name},
            {"momentum", run_.optimiser.momentum},
            {"rates", rates_},
            {"weight_scale", run_.scale},
            {"bias", run_.bias},
            {"batch", run_.batch},
            {"steps", run_.steps},
            {"every", run_.every},
            {"target", run_.target},
            {"stop_at_target", run_.stop_at_target},
            {"path", run_.path},
            {"vary", vary_},
            {"values", values_},
            {"seeds", seeds_}};
  }
  std::map<std::string, std::string> measures() const override {
    std::map<std::string, std::string> words = training_measures(run_.path);
    if (rates_.size() > 1) words["rate"] = "the rate at which it did best: all other measures are of that run";
    return words;
  }
  std::string missing() const override { return source_.missing(); }

 protected:
  std::vector<Cell> cells() const override { return grid(names_, values_, seeds_); }

  std::map<std::string, double> measure(const Cell& cell, const std::atomic<bool>* stop) const override {
    const Arm& arm = arms_.at(cell.arm);
    TrainingRun run = run_;
    run.activation = arm.activation;
    run.seed = cell.seed;
    run.scale = vary_ == "scale" ? cell.at : arm.get("scale", run.scale);
    run.bias = vary_ == "bias" ? cell.at : arm.get("bias", run.bias);
    run.share = arm.get("share", run.share);
    if (vary_ == "batch") run.batch = static_cast<std::int64_t>(cell.at);
    if (vary_ == "rate") {
      run.rate = cell.at;
      return trained(run, stop).measures;
    }
    TrainingResult best;
    for (std::size_t i = 0; i < rates_.size(); ++i) {
      run.rate = rates_[i];
      // What is not there by then is no better.
      if (i > 0 && run.stop_at_target && best.reached > 0) run.steps = best.reached;
      TrainingResult result = trained(run, stop);
      if (i > 0 && !result.better_than(best)) continue;
      best = std::move(result);
      best.measures["rate"] = run.rate;
    }
    if (rates_.size() == 1) best.measures.erase("rate");
    return best.measures;
  }

 private:
  void check(lab::Table& table) const {
    for (const auto& [name, arm] : arms_) {
      if (Activation(arm.activation).spec().inputs > 1) table.fail("arms", name + ": expected functions of one input");
      if (arm.set.contains(vary_)) table.fail("arms", name + ": sets what is varied, the " + vary_);
      if (arm.get("scale", 1) <= 0) table.fail("arms", name + ": expected a scale above 0");
      if (arm.get("share", 0) < 0 || arm.get("share", 1) > 1)
        table.fail("arms", name + ": expected a share of units from 0 to 1");
    }
    if (rates_.empty()) table.fail("rates", "expected one rate or more");
    if (vary_ == "rate" && table.has("rates")) table.fail("rates", "the rate is what is varied; expected none here");
    for (const double value : values_) {
      if (vary_ != "bias" && value <= 0) table.fail("values", "of the " + vary_ + ": expected numbers above 0");
      if (vary_ == "batch" && value != std::floor(value)) table.fail("values", "of the batch: expected whole numbers");
    }
    if (run_.optimiser.name == "adam" && run_.optimiser.momentum > 0)
      table.fail("momentum", "is one of sgd; adam has its own");
    if (run_.optimiser.momentum >= 1) table.fail("momentum", "expected less than 1");
  }

  TrainingResult trained(const TrainingRun& run, const std::atomic<bool>* stop) const {
    std::optional<TrainingResult> result = train(run, source_.get(), stop);
    if (!result) throw Stopped();
    return *result;
  }

  std::vector<std::string> names_ = {"sigmoid", "tanh", "relu"};
  std::map<std::string, Arm> arms_;
  Source source_;
  TrainingRun run_;
  std::vector<double> rates_ = {0.1}, values_ = {0.01, 0.1, 1};
  std::string vary_ = "rate";
  std::int64_t seeds_ = 5;
};

}  // namespace

std::unique_ptr<Study> make_training(lab::Table& table) { return std::make_unique<TrainingStudy>(table); }

}  // namespace ogee::claims

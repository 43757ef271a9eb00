// What a noisy unit does at one input, draw by draw: where it lies without noise, which way the noise takes it, and how
// much of a gradient it lets through where the function that it is made from is saturated.
#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <vector>

#include "claims/studies/common.h"
#include "claims/studies/studies.h"
#include "lab/toml_table.h"
#include "ogee/ogee.h"

namespace ogee::claims {
namespace {

class NoiseStudy : public CellStudy {
 public:
  explicit NoiseStudy(lab::Table& table) {
    table.take("arms", names_);
    arms_ = take_arms(table, names_, {});
    for (const auto& [name, arm] : arms_) {
      const Spec& spec = Activation(arm.activation).spec();
      if (spec.inputs != 1) table.fail("arms", name + " takes two inputs; expected functions of one");
      if (spec.noise == Noise::uniform) table.fail("arms", name + " has uniform noise; expected normal noise, or none");
    }
    table.take("inputs", inputs_, -1e6, true, 1e6);
    table.take("draws", draws_, 1, 10000000);
    table.take("seeds", seeds_, 1, 100000);
  }

  nlohmann::ordered_json settings() const override {
    return {{"study", "noise"}, {"arms", names_}, {"inputs", inputs_}, {"draws", draws_}, {"seeds", seeds_}};
  }
  std::map<std::string, std::string> measures() const override {
    return {{"start", "the value at the input if the noise happens to be 0"},
            {"mean", "the mean over draws of the noise"},
            {"lowest", "the lowest of all draws"},
            {"highest", "the highest of all draws"},
            {"above", "the share of draws above the value without noise"},
            {"evaluated", "the value at evaluation"},
            {"passing", "the share of draws whose slope is not 0"},
            {"slope", "the size of the slope by the input, the mean over draws"},
            {"slope_spread", "the deviation of the slope over draws"}};
  }

 protected:
  std::vector<Cell> cells() const override { return grid(names_, inputs_, seeds_); }

  std::map<std::string, double> measure(const Cell& cell, const std::atomic<bool>* stop) const override {
    const Activation activation(arms_.at(cell.arm).activation);
    const double x[] = {cell.at};
    // Draws of equal seeds are the same for all arms.
    std::mt19937_64 random(cell.seed);
    std::normal_distribution<double> normal;
    const double start = exact(activation, x, 0).value;
    double sum = 0, lowest = infinity, highest = -infinity, above = 0, passing = 0;
    double sizes = 0, slopes = 0, squares = 0;
    for (std::int64_t i = 0; i < draws_; ++i) {
      if (i % 1024 == 0 && stop && stop->load(std::memory_order_relaxed)) throw Stopped();
      const Exact drawn = exact(activation, x, normal(random));
      const double slope = drawn.derivatives[0];
      sum += drawn.value;
      lowest = std::min(lowest, drawn.value);
      highest = std::max(highest, drawn.value);
      above += drawn.value > start;
      passing += slope != 0;
      sizes += std::abs(slope);
      slopes += slope;
      squares += slope * slope;
    }
    const auto count = static_cast<double>(draws_);
    const double mean_slope = slopes / count;
    return {{"start", start},
            {"mean", sum / count},
            {"lowest", lowest},
            {"highest", highest},
            {"above", above / count},
            {"evaluated", exact(activation, x, activation.spec().noise_at_evaluation, Mode::evaluation).value},
            {"passing", passing / count},
            {"slope", sizes / count},
            {"slope_spread", std::sqrt(std::max(0.0, squares / count - mean_slope * mean_slope))}};
  }

 private:
  std::vector<std::string> names_ = {"nah(base=hard_tanh, alpha=1.2)", "nah(base=hard_tanh, alpha=0.9)"};
  std::map<std::string, Arm> arms_;
  std::vector<double> inputs_ = {4};
  std::int64_t draws_ = 1000, seeds_ = 20;
};

}  // namespace

std::unique_ptr<Study> make_noise(lab::Table& table) { return std::make_unique<NoiseStudy>(table); }

}  // namespace ogee::claims

// The product of slopes: what the activations alone do to a gradient that passes through many layers.
//
// Through layers whose weights pass the gradient on as it is, what arrives at the first is the product of the slopes at
// the layers' pre-activations. At best every slope is the function's largest one (1/4 for sigmoid, at 0); drawn from
// normal pre-activations, the logarithm of the product is a sum of independent terms. What passes along one chain of
// neurons is the whole product: a single slope of 0 makes it 0.
#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <utility>

#include "claims/studies/common.h"
#include "claims/studies/studies.h"
#include "lab/toml_table.h"
#include "ogee/ogee.h"

namespace ogee::claims {
namespace {

class Slopes : public CellStudy {
 public:
  explicit Slopes(lab::Table& table) {
    table.take("arms", names_);
    if (std::find(names_.begin(), names_.end(), uniform_arm) != names_.end())
      table.fail("arms", "'uniform' is no function; expected the setting uniform = true");
    arms_ = take_arms(table, names_, {});
    for (const auto& [name, arm] : arms_) {
      const Activation activation(arm.activation);
      if (activation.spec().inputs != 1) table.fail("arms", name + " takes two inputs; expected functions of one");
      largest_[name] = properties(activation).lipschitz;
    }
    table.take("depths", depths_, 1, 10000);
    table.take("deviation", deviation_, 0, false, 1000);
    table.take("seeds", seeds_, 1, 100000);
    table.take("uniform", uniform_);
  }

  nlohmann::ordered_json settings() const override {
    return {{"study", "slopes"},       {"arms", names_},  {"depths", depths_},
            {"deviation", deviation_}, {"seeds", seeds_}, {"uniform", uniform_}};
  }
  std::map<std::string, std::string> measures() const override {
    return {
        {"largest_product", "the product of as many largest slopes as there are layers, its decimal logarithm"},
        {"drawn_product",
         "the product of the slopes' sizes at normal pre-activations, the decimal logarithm (no slope of 0 counted)"},
        {"zero_share", "the share of slopes that are 0"},
        {"above_1e-18", "1 where the product, slopes of 0 counted, is above 10^-18, else 0"}};
  }

 protected:
  std::vector<Cell> cells() const override {
    std::vector<std::string> arms = names_;
    if (uniform_) arms.emplace_back(uniform_arm);
    return grid(arms, {depths_.begin(), depths_.end()}, seeds_);
  }

  std::map<std::string, double> measure(const Cell& cell, const std::atomic<bool>*) const override {
    const bool uniform = cell.arm == uniform_arm;
    const std::vector<double> slopes = uniform ? uniform_slopes(cell) : slopes_of(cell);
    double sum = 0, zeros = 0;
    for (const double slope : slopes) {
      if (slope == 0)
        ++zeros;
      else
        sum += std::log10(std::abs(slope));
    }
    const double largest = uniform ? 1 : largest_.at(cell.arm);
    return {{"largest_product", cell.at * std::log10(largest)},
            {"drawn_product", sum},
            {"zero_share", zeros / cell.at},
            {"above_1e-18", zeros == 0 && sum > -18 ? 1 : 0}};
  }

 private:
  // In place of a function: slopes drawn evenly from 0 to 1.
  static constexpr const char* uniform_arm = "uniform";

  std::vector<double> slopes_of(const Cell& cell) const {
    // Pre-activations of equal seeds are the same for all arms.
    std::mt19937_64 random(cell.seed);
    std::normal_distribution<double> normal(0, deviation_);
    std::vector<double> z(static_cast<std::size_t>(cell.at)), ones(z.size(), 1.0), slopes(z.size());
    for (double& each : z) each = normal(random);
    backward<double>(Activation(arms_.at(cell.arm).activation), z, ones, slopes);
    return slopes;
  }
  static std::vector<double> uniform_slopes(const Cell& cell) {
    std::mt19937_64 random(cell.seed);
    std::uniform_real_distribution<double> uniform(0, 1);
    std::vector<double> slopes(static_cast<std::size_t>(cell.at));
    for (double& each : slopes) each = uniform(random);
    return slopes;
  }

  std::vector<std::string> names_ = {"sigmoid", "tanh", "relu"};
  std::map<std::string, Arm> arms_;
  std::vector<std::int64_t> depths_ = {50};
  double deviation_ = 1;
  std::int64_t seeds_ = 20;
  bool uniform_ = false;
  std::map<std::string, double> largest_;
};

}  // namespace

std::unique_ptr<Study> make_slopes(lab::Table& table) { return std::make_unique<Slopes>(table); }

}  // namespace ogee::claims

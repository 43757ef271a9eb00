// What measurements say of goals: figures by function, their extremes and means, bounds met or not.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace ogee::bench {

// A goal's parts: a figure each, and the bound it must keep.
struct Part {
  std::string what;
  double figure;
  bool at_least;  // or at most
  double bound;
  std::string detail;  // who falls short, or what else was measured

  // Nothing measured (NaN) is nothing met.
  bool met() const;
};
struct Goal {
  std::string name;
  std::vector<Part> parts;
  bool met() const;
};

// Figures by function, and what goals say of them.
class Figures {
 public:
  void add(std::string name, double figure) { all_.emplace_back(std::move(name), figure); }
  // NaN where there are none.
  double geometric() const;
  double least() const;
  double most() const;
  // All of them, the least first.
  std::string list() const;
  Part every_at_least(std::string what, double bound) const;
  Part every_at_most(std::string what, double bound) const;
  Part mean_at_least(std::string what, double bound) const;

 private:
  // Those that miss the bound, the worst first.
  std::string missing(bool at_least, double bound) const;
  double extreme(bool largest) const;
  std::vector<std::pair<std::string, double>> sorted(bool least_first) const;
  std::vector<std::pair<std::string, double>> all_;
};

// Of a report, "goals", to which "wrong" belongs: a line for each of our own kernels found to be out of tolerance.
nlohmann::ordered_json to_json(const std::vector<Goal>& goals);
std::string text_of(const nlohmann::ordered_json& report);
// Every goal is met, and nothing of ours is wrong: no speed makes good for that.
bool all_met(const nlohmann::ordered_json& report);

}  // namespace ogee::bench

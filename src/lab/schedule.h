// How an attribute of an activation moves while a network trains.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

namespace ogee::lab {

struct Schedule {
  enum class Shape {
    linear,        // from `from` to `to` by equal differences
    exponential,   // by equal ratios
    inverse_root,  // from/sqrt(t+1), t counting every `every` steps, but never beyond `to` (Gulcehre et al. 2016)
    validation,  // `factor` times as much whenever validation has not improved for `patience` epochs, never beyond `to`
  };
  std::string attribute;
  double from = 0, to = 0;
  Shape shape = Shape::linear;
  double until = 1;          // the share of the run's steps after which it stays at `to`; linear and exponential
  std::int64_t every = 200;  // inverse_root
  double factor = 0.5;       // validation
  std::int64_t patience = 1;

  // At `step` (from 0) of a run of `steps`; by validation: where it starts.
  double at(std::int64_t step, std::int64_t steps) const;

  bool operator==(const Schedule&) const = default;
};

// A schedule by validation as a run goes on.
struct Lowering {
  double value;
  double best = std::numeric_limits<double>::infinity();  // the lowest error so far
  std::int64_t waited = 0;                                // epochs since then, or since it was last lowered

  // After an epoch with this validation error; true where the value has changed. One that is no number is no
  // improvement.
  bool look(const Schedule& schedule, double error);
};

// "linear", "exponential", "c/sqrt(t+1)", "validation".
const char* name_of(Schedule::Shape shape);
// Throws Error.
Schedule::Shape shape_named(const std::string& name);
// What is wrong with it in words, or "".
std::string problem_of(const Schedule& schedule);

}  // namespace ogee::lab

// How an attribute of an activation moves while a network trains.
#pragma once

#include <cstdint>
#include <string>

namespace ogee::lab {

struct Schedule {
  enum class Shape {
    linear,        // from `from` to `to` by equal differences
    exponential,   // by equal ratios
    inverse_root,  // from/sqrt(t+1), t counting every `every` steps, but never beyond `to` (Gulcehre et al. 2016)
  };
  std::string attribute;
  double from = 0, to = 0;
  Shape shape = Shape::linear;
  double until = 1;          // the share of the run's steps after which it stays at `to`; linear and exponential
  std::int64_t every = 200;  // inverse_root

  // At `step` (from 0) of a run of `steps`.
  double at(std::int64_t step, std::int64_t steps) const;

  bool operator==(const Schedule&) const = default;
};

// "linear", "exponential", "c/sqrt(t+1)".
const char* name_of(Schedule::Shape shape);
// Throws Error.
Schedule::Shape shape_named(const std::string& name);
// What is wrong with it in words, or "".
std::string problem_of(const Schedule& schedule);

}  // namespace ogee::lab

#include "lab/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "ogee/ogee.h"
#include "registry/suggestion.h"

namespace ogee::lab {
namespace {

constexpr const char* names[] = {"linear", "exponential", "c/sqrt(t+1)", "validation"};

}  // namespace

double Schedule::at(std::int64_t step, std::int64_t steps) const {
  if (shape == Shape::validation) return from;
  if (shape == Shape::inverse_root) {
    const double value = from / std::sqrt(static_cast<double>(step / every) + 1);
    return from > to ? std::max(value, to) : std::min(value, to);
  }
  const double end = std::max(1.0, until * static_cast<double>(steps) - 1);  // so that the last step has `to`
  const double share = std::min(1.0, static_cast<double>(step) / end);
  if (share == 1) return to;
  return shape == Shape::linear ? from + (to - from) * share : from * std::pow(to / from, share);
}

bool Lowering::look(const Schedule& schedule, double error) {
  if (error < best) {
    best = error;
    waited = 0;
    return false;
  }
  if (++waited < schedule.patience) return false;
  waited = 0;
  const double before = value, next = value * schedule.factor;
  value = std::max(next, schedule.to);
  return value != before;
}

const char* name_of(Schedule::Shape shape) { return names[static_cast<std::size_t>(shape)]; }

Schedule::Shape shape_named(const std::string& name) {
  const auto found = std::find(std::begin(names), std::end(names), name);
  if (found == std::end(names))
    throw Error(fmt::format("shape = \"{}\": expected linear, exponential, c/sqrt(t+1) or validation{}", name,
                            suggestion(name, {std::begin(names), std::end(names)})));
  return static_cast<Schedule::Shape>(found - std::begin(names));
}

std::string problem_of(const Schedule& s) {
  if (!std::isfinite(s.from) || !std::isfinite(s.to)) return "from and to must be finite";
  if (s.shape == Schedule::Shape::exponential && !(s.from * s.to > 0))
    return fmt::format("exponential from {:g} to {:g}: both must be of one sign, and not 0", s.from, s.to);
  if (s.shape == Schedule::Shape::inverse_root && !(s.from > 0 && s.to >= 0 && s.to <= s.from))
    return fmt::format("c/sqrt(t+1) from {:g} to {:g}: it falls towards 0, so that 0 <= to <= from is expected", s.from,
                       s.to);
  if (s.shape == Schedule::Shape::validation) {
    if (!(s.from > 0 && s.to >= 0 && s.to <= s.from))
      return fmt::format("by validation from {:g} to {:g}: it falls towards 0, so that 0 <= to <= from is expected",
                         s.from, s.to);
    if (!(s.factor > 0 && s.factor < 1)) return fmt::format("factor = {:g}: expected above 0, below 1", s.factor);
    if (s.patience < 1) return fmt::format("patience = {}: expected at least 1", s.patience);
  }
  if (!(s.until > 0 && s.until <= 1)) return fmt::format("until = {:g}: expected above 0, at most 1", s.until);
  if (s.every < 1) return fmt::format("every = {}: expected at least 1", s.every);
  return "";
}

}  // namespace ogee::lab

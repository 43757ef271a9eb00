#include "bench/speed/validation.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

namespace ogee::bench {
namespace {

constexpr std::size_t places_checked = 4096;

struct Format {
  int digits;   // of the significand, the leading one included
  int minimum;  // the exponent of the smallest normal number
};
Format format_of(Type type) {
  switch (type) {
    case Type::float64: return {53, -1022};
    case Type::float32: return {24, -126};
    case Type::bfloat16: return {8, -126};
    case Type::float16: return {11, -14};
  }
  return {};
}

double unit(Type type, double value) {
  const Format format = format_of(type);
  const int exponent = value == 0 ? format.minimum : std::max(std::ilogb(value), format.minimum);
  return std::ldexp(1.0, exponent - format.digits + 1);
}

}  // namespace

double tolerance(Type type) {
  switch (type) {
    case Type::float64: return 0x1p-24;
    case Type::float32: return 0x1p-12;
    case Type::bfloat16: return 0x1p-4;
    case Type::float16: return 0x1p-7;
  }
  return 0;
}

Validation::Validation(const Case& c) : case_(c) {
  const std::size_t step = std::max<std::size_t>(1, c.elements / places_checked);
  const Spec& spec = c.spec();
  for (std::size_t i = 0; i < c.elements; i += step) {
    // Where the derivative jumps there are several right answers.
    const double x = Arrays::at(c.type, c.input[0], i);
    const auto jumps = [&](const Kink& kink) { return x == kink.at; };
    if (spec.inputs == 1 && std::any_of(spec.kinks.begin(), spec.kinks.end(), jumps)) continue;
    places_.push_back(i);
  }
  if (spec.noise != Noise::none) return;
  for (std::size_t i : places_) expected_.push_back(exact_at(i, 0));
}

Validation::Point Validation::exact_at(std::size_t i, double noise) const {
  const std::size_t inputs = case_.spec().inputs;
  double x[max_inputs];
  for (std::size_t k = 0; k < inputs; ++k) x[k] = Arrays::at(case_.type, case_.input[k], i);
  const Exact exact_value = exact(*case_.activation, {x, inputs}, noise, Mode::training);
  Point point{exact_value.value, {}};
  const double dy = Arrays::at(case_.type, case_.dy, i);
  for (std::size_t k = 0; k < inputs; ++k) point.dx[k] = dy * exact_value.derivatives[k];
  return point;
}

Verdict Validation::check(const Arrays& arrays, const Work& work) {
  const bool noisy = case_.spec().noise != Noise::none;
  if (noisy && !work.noise) return {false, infinity, "does not tell its noise, so it cannot be checked"};
  arrays.spoil(case_);
  work.run();
  if (work.deliver) work.deliver();
  Verdict verdict{true, 0, {}};
  // Where terms cancel, units of the small difference say nothing. Roots are those of the first input.
  const auto near_root = [&](std::size_t i) {
    const double x = Arrays::at(case_.type, case_.input[0], i);
    const auto& roots = case_.spec().roots;
    return std::any_of(roots.begin(), roots.end(), [&](double root) { return std::abs(x - root) < 0.25; });
  };
  const auto compare = [&](const char* what, const void* data, std::size_t i, double exact_value) {
    const double got = Arrays::at(case_.type, data, i);
    double error = std::abs(got - exact_value);
    if (std::isnan(error)) error = infinity;
    if (!near_root(i)) verdict.ulp = std::max(verdict.ulp, error / unit(case_.type, exact_value));
    if (error <= tolerance(case_.type) * std::max(1.0, std::abs(exact_value)) || !verdict.qualified) return;
    verdict.qualified = false;
    verdict.reason = fmt::format("another function: {} = {:.6g} at x = {:.6g}, {:.6g} expected", what, got,
                                 Arrays::at(case_.type, case_.input[0], i), exact_value);
  };
  for (std::size_t k = 0; k < places_.size(); ++k) {
    const std::size_t i = places_[k];
    const Point point = noisy ? exact_at(i, work.noise(i)) : expected_[k];
    if (case_.direction != Direction::backward) compare("y", case_.y, i, point.y);
    if (case_.direction == Direction::forward) continue;
    for (std::size_t input = 0; input < case_.spec().inputs; ++input) {
      compare("dx", case_.dx[input], i, point.dx[input]);
    }
  }
  return verdict;
}

}  // namespace ogee::bench

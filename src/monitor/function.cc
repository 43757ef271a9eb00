#include "monitor/function.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>
#include <mutex>
#include <vector>

namespace ogee::monitor {
namespace {

// A share of the largest slope below which a unit learns next to nothing: at 5 %, twenty times slower than it might.
constexpr double small = 0.05;
constexpr double reach = 60, step = 0.01;

// The slope by the (gate) input, noise at its evaluation constant, the second input 1.
class Slope {
 public:
  explicit Slope(const Activation& activation) : activation_(activation) {}
  double at(double x) const {
    const double inputs[] = {x, 1.0};
    const Spec& spec = activation_.spec();
    const Exact y = exact(activation_, std::span(inputs, spec.inputs), spec.noise_at_evaluation, Mode::evaluation);
    return std::fabs(y.derivatives[0]);
  }

 private:
  const Activation& activation_;
};

// A gated function of its gate, the value held at 1, has no property sheet: whether the slope dies out is seen far out.
struct Sides {
  Saturation left, right;
  double hard_left, hard_right;
};
Saturation from_slopes(const Slope& slope, double sign) {
  const double far = slope.at(sign * 1e4), farther = slope.at(sign * 1e6);
  return far == 0 && farther == 0 ? Saturation::soft : Saturation::none;
}

Sides sides_of(const Activation& activation, const Slope& slope) {
  if (activation.spec().inputs == 1) {
    const Properties p = properties(activation);
    const auto kind = [](const ogee::Saturation& s) {
      return !s.saturates ? Saturation::none : s.hard ? Saturation::hard : Saturation::soft;
    };
    return {kind(p.left), kind(p.right), p.left.from, p.right.from};
  }
  Sides sides{from_slopes(slope, -1), from_slopes(slope, 1), 0, 0};
  // Hard, if the slope is exactly 0 on from somewhere near, where no smooth function has underflowed yet.
  constexpr double near = 12;
  const auto hard = [&](double sign, Saturation& side, double& from) {
    if (side == Saturation::none || slope.at(sign * near) != 0) return;
    double zero = near, live = -near;
    while (zero - live > 1e-6) {
      const double middle = (zero + live) / 2;
      (slope.at(sign * middle) == 0 ? zero : live) = middle;
    }
    side = Saturation::hard;
    from = sign * zero;
  };
  hard(-1, sides.left, sides.hard_left);
  hard(1, sides.right, sides.hard_right);
  return sides;
}

std::shared_ptr<const Function> make(const std::string& text) {
  Activation activation(text);
  const Spec& spec = activation.spec();
  FunctionFacts facts;
  facts.text = text;
  facts.gated = spec.inputs == 2;
  facts.noisy = spec.noise != Noise::none;
  facts.learned = std::any_of(spec.parameters.begin(), spec.parameters.end(),
                              [](const Parameter& p) { return p.role == Role::learned; });
  const Slope slope(activation);
  const Sides sides = sides_of(activation, slope);
  facts.left = sides.left;
  facts.right = sides.right;
  facts.largest_slope = 0;
  std::vector<double> slopes;
  for (double x = -reach; x <= reach; x += step) {
    const double s = slope.at(x);
    slopes.push_back(std::isfinite(s) ? s : 0);
    // A few points of a curve without bound (squared relu) say nothing of what is small: near 0 they do.
    if (std::fabs(x) <= 6) facts.largest_slope = std::max(facts.largest_slope, slopes.back());
  }
  const double floor = small * facts.largest_slope;
  const auto count = slopes.size();
  if (facts.left == Saturation::hard) facts.left_bound = sides.hard_left;
  if (facts.left == Saturation::soft) {
    std::size_t i = 0;
    while (i < count && slopes[i] < floor) ++i;
    if (i > 0) facts.left_bound = -reach + step * static_cast<double>(i);
  }
  if (facts.right == Saturation::hard) facts.right_bound = sides.hard_right;
  if (facts.right == Saturation::soft) {
    std::size_t i = 0;
    while (i < count && slopes[count - 1 - i] < floor) ++i;
    if (i > 0) facts.right_bound = reach - step * static_cast<double>(i);
  }
  const double none = infinity;
  const Bounds bounds{static_cast<float>(facts.left_bound), static_cast<float>(facts.right_bound),
                      static_cast<float>(facts.left == Saturation::hard ? sides.hard_left : -none),
                      static_cast<float>(facts.right == Saturation::hard ? sides.hard_right : none)};
  if (spec.inputs == 1) {
    const Properties p = properties(activation);
    facts.gain = p.gain;
    facts.mean = p.mean;
    facts.least_output = p.low;
    facts.zero_centred = std::fabs(p.mean) < 0.1 * p.deviation;
  }
  return std::make_shared<const Function>(Function{std::move(activation), std::move(facts), bounds});
}

}  // namespace

std::shared_ptr<const Function> function_named(const std::string& text) {
  static std::mutex mutex;
  static std::map<std::string, std::shared_ptr<const Function>> known;
  static std::deque<std::string> order;
  const std::lock_guard lock(mutex);
  const auto found = known.find(text);
  if (found != known.end()) return found->second;
  std::shared_ptr<const Function> made;
  try {
    made = make(text);
  } catch (const Error&) {  // the monitor is a guest: an attribute that Ogee refuses is the program's own business
  }
  constexpr std::size_t most = 256;
  if (order.size() == most) {
    known.erase(order.front());
    order.pop_front();
  }
  known.emplace(text, made);
  order.push_back(text);
  return made;
}

}  // namespace ogee::monitor

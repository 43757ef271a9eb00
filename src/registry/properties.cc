// The property sheet, computed from the definition: nothing here is typed in by hand. One-input functions, at
// evaluation, at the activation's own parameters.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "registry/catalogue.h"

namespace ogee {
namespace {

class Curve {
 public:
  explicit Curve(const Activation& activation)
      : f_(activation.function().reference),
        p_(activation.parameters()),
        direction_(1 + activation.parameters().size(), 0.0) {
    direction_[0] = 1;
  }
  double value(double x) const { return f_.value(&x, p_.data(), 0, Mode::evaluation); }
  double slope(double x) const { return f_.derivative(&x, p_.data(), 0, Mode::evaluation, direction_.data()); }
  double second(double x) const {
    return f_.second(&x, p_.data(), 0, Mode::evaluation, direction_.data(), direction_.data());
  }

 private:
  const ReferenceFunctions& f_;
  std::span<const double> p_;
  std::vector<double> direction_;
};

// The points looked at: dense near 0, then ever wider, to 1e6 on either side.
std::vector<double> grid() {
  std::vector<double> points;
  for (int i = 0; i <= 20000; ++i) points.push_back(-10 + i * 0.001);
  for (double x = 10; x < 1e6; x *= 1.002) {
    points.push_back(x);
    points.push_back(-x);
  }
  std::sort(points.begin(), points.end());
  return points;
}

// Between a and b the slope (order 0) or the value (order -1) changes by more than smoothness allows: halve until the
// place is found, if the change does not shrink with the interval.
bool jumps(const Curve& curve, double a, double b, int order, double& at) {
  const auto f = [&](double x) { return order == -1 ? curve.value(x) : order == 0 ? curve.slope(x) : curve.second(x); };
  const double whole = std::fabs(f(b) - f(a));
  if (!(whole > 1e-6)) return false;
  for (int i = 0; i < 40; ++i) {
    const double middle = 0.5 * (a + b);
    if (middle <= a || middle >= b) break;
    const double left = std::fabs(f(middle) - f(a)), right = std::fabs(f(b) - f(middle));
    (left > right ? b : a) = middle;
    if (std::max(left, right) < 0.25 * whole) return false;
  }
  at = std::fabs(b) < 1e-9 ? 0 : b;
  return true;
}

Saturation saturation(const Curve& curve, double side) {
  Saturation s;
  double previous = std::fabs(curve.slope(side * 10));
  for (double x : {1e2, 1e3, 1e4, 1e6, 1e9}) {
    const double slope = std::fabs(curve.slope(side * x));
    if (!(slope <= previous)) return s;
    previous = slope;
  }
  s.saturates = previous < 1e-6;
  if (!s.saturates || curve.slope(side * 1e3) != 0) return s;
  // Hard: exactly 0 from a finite point on. A soft tail that underflows is not: there the second derivative fades
  // through every magnitude, while at a kink the slope is still sizeable just before.
  double zero = side * 1e3, nonzero = -side * 1e3;
  for (double x = 1e3; x > -1e3; x -= 0.25) {
    if (curve.slope(side * x) != 0) {
      nonzero = side * x;
      break;
    }
    zero = side * x;
  }
  for (int i = 0; i < 200 && std::fabs(zero - nonzero) > 1e-12; ++i) {
    const double middle = 0.5 * (zero + nonzero);
    (curve.slope(middle) != 0 ? nonzero : zero) = middle;
  }
  s.hard = std::fabs(curve.slope(nonzero - side * 1e-3)) > 1e-9;
  if (s.hard) s.from = std::fabs(zero) < 1e-9 ? 0 : zero;
  return s;
}

Properties computed(const Activation& activation) {
  const Spec& spec = activation.spec();
  if (spec.inputs != 1) throw Error(std::string(spec.name) + ": properties are of functions of one input");
  const Curve curve(activation);
  Properties p{};
  p.limit_left = curve.value(-infinity);
  p.limit_right = curve.value(infinity);
  p.low = infinity;
  p.high = -infinity;
  p.monotonic = true;
  p.lipschitz = 0;
  const std::vector<double> points = grid();
  int direction = 0;
  double previous = curve.value(points.front());
  for (double x : points) {
    const double value = curve.value(x), slope = curve.slope(x);
    p.low = std::min(p.low, value);
    p.high = std::max(p.high, value);
    p.lipschitz = std::max(p.lipschitz, std::fabs(slope));
    const double change = value - previous;
    if (std::fabs(change) > 1e-12 * std::max(1.0, std::fabs(value))) {
      const int sign = change > 0 ? 1 : -1;
      if (direction != 0 && sign != direction) p.monotonic = false;
      direction = sign;
    }
    previous = value;
  }
  for (double limit : {p.limit_left, p.limit_right}) {
    if (std::isnan(limit)) continue;
    p.low = std::min(p.low, limit);
    p.high = std::max(p.high, limit);
  }
  // A slope that still grows far out is unbounded; where the value itself oscillates without limit, likewise.
  const double far = std::max(std::fabs(curve.slope(1e6)), std::fabs(curve.slope(-1e6)));
  const double near = std::max(std::fabs(curve.slope(1e3)), std::fabs(curve.slope(-1e3)));
  if (far > 10 * std::max(near, 1e-3) || p.lipschitz > 1e4) p.lipschitz = infinity;
  if (std::isnan(p.limit_right) && p.high > 1e4) p.high = infinity;
  if (std::isnan(p.limit_left) && p.low < -1e4) p.low = -infinity;

  p.left = saturation(curve, -1);
  p.right = saturation(curve, 1);

  // Smoothness: the lowest derivative that jumps somewhere on [-10, 10].
  p.smoothness = 2;
  for (int order = -1; order <= 1; ++order) {
    for (std::size_t i = 1; i < points.size(); ++i) {
      if (std::fabs(points[i]) > 10 || std::fabs(points[i - 1]) > 10) continue;
      double at;
      if (jumps(curve, points[i - 1], points[i], order, at)) {
        p.smoothness = std::min(p.smoothness, order);
        if (order <= 0 && (p.kinks.empty() || std::fabs(p.kinks.back() - at) > 1e-6)) p.kinks.push_back(at);
      }
    }
  }
  std::sort(p.kinks.begin(), p.kinks.end());
  p.kinks.erase(std::unique(p.kinks.begin(), p.kinks.end(), [](double a, double b) { return std::fabs(a - b) < 1e-6; }),
                p.kinks.end());

  // Moments under N(0,1): the trapezoidal rule on [-12, 12], which converges faster than any power for smooth functions
  // and to 1e-6 across kinks at this step.
  double first = 0, square = 0, slope_square = 0, zero = 0, mass = 0;
  constexpr double step = 1e-3;
  for (int i = -12000; i <= 12000; ++i) {
    const double x = (i + 0.5) * step;  // between the grid's points, where kinks like to sit
    const double weight = std::exp(-0.5 * x * x) * step * 0.39894228040143267794;
    const double value = curve.value(x), slope = curve.slope(x);
    mass += weight;
    first += weight * value;
    square += weight * value * value;
    slope_square += weight * slope * slope;
    if (value == 0) zero += weight;
  }
  p.mean = std::fabs(first / mass) < 1e-12 ? 0 : first / mass;
  p.deviation = std::sqrt(std::max(0.0, square / mass - p.mean * p.mean));
  p.slope_square = slope_square / mass;
  p.gain = 1 / std::sqrt(square / mass);
  p.zero_share = zero / mass;
  return p;
}

}  // namespace

// Tens of milliseconds each, and asked for again and again: those of the last few hundred activations are kept.
Properties properties(const Activation& activation) {
  using Key = std::pair<const Function*, std::vector<double>>;
  static std::mutex mutex;
  static std::map<Key, Properties> known;
  const std::span<const double> parameters = activation.parameters();
  Key key{&activation.function(), {parameters.begin(), parameters.end()}};
  {
    const std::lock_guard lock(mutex);
    if (const auto found = known.find(key); found != known.end()) return found->second;
  }
  Properties made = computed(activation);
  constexpr std::size_t most = 256;
  const std::lock_guard lock(mutex);
  if (known.size() >= most) known.clear();
  return known.emplace(std::move(key), std::move(made)).first->second;
}

}  // namespace ogee

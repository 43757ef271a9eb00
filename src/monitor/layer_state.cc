#include "monitor/layer_state.h"

#include <algorithm>
#include <cmath>

namespace ogee::monitor {
namespace {

constexpr std::size_t most_history = 256;
// A unit counts as stuck on a side when it is there for so many of its examples.
constexpr double nearly_always = 0.95;
constexpr std::int64_t calls_between_covariances = 8;
// How much of `recent` numbers a window leaves.
constexpr double fading = 15.0 / 16;

void add(Sums& to, const Sums& more) {
  to.n += more.n;
  to.squares += more.squares;
}
double root_mean_square(const Sums& s) { return s.n > 0 ? std::sqrt(s.squares / s.n) : not_measured; }

}  // namespace

void thin(std::vector<Snapshot>& history) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < history.size(); ++i) {
    if (i % 2 == 0 || i + 1 == history.size()) {
      if (kept != i) history[kept] = std::move(history[i]);
      ++kept;
    }
  }
  history.resize(kept);
}

LayerState::LayerState(std::string name, std::string op, std::shared_ptr<const Function> function, std::int64_t order)
    : function_(std::move(function)) {
  record_.name = std::move(name);
  record_.op = std::move(op);
  record_.order = order;
  if (function_) record_.function = function_->facts;
  record_.history.reserve(most_history);
}

void LayerState::input(const View& z, std::int64_t units, std::int64_t unit_step, std::int64_t elements,
                       std::size_t most) {
  ++record_.calls;
  record_.elements += static_cast<double>(elements);
  z_.merge(moments_of(z));
  quantiles_.add(z, most);
  if (sides_.left.size() != z.units) {
    sides_.reset(z.units);
    seen_a_unit_ = 0;
    unit_gradient_.assign(z.units, 0);
  }
  if (record_.units != units || record_.unit.size() != z.units) {
    record_.units = units;
    record_.unit.assign(z.units, {});
    for (std::size_t u = 0; u < z.units; ++u) record_.unit[u].index = static_cast<std::int64_t>(u) * unit_step;
  }
  if (function_) count_sides(z, function_->bounds, sides_);
  seen_a_unit_ += static_cast<double>(z.rows * z.inner);
}

void LayerState::output(const View& y, std::span<const float> quiet) {
  const Spread spread = spread_of(y);
  y_.merge(spread.moments);
  y_zeros_ += spread.zeros;
  // Directions change slowly, and cost more than all else: once a window, and not in each of windows without a gap.
  if (!covariance_taken_ && record_.calls >= covariance_due_) {
    covariance_.add(y);
    rank_ = covariance_.rank();
    correlation_ = covariance_.correlation();
    covariance_taken_ = true;
    covariance_due_ = record_.calls + calls_between_covariances;
  }
  if (quiet.size() == y.count() && !quiet.empty()) {
    for (std::size_t i = 0; i < quiet.size(); ++i) {
      const double d = static_cast<double>(y.row(i / y.width())[i % y.width()]) - quiet[i];
      if (!std::isfinite(d)) continue;
      noise_squares_ += d * d;
      noise_n_ += 1;
    }
    quiet_.merge(moments_of(quiet));
  }
}

void LayerState::gradient(const View& dy, const View& dz) {
  add(dy_, sums_of(dy));
  if (dz.count() != dy.count()) {
    if (unit_gradient_.size() == dy.units) largest_magnitudes(dy, unit_gradient_);
  } else {
    add(dz_, unit_gradient_.size() == dz.units ? sums_and_magnitudes(dz, unit_gradient_) : sums_of(dz));
  }
}

void LayerState::parameters(std::size_t which, std::size_t count, std::span<const float> values) {
  if (values.empty()) return;
  for (auto& list : parameter_) list.resize(count, not_measured);
  double sum = 0;
  for (const float v : values) sum += v;
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  parameter_[0][which] = sum / static_cast<double>(values.size());
  parameter_[1][which] = *low;
  parameter_[2][which] = *high;
}

void LayerState::close_units(Snapshot& s) {
  if (!function_ || seen_a_unit_ == 0 || sides_.left.empty()) return;
  double left = 0, right = 0, left_units = 0, right_units = 0, stuck = 0, silent = 0;
  const double seen = seen_a_unit_, units = static_cast<double>(sides_.left.size());
  for (std::size_t u = 0; u < sides_.left.size(); ++u) {
    const double l = sides_.left[u], r = sides_.right[u], zero = sides_.zero[u];
    left += l;
    right += r;
    left_units += l >= nearly_always * seen;
    right_units += r >= nearly_always * seen;
    stuck += l + r >= nearly_always * seen;
    silent += zero >= seen;
    Unit& unit = record_.unit[u];
    unit.seen += seen;
    unit.left += l;
    unit.right += r;
    unit.zero_slope += zero;
    unit.recent_seen = fading * unit.recent_seen + seen;
    unit.recent_zero_slope = fading * unit.recent_zero_slope + zero;
    unit.gradient = std::max<double>(unit.gradient, unit_gradient_[u]);
    unit.recent_gradient = std::max<double>(fading * unit.recent_gradient, unit_gradient_[u]);
  }
  s.left = left / (seen * units);
  s.right = right / (seen * units);
  s.left_units = left_units / units;
  s.right_units = right_units / units;
  s.stuck_units = stuck / units;
  s.silent_units = silent / units;
}

bool LayerState::close(std::int64_t step, const WeightNumbers& weights) {
  if (z_.n == 0 && seen_a_unit_ == 0) return false;
  Snapshot s;
  s.step = step;
  if (z_.n > 0) {
    s.z_mean = z_.mean;
    s.z_deviation = z_.deviation();
    s.z_skew = z_.skew();
    s.z_kurtosis = z_.kurtosis();
    const double shares[] = {0.05, 0.25, 0.5, 0.75, 0.95};
    const auto q = quantiles_.quantiles(shares);
    s.z_05 = q[0];
    s.z_25 = q[1];
    s.z_50 = q[2];
    s.z_75 = q[3];
    s.z_95 = q[4];
    if (last_deviation_ > 0) {
      s.drift = std::fabs(s.z_mean - last_mean_) / last_deviation_;
      if (s.z_deviation > 0) s.spread_drift = std::fabs(std::log2(s.z_deviation / last_deviation_));
    }
    last_mean_ = s.z_mean;
    last_deviation_ = s.z_deviation;
  }
  if (y_.n > 0) {
    s.y_mean = y_.mean;
    s.y_deviation = y_.deviation();
    s.y_zero = y_zeros_ / y_.n;
  }
  close_units(s);
  s.y_gradient = root_mean_square(dy_);
  s.z_gradient = root_mean_square(dz_);
  s.weight = weights.weight;
  s.weight_gradient = weights.gradient;
  s.update_ratio = weights.update_ratio;
  s.reversal = weights.reversal;
  s.one_sign = weights.one_sign;
  s.one_sign_chance = weights.one_sign_chance;
  s.rank = rank_;
  s.correlation = correlation_;
  s.unit_offset = covariance_.offset();
  s.unit_drift = covariance_.moved();
  if (noise_n_ > 0 && quiet_.deviation() > 0) s.noise = std::sqrt(noise_squares_ / noise_n_) / quiet_.deviation();
  s.parameters = parameter_[0];
  s.parameters_low = parameter_[1];
  s.parameters_high = parameter_[2];

  if (record_.windows == 0) record_.first = s;
  ++record_.windows;
  record_.steps_as_seen = step;
  if (record_.history.size() == most_history) thin(record_.history);
  record_.history.push_back(std::move(s));

  z_ = {};
  quantiles_.clear();
  std::fill(sides_.left.begin(), sides_.left.end(), 0.0F);
  std::fill(sides_.right.begin(), sides_.right.end(), 0.0F);
  std::fill(sides_.zero.begin(), sides_.zero.end(), 0.0F);
  std::fill(unit_gradient_.begin(), unit_gradient_.end(), 0.0F);
  seen_a_unit_ = 0;
  dy_ = dz_ = {};
  y_ = quiet_ = {};
  y_zeros_ = noise_squares_ = noise_n_ = 0;
  covariance_taken_ = false;
  for (auto& list : parameter_) list.clear();
  return true;
}

}  // namespace ogee::monitor

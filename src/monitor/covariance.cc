// How a layer's outputs go together: a sketch of their covariance.
#include "monitor/statistics.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "monitor/covariance.cc"
#include "hwy/foreach_target.h"
//
#include <algorithm>
#include <cmath>
#include <limits>

#include "hwy/highway.h"

#ifndef OGEE_MONITOR_SKETCH
#define OGEE_MONITOR_SKETCH
namespace ogee::monitor {
// Samples one after another, each of so many units, of which the last ones may be zeros.
inline constexpr std::size_t sketch_width = Covariance::most_units;
}  // namespace ogee::monitor
#endif

HWY_BEFORE_NAMESPACE();
namespace ogee::monitor::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::CappedTag<float, sketch_width>;

// Takes each unit's mean off, and gives these and the sums of squares of what is left.
HWY_ATTR void centre(float* x, std::size_t samples, float* means, float* squares) {
  const D d;
  for (std::size_t u = 0; u < sketch_width; u += hn::Lanes(d)) {
    auto sum = hn::Zero(d), second = sum;
    for (std::size_t s = 0; s < samples; ++s) sum = hn::Add(sum, hn::LoadU(d, x + s * sketch_width + u));
    const auto mean = hn::Div(sum, hn::Set(d, static_cast<float>(samples)));
    for (std::size_t s = 0; s < samples; ++s) {
      float* const at = x + s * sketch_width + u;
      const auto v = hn::Sub(hn::LoadU(d, at), mean);
      second = hn::MulAdd(v, v, second);
      hn::StoreU(v, d, at);
    }
    hn::StoreU(mean, d, means + u);
    hn::StoreU(second, d, squares + u);
  }
}

// Products of each unit with those up to it (and some more), summed over samples.
HWY_ATTR void products(const float* x, std::size_t samples, float* sums) {
  const D d;
  for (std::size_t u = 0; u < sketch_width; u += 4) {
    for (std::size_t v = 0; v < u + 4; v += hn::Lanes(d)) {
      auto a = hn::Zero(d), b = a, c = a, e = a;
      for (std::size_t s = 0; s < samples; ++s) {
        const float* const at = x + s * sketch_width;
        const auto other = hn::LoadU(d, at + v);
        a = hn::MulAdd(hn::Set(d, at[u]), other, a);
        b = hn::MulAdd(hn::Set(d, at[u + 1]), other, b);
        c = hn::MulAdd(hn::Set(d, at[u + 2]), other, c);
        e = hn::MulAdd(hn::Set(d, at[u + 3]), other, e);
      }
      float* const to = sums + u * sketch_width + v;
      hn::StoreU(a, d, to);
      hn::StoreU(b, d, to + sketch_width);
      hn::StoreU(c, d, to + 2 * sketch_width);
      hn::StoreU(e, d, to + 3 * sketch_width);
    }
  }
}

}  // namespace ogee::monitor::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ogee::monitor {
HWY_EXPORT(centre);
HWY_EXPORT(products);

void Covariance::add(const View& y) {
  const std::size_t units = std::min(y.units, most_units);
  const std::size_t available = y.rows * y.inner, samples = std::min(available, most_samples);
  if (units < 2 || samples < 4) return;
  std::size_t place[most_units];
  for (std::size_t u = 0; u < units; ++u) place[u] = u * y.units / units * y.inner;
  alignas(64) float x[most_samples * most_units];
  for (std::size_t s = 0; s < samples; ++s) {
    const std::size_t at = s * available / samples;
    const float* const row = y.row(at / y.inner) + at % y.inner;
    float* const to = x + s * most_units;
    for (std::size_t u = 0; u < units; ++u) to[u] = row[place[u]];
    for (std::size_t u = units; u < most_units; ++u) to[u] = 0;
  }
  // Centred within the sample, which a mean that moves in training does not disturb.
  float centres[most_units], squares[most_units];
  HWY_DYNAMIC_DISPATCH(centre)(x, samples, centres, squares);
  double variance = 0;  // summed over units
  for (std::size_t u = 0; u < units; ++u) variance += squares[u] / static_cast<float>(samples - 1);
  if (!std::isfinite(variance)) return;
  if (units != units_) {
    units_ = units;
    samples_ = 0;
    sum_.assign(units * units, 0);
  }
  // The places of one image are no samples of their own.
  compare_means({centres, units}, variance, std::max<std::size_t>(2, std::min(samples, y.rows)));
  float sums[most_units * most_units];
  HWY_DYNAMIC_DISPATCH(products)(x, samples, sums);
  constexpr double kept = 0.8;  // of older windows: about five count
  samples_ = kept * samples_ + static_cast<double>(samples - 1);
  for (std::size_t u = 0; u < units; ++u) {
    for (std::size_t v = 0; v <= u; ++v) {
      double& sum = sum_[u * units + v];
      sum = kept * sum + sums[u * most_units + v];
      sum_[v * units + u] = sum;
    }
  }
}

void Covariance::compare_means(std::span<const float> means, double variance, std::size_t samples) {
  constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
  const double chance = variance / static_cast<double>(samples);
  double squares = 0, moves = 0;
  for (std::size_t u = 0; u < means.size(); ++u) {
    squares += static_cast<double>(means[u]) * means[u];
    if (means_.size() == means.size()) moves += (static_cast<double>(means[u]) - means_[u]) * (means[u] - means_[u]);
  }
  const auto over = [&](double sum, double by_chance) { return std::sqrt(std::max(0.0, sum - by_chance) / variance); };
  offset_ = variance > 0 ? over(squares, chance) : unknown;
  moved_ = variance > 0 && means_.size() == means.size() ? over(moves, 2 * chance) : unknown;
  means_.assign(means.begin(), means.end());
}

double Covariance::rank() const {
  if (units_ == 0) return std::numeric_limits<double>::quiet_NaN();
  double trace = 0, squares = 0;
  for (std::size_t u = 0; u < units_; ++u) trace += sum_[u * units_ + u];
  for (std::size_t u = 0; u < units_; ++u) {
    const double* const row = sum_.data() + u * units_;
    double below = 0;
    for (std::size_t v = 0; v < u; ++v) below += row[v] * row[v];
    squares += 2 * below + row[u] * row[u];
  }
  if (!(trace > 0)) return std::numeric_limits<double>::quiet_NaN();
  // n samples of independent units add trace^2/n to the expected sum of squares: taken off again.
  const double corrected = std::max(squares - trace * trace / samples_, trace * trace / static_cast<double>(units_));
  return std::min(1.0, trace * trace / corrected / static_cast<double>(units_));
}

double Covariance::correlation() const {
  if (units_ == 0) return std::numeric_limits<double>::quiet_NaN();
  double sum = 0, pairs = 0, over[most_units];
  for (std::size_t u = 0; u < units_; ++u) {
    const double variance = sum_[u * units_ + u];
    over[u] = variance > 0 ? 1 / variance : 0;
    for (std::size_t v = 0; v < u; ++v) {
      if (over[u] == 0 || over[v] == 0) continue;
      const double c = sum_[u * units_ + v];
      sum += std::sqrt(std::max(0.0, c * over[u] * (c * over[v]) - 1 / samples_));
      pairs += 1;
    }
  }
  return pairs > 0 ? sum / pairs : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace ogee::monitor
#endif

// Streaming statistics of fixed size over samples of floats. Numbers that are not finite are left out of all of them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace ogee::monitor {

double median(std::vector<double> values);  // of those that are finite; NaN if none is

// A sample of a tensor: [rows][units][inner], as floats.
struct Block {
  std::size_t rows = 0, units = 0, inner = 0;
  std::vector<float> value;
  std::span<const float> all() const { return {value.data(), rows * units * inner}; }
};

// The same, lying somewhere: rows are `stride` apart, each in one piece.
struct View {
  View() = default;
  View(const float* from, std::size_t row_count, std::size_t unit_count, std::size_t inner_count,
       std::size_t row_stride)
      : data(from), rows(row_count), units(unit_count), inner(inner_count), stride(row_stride) {}
  View(const Block& block)
      : View(block.value.data(), block.rows, block.units, block.inner, block.units * block.inner) {}
  View(std::span<const float> x) : View(x.data(), 1, x.size(), 1, x.size()) {}
  View(const std::vector<float>& x) : View(std::span<const float>(x)) {}
  std::size_t width() const { return units * inner; }
  std::size_t count() const { return rows * width(); }
  bool dense() const { return rows <= 1 || stride == width(); }
  const float* row(std::size_t r) const { return data + r * stride; }

  const float* data = nullptr;
  std::size_t rows = 0, units = 0, inner = 1, stride = 0;
};

// Central moments up to the fourth; two sets merge exactly (Pebay 2008, "Formulas for robust, one-pass parallel
// computation of covariances and arbitrary-order statistical moments").
struct Moments {
  double n = 0, mean = 0, m2 = 0, m3 = 0, m4 = 0;
  void merge(const Moments& other);
  double deviation() const;
  double skew() const;
  double kurtosis() const;  // in excess of the normal distribution's
};
Moments moments_of(const View& x);

// The first two of them (m3 and m4 stay 0), and how many numbers are 0.
struct Spread {
  Moments moments;
  double zeros = 0;
};
Spread spread_of(const View& x);

// Counts by sign, exponent and four bits of the significand: a float's own leading bits are its bin, so that a count is
// a shift and an addition, two histograms merge by adding, and a quantile is known to 1/16 of itself (and better, as
// it is interpolated) at any scale.
class Histogram {
 public:
  // About `most` of them, evenly spaced; 0: all.
  void add(const View& x, std::size_t most = 0);
  void merge(const Histogram& other);
  void clear();
  double count() const { return total_; }
  // Ascending `shares` of [0, 1]; NaN if nothing was added.
  std::vector<double> quantiles(std::span<const double> shares) const;

 private:
  static constexpr int dropped_bits = 19;
  static constexpr std::size_t bins = std::size_t{1} << (32 - dropped_bits);
  // Bins go by groups, four powers of two each: most numbers are of a few sizes, and most groups empty.
  static constexpr std::size_t group = 64, groups = bins / group;
  std::array<std::uint32_t, bins> bin_{};
  std::array<bool, groups> used_{};
  double total_ = 0;
};

// Where a function's slope is small or 0: at and beyond these.
struct Bounds {
  float left, right, zero_left, zero_right;
};

// Adds, unit by unit, how many elements lie beyond each bound; `zero` beyond either of the zero ones.
struct SideCounts {
  std::vector<float> left, right, zero;  // one a unit
  void reset(std::size_t units);
};
void count_sides(const View& z, const Bounds& bounds, SideCounts& counts);

// Raises most[unit] to the largest magnitude of the unit's numbers.
void largest_magnitudes(const View& g, std::span<float> most);

struct Sums {
  double n = 0, squares = 0;
};
Sums sums_of(const View& x);
// The same, and raises most[unit] as above.
Sums sums_and_magnitudes(const View& g, std::span<float> most);

struct SignSums {
  double sum, magnitudes;
};
SignSums sign_sums_of(std::span<const float> x);

// How an array of numbers has moved: all three are as long, and padded with zeros to a multiple of `padding`. `last`,
// which was the way before, becomes the way from `before` to `now`.
struct WaySums {
  double size, way, last_way, product;  // squares of what is now and of the two ways, and the product of these
};
constexpr std::size_t padding = 64;
WaySums way_sums_of(const std::vector<float>& now, const std::vector<float>& before, std::vector<float>& last);

// Covariance of at most 32 units, older samples fading: how many directions the units span, and how alike they are.
class Covariance {
 public:
  static constexpr std::size_t most_units = 32, most_samples = 96;
  void add(const View& y);
  // (sum of eigenvalues)^2/sum of their squares, over the number of units: 1 for independent units of equal variance.
  double rank() const;
  // Mean |correlation| of two different units, what chance would give taken off (in squares).
  double correlation() const;
  // Of the latest samples: the units' means, and how far those moved since the samples before, over the units'
  // deviations; root mean squares over units, less what chance makes of so few samples.
  double offset() const { return offset_; }
  double moved() const { return moved_; }

 private:
  friend struct Carrier;
  void compare_means(std::span<const float> means, double variance, std::size_t samples);

  std::size_t units_ = 0;
  std::vector<float> means_;
  double offset_ = std::numeric_limits<double>::quiet_NaN(), moved_ = offset_;
  double samples_ = 0;  // how many independent ones the sum is worth
  std::vector<double> sum_;
};

}  // namespace ogee::monitor

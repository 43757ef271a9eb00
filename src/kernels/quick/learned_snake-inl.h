// The quick form of snake, x + sin(z)^2/alpha with z = alpha x: with r = z - k pi/2 the square is sin(r)^2 or, for odd
// k, 1 - sin(r)^2, of one polynomial in r^2. It serves the slope, too, 1 + sin(2 z) = 2 sin(z + pi/4)^2, whose double
// roots it keeps.
#if defined(OGEE_QUICK_LEARNED_SNAKE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef OGEE_QUICK_LEARNED_SNAKE_INL_H
#undef OGEE_QUICK_LEARNED_SNAKE_INL_H
#else
#define OGEE_QUICK_LEARNED_SNAKE_INL_H
#endif

#include <cstddef>

#include "kernels/quick/learned_rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ogee::HWY_NAMESPACE {

#if OGEE_QUICK_TARGET

struct SnakeForm {
  Float alpha, inverse;
  struct Argument {
    Float z, low;  // z + low = alpha x
  };
  HWY_INLINE bool load(const double* p) {
    alpha = Float::constant(p[0]);
    inverse = Float::constant(1 / p[0]);
    return p[0] != 0;
  }
  HWY_INLINE Argument argument(Float x) const {
    const Float z = alpha * x;
    return {z, fused(alpha, x, -z)};
  }
  // What the reduction serves: k below 2^12.
  HWY_INLINE FloatTruth inside(Float x) const { return abs(alpha * x) <= 8192.0; }

  HWY_INLINE Float value(Float x) const {
    const Argument a = argument(x);
    const auto k = nearest(a.z, 2 * inverse_pi);
    const Square s = square(a, 0.5 * k.number);
    // x + (1 - s)/alpha where k is odd; what rounding x + 1/alpha leaves out counts where s is large.
    const FloatTruth odd = any_of(bits_of(k.shifted), 1);
    const Float shift = {hn::IfThenElseZero(odd.m, inverse.v)}, base = x + shift, left_out = shift - (base - x);
    const Float factor = select(odd, -inverse, inverse);
    return fused(factor, s.large, base) + fused(factor, s.small, left_out);
  }

  HWY_INLINE Argument slope(Float x, Float& slope) const {
    const Argument a = argument(x);
    const auto k = nearest(fused(a.z, Float::constant(2 * inverse_pi), Float::constant(0.5)), 1.0);
    const Square s = square(a, fused(k.number, Float::constant(0.5), Float::constant(-0.25)));
    const FloatTruth odd = any_of(bits_of(k.shifted), 1);
    const Float factor = select(odd, Float::constant(-2.0), Float::constant(2.0)),
                base = {hn::IfThenElseZero(odd.m, Float::constant(2.0).v)};
    slope = fused(factor, s.small, fused(factor, s.large, base));
    return a;
  }

  // By alpha s (2 w s' - s)/alpha^2, s and s' the sine and its slope at w = alpha x, of an argument y within pi/4: an
  // even number of quarter turns changes neither s^2 nor s s', an odd one swaps the squares and the product's sign. The
  // difference vanishes in every half turn, beyond the first where y is small: there what is left of sine and cosine,
  // less y and 1, rounds little.
  struct Sums {
    Float sum;
    HWY_INLINE void clear() { sum = Float::constant(0.0); }
    HWY_INLINE void add(const SnakeForm&, Float, Argument a, Float flow) {
      const auto half = nearest(a.z, 2 * inverse_pi);
      Float rest;
      const Float y = reduced(a, 0.5 * half.number, &rest), y2 = y * y;
      using P = Lane<SingleTag>::P;
      const Float s = fused(y * y2, polynomial(y2, P::sin), rest);                                            // less y
      const Float c = fused(y2 * y2, polynomial(y2, P::cos), fused(y2, Float::constant(-0.5), -(y * rest)));  // less 1
      const FloatTruth odd = any_of(bits_of(half.shifted), 1);
      const Float twice = 2.0 * a.z, low = 2.0 * a.low;
      const Float even_sum = (twice - y) + fused(twice, c, low - s);
      const Float odd_sum = fused(twice, y, 1.0) + fused(twice, s, fused(low, y, c));
      const Float factor = select(odd, -(1.0 + c), y + s);
      sum = fused(flow * factor, select(odd, odd_sum, even_sum), sum);
    }
    HWY_INLINE void flush(const Row<float>& row, const double* p) { *row.sum[0] += sum_of(sum) / (p[0] * p[0]); }
  };

 private:
  // sin(r)^2 = m + m^2 q(m), m = r^2: of |r| up to pi/4 to 2^-30.
  struct Square {
    Float large, small;
  };
  static HWY_INLINE Square square(Argument a, Float q) {
    Float rest;
    const Float r = reduced(a, q, &rest), m = r * r, left_out = fused(2.0 * rest, r, fused(r, r, -m));
    const Float low = fused(m, Float::constant(0.044443783006932149), Float::constant(-0.33333329138200669));
    const Float high = fused(m, Float::constant(0.00013479451873754269), Float::constant(-0.0031713575135811316));
    const Float square = m * m;
    return {m, fused(square, fused(square, high, low), left_out)};
  }
  static constexpr double inverse_pi = 0.31830988618379067154;
  // z - q pi, |q| < 2^12 in quarters: pi in parts short enough for q times the first three to be exact. What the first
  // and the third difference round off, where q is small and where the difference is large, meets the last part.
  static HWY_INLINE Float reduced(Argument a, Float q, Float* rest = nullptr) {
    const Float first = fused_minus(q, 3.140625, a.z);
    const Float second = fused_minus(q, 9.67025756835937500e-4, first);
    const Float third = fused_minus(q, 6.2771141529083251954e-7, second);
    const Float left_out =
        fused_minus(q, 6.2771141529083251954e-7, second - third) + (a.z - fused(q, Float::constant(3.140625), first));
    const Float low = fused_minus(q, 1.21542010130124384e-10, left_out) + a.low, r = third + low;
    if (rest != nullptr) *rest = (third - r) + low;
    return r;
  }
};
OGEE_QUICK_LEARNED(LearnedSnake, SnakeForm)

#endif  // OGEE_QUICK_TARGET

}  // namespace ogee::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

// The reference number: one double, with the C library's functions (which claim 1 ULP) behind the primitives where
// they are stable, and the stable rearrangement where they are not. Everything a definition says is first said here.
#pragma once

#include <cmath>
#include <limits>

#define OGEE_WORLD reference
#define OGEE_FN inline

namespace ogee::reference {

struct F64 {
  double v;
  static F64 constant(double c) { return {c}; }
  static F64 constant(F64 c) { return c; }
};

inline F64 operator-(F64 a) { return {-a.v}; }
#define OGEE_ARITHMETIC(op)                                      \
  inline F64 operator op(F64 a, F64 b) { return {a.v op b.v}; }  \
  inline F64 operator op(F64 a, double b) { return {a.v op b}; } \
  inline F64 operator op(double a, F64 b) { return {a op b.v}; }
OGEE_ARITHMETIC(+)
OGEE_ARITHMETIC(-)
OGEE_ARITHMETIC(*)
OGEE_ARITHMETIC(/)
#undef OGEE_ARITHMETIC
#define OGEE_COMPARE(op)                                        \
  inline bool operator op(F64 a, F64 b) { return a.v op b.v; }  \
  inline bool operator op(F64 a, double b) { return a.v op b; } \
  inline bool operator op(double a, F64 b) { return a op b.v; }
OGEE_COMPARE(<)
OGEE_COMPARE(<=)
OGEE_COMPARE(>)
OGEE_COMPARE(>=)
#undef OGEE_COMPARE

inline F64 select(bool mask, F64 a, F64 b) { return mask ? a : b; }
inline F64 select(bool mask, F64 a, double b) { return mask ? a : F64{b}; }
inline F64 select(bool mask, double a, F64 b) { return mask ? F64{a} : b; }
inline F64 detach(F64 a) { return a; }
inline F64 straight_through(F64 value, F64) { return value; }
inline F64 damp(F64 x, F64 g) { return g.v == 0 ? F64{0.0} : x * g; }
inline F64 damp(F64 x, double g) { return damp(x, F64{g}); }
inline F64 damp(double x, F64 g) { return damp(F64{x}, g); }
inline F64 damp_plus(F64 x, double g, F64 y) { return damp(x, g) + y; }
inline constexpr bool primitives_by_table = false;

inline F64 abs(F64 a) { return {std::fabs(a.v)}; }
inline F64 sign(F64 a) { return {a.v > 0 ? 1.0 : (a.v < 0 ? -1.0 : a.v)}; }
inline F64 sqrt(F64 a) { return {std::sqrt(a.v)}; }
inline F64 hypotenuse(F64 x, F64 b) { return {std::hypot(x.v, std::sqrt(b.v))}; }
inline F64 exp(F64 a) { return {std::exp(a.v)}; }
inline F64 expm1(F64 a) { return {std::expm1(a.v)}; }
inline F64 log1p(F64 a) { return {std::log1p(a.v)}; }
inline F64 log(F64 a) { return {std::log(a.v)}; }
inline F64 tanh(F64 a) { return {std::tanh(a.v)}; }
inline F64 logit(F64 a) { return {std::log(a.v) - std::log1p(-a.v)}; }
inline F64 sin(F64 a) { return {std::sin(a.v)}; }
inline F64 cos(F64 a) { return {std::cos(a.v)}; }
inline F64 atan(F64 a) { return {std::atan(a.v)}; }
inline F64 erf(F64 a) { return {std::erf(a.v)}; }

inline F64 sigmoid(F64 a) {
  const double e = std::exp(-std::fabs(a.v));
  return {(a.v < 0 ? e : 1.0) / (1.0 + e)};
}
inline F64 sigmoid_slope(F64 a) {
  const double e = std::exp(-std::fabs(a.v));
  return {e / ((1.0 + e) * (1.0 + e))};
}
inline F64 sech2(F64 a) { return 4.0 * sigmoid_slope(2.0 * a); }
inline F64 softplus(F64 a) { return {(a.v > 0 ? a.v : 0.0) + std::log1p(std::exp(-std::fabs(a.v)))}; }

// x - tanh x: the series sum of the differences of sinh and cosh, x cosh x - sinh x = sum 2k x^(2k+1)/(2k+1)!,
// over cosh x, has only positive terms, so nothing cancels.
inline F64 tanh_shrink(F64 a) {
  const double x = a.v;
  if (!(std::fabs(x) < 0.7)) return {x - std::tanh(x)};
  const double z = x * x;
  double sum = 0, power = x;
  double factorial = 1;
  for (int k = 1; k < 12; ++k) {
    power *= z;
    factorial *= (2.0 * k) * (2.0 * k + 1.0);
    sum += 2.0 * k * power / factorial;
  }
  return {sum / std::cosh(x)};
}

// exp(-z*z*scale) with the rounding error of z*z given back: z^2 = high + low exactly by a fused multiply-add.
inline double exp_of_square(double z, double scale) {
  const double high = z * z;
  if (high > 1e4) return high == high ? 0.0 : high;
  const double low = std::fma(z, z, -high);
  return std::exp(-high * scale) * (1.0 - low * scale);
}
inline F64 bell(F64 a) { return {exp_of_square(a.v, 1.0)}; }
inline F64 normal_pdf(F64 a) { return {0.39894228040143267793994605993438 * exp_of_square(a.v, 0.5)}; }
// Phi(x) = erfc(-x/sqrt 2)/2; the rounding error of x/sqrt 2, which the tail would magnify by x^2, is given back
// through the derivative.
inline F64 normal_cdf(F64 a) {
  constexpr double half_root = 0.70710678118654752440;
  constexpr double half_root_low = -4.8336466567264567e-17;  // sqrt(1/2) - half_root
  const double z = -a.v * half_root;
  const double error = std::fma(-a.v, half_root, -z) - a.v * half_root_low;
  const double value = 0.5 * std::erfc(z);
  if (!(std::fabs(a.v) < 40)) return {value};
  return {value - 0.56418958354775628694807945156077 * exp_of_square(z, 1.0) * error};
}
inline F64 normal_centred(F64 a, F64) { return erf(0.70710678118654752440 * a); }

inline F64 cauchy(F64 a) {
  if (std::fabs(a.v) > 1) {
    const double w = 1.0 / a.v;
    return {w * w / (1.0 + w * w)};
  }
  return {1.0 / (1.0 + a.v * a.v)};
}
inline F64 fused(F64 a, F64 b, double c) { return {std::fma(a.v, b.v, c)}; }
inline F64 fused(double a, F64 b, double c) { return {std::fma(a, b.v, c)}; }
inline constexpr double inverse_pi = 0.31830988618379067153776752674503;
inline F64 arctan_gate(F64 a) {
  if (a.v < -1) return {std::atan(-1.0 / a.v) * inverse_pi};
  return {0.5 + std::atan(a.v) * inverse_pi};
}
inline F64 arctan_linear(F64 a) {
  if (std::isinf(a.v)) return {a.v > 0 ? a.v : -inverse_pi};
  return a * arctan_gate(a);
}
// For x < -1, with w = -1/x: (atan w - w/(1+w^2))/pi, whose series 2/3 w^3 - 4/5 w^5 + 6/7 w^7 ... serves far out.
inline F64 arctan_linear_slope(F64 a) {
  const double x = a.v;
  const double z = std::fabs(x);
  if (z <= 1) return {0.5 + std::atan(x) * inverse_pi + x * inverse_pi / (1.0 + x * x)};
  const double w = 1.0 / z;
  double tail;
  if (w < 0.1) {
    tail = 0;
    double power = w * w * w;
    for (int k = 1; k < 10; ++k) {
      tail += (k % 2 ? 1.0 : -1.0) * 2.0 * k / (2.0 * k + 1.0) * power;
      power *= w * w;
    }
  } else {
    tail = std::atan(w) - w / (1.0 + w * w);
  }
  tail *= inverse_pi;
  return {x != x ? x : (x < 0 ? tail : 1.0 - tail)};
}

}  // namespace ogee::reference

#include "lanes/dual-inl.h"

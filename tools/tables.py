#!/usr/bin/env python3
"""Writes functions as 32 polynomials each, for processors that look up 32 floats in registers: the tables that families
share are src/lanes/tables.h, a family's own ones src/kernels/quick/FAMILY_tables.h.

Interval k of a table, |z/step - k| <= 1/2, has a centre c near k*step and a polynomial in z - c. The centre is the float
near k*step at which the function's value is nearest to a float (Gal's method), so that rounding the leading
coefficient costs nothing; of steep tables, whose second coefficient counts as much, its rounding is weighed, too. Entry
j of the arrays is the interval k = j modulo 32, as the lookup takes the low five bits.
The polynomials interpolate at Chebyshev nodes, computed with 40 digits; the degree is the first whose error stays
below the bound before coefficients are rounded, in units in the last place of the function's value (or, near a root of
a derivative, of 1/8).
Usage, with mpmath and numpy:
  /usr/bin/python3 tools/tables.py shared > src/lanes/tables.h
  /usr/bin/python3 tools/tables.py smooth > src/kernels/quick/smooth_tables.h
"""
import sys

import mpmath as mp
import numpy as np

mp.mp.dps = 40
BOUND = mp.mpf("0.08")
TRUSTED = mp.mpf("0.45")


def phi(z):
    return mp.exp(-z * z / 2) / mp.sqrt(2 * mp.pi)


def cdf(z):
    return mp.erfc(-z / mp.sqrt(2)) / 2


def sigma(z):
    return 1 / (1 + mp.exp(-z))


C = mp.sqrt(2 / mp.pi)
A = mp.mpf("0.044715")


def tanh_gate(z):
    return sigma(2 * C * (z + A * z ** 3))


def tanh_gate_slope(z):
    g = tanh_gate(z)
    return g + z * g * (1 - g) * 2 * C * (1 + 3 * A * z * z)


def mish_gate(z):
    return mp.tanh(mp.log1p(mp.exp(z)))


def mish_slope(z):
    t = mish_gate(z)
    return t + z * (1 - t * t) * sigma(z)


def at(limit, f):
    """f, whose value at 0 is a limit."""
    return lambda z: mp.mpf(limit) if z == 0 else f(z)


# name, meaning, function, step, first interval, root near which terms of 1/8 and more cancel (0: none)
SETS = {}
SETS["shared"] = [
    ("SigmoidTail", "sigmoid(-z)", lambda z: sigma(-z), "0.625", 0, 0),
    ("SigmoidSlope", "sigmoid(z) sigmoid(-z)", lambda z: sigma(-z) * sigma(z), "0.625", 0, 0),
    ("SiluSlopeTail", "the slope of x*sigmoid(x) at -z", lambda z: sigma(-z) * (1 - z * sigma(z)), "0.625", 0, 1.278464543),
    ("SoftplusTail", "log(1 + exp(-z))", lambda z: mp.log1p(mp.exp(-z)), "0.625", 0, 0),
    ("NormalTail", "Phi(-z)", lambda z: cdf(-z), "0.1875", 0, 0),
    ("NormalDensity", "exp(-z^2/2)/sqrt(2 pi)", phi, "0.1875", 0, 0),
    ("GeluSlopeTail", "the slope of x*Phi(x) at -z", lambda z: cdf(-z) - z * phi(z), "0.1875", 0, 0.751791524),
    ("TanhGateTail", "sigmoid(-2 sqrt(2/pi) (z + 0.044715 z^3))", lambda z: tanh_gate(-z), "0.1796875", 0, 0),
    ("TanhGateSlopeTail", "the slope of x times that at -z", lambda z: tanh_gate_slope(-z), "0.1796875", 0, 0.752461465),
    ("MishGate", "tanh(log(1 + exp(z)))", mish_gate, "0.6875", -15, 0),
    ("MishSlope", "the slope of z tanh(log(1 + exp(z)))", mish_slope, "0.6875", -15, -1.192474138),
    ("TanhRatio", "tanh(z)/z", at(1, lambda z: mp.tanh(z) / z), "0.3125", 0, 0),
    ("TanhSlope", "1 - tanh(z)^2", lambda z: mp.sech(z) ** 2, "0.3125", 0, 0),
    ("Expm1Ratio", "(exp(z) - 1)/z", at(1, lambda z: mp.expm1(z) / z), "0.5625", -31, 0),
    ("Exponential", "exp(z)", mp.exp, "0.5625", -31, 0),
    ("ErfRatio", "erf(z)/z", at(2 / mp.sqrt(mp.pi), lambda z: mp.erf(z) / z), "0.125", 0, 0),
    ("ErfSlope", "2/sqrt(pi) exp(-z^2)", lambda z: 2 / mp.sqrt(mp.pi) * mp.exp(-z * z), "0.125", 0, 0),
]

STEP = mp.mpf("0.065")


def arctan(near, far):
    """near(z) for 0 <= z <= 1, which is |x|; far(w) at z = -w - step, w = 1/|x|."""
    return lambda z: near(z) if z >= -STEP / 2 else far(-z - STEP)


def arctan_slope_far(w):
    # (atan(w) - w/(1 + w^2))/w^3
    if abs(w) < mp.mpf("1e-3"):
        return mp.mpf(2) / 3 - 4 * w ** 2 / 5 + 6 * w ** 4 / 7 - 8 * w ** 6 / 9
    return (mp.atan(w) - w / (1 + w * w)) / w ** 3


# Tables with parts that sums which cancel are made of (src/kernels/quick/learned_tables-inl.h).
SETS["learned"] = [
    ("SigmoidSides", "sigmoid(-z)", lambda z: sigma(-z), "0.625", 0, 0),
    ("MillsRatio", "Phi(-z) exp(z^2/2) sqrt(2 pi)", lambda z: cdf(-z) / phi(z), "0.40625", 0, 0),
    ("ArctanTail", "1/2 - atan(z)/pi; at -z - step atan(z)/(pi z)",
     arctan(lambda z: mp.mpf(1) / 2 - mp.atan(z) / mp.pi, lambda w: at(1, lambda v: mp.atan(v) / v)(w) / mp.pi),
     "0.065", -16, 0),
    ("ArctanSlope", "1/2 - atan(z)/pi - z/(pi (1 + z^2)); at -z - step (atan(z) - z/(1 + z^2))/(pi z^3)",
     arctan(lambda z: mp.mpf(1) / 2 - (mp.atan(z) + z / (1 + z * z)) / mp.pi, lambda w: arctan_slope_far(w) / mp.pi),
     "0.065", -16, 0),
    ("SineRatio", "(sin(z)/z)^2", at(1, lambda z: (mp.sin(z) / z) ** 2), "0.051", 0, 0),
    ("XieluRatio", "(exp(z) - 1)/z", at(1, lambda z: mp.expm1(z) / z), "0.53125", -31, 0),
    ("XieluExponential", "exp(z)", mp.exp, "0.53125", -31, 0),
]
# Less than BOUND, where what cancels is larger than the result.
BOUNDS = {"XieluRatio": mp.mpf("0.012"), "XieluExponential": mp.mpf("0.012")}
# f(z) - f(0) is odd: the first interval has its centre at 0, and f(z) - f(0) is relatively exact there.
ODD = {"SigmoidSides", "ArctanTail", "ArctanSlope"}
SETS["noisy"] = [
    ("TanhSquareRatio", "(tanh(z)/z)^2", at(1, lambda z: (mp.tanh(z) / z) ** 2), "0.3125", 0, 0),
    ("TanhGradeRatio", "tanh(z) (1 - tanh(z)^2)/z", at(1, lambda z: mp.tanh(z) * mp.sech(z) ** 2 / z), "0.4375", 0, 0),
]


def unit(value, floor):
    size = max(abs(value), mp.mpf(floor))
    return mp.mpf(2) ** (mp.floor(mp.log(size, 2)) - 23)


# Where the slope's share of a value at an interval's end is large.
STEEP = {"NormalTail", "TanhGateTail", "SigmoidSides", "XieluRatio", "XieluExponential"}


def centre_near(function, middle, step, steep):
    best = None
    c = np.float32(middle)
    low = high = c
    for _ in range(80):
        for candidate in (low, high):
            value = function(mp.mpf(float(candidate)))
            if value == 0:
                continue
            miss = abs(mp.mpf(float(np.float32(float(value)))) - value) / unit(value, 0)
            if steep and (best is None or miss < best[0]):
                slope = mp.diff(function, mp.mpf(float(candidate)))
                miss += abs(mp.mpf(float(np.float32(float(slope)))) - slope) * step / 2 / unit(value, 0)
            if best is None or miss < best[0]:
                best = (miss, candidate)
        away = max(abs(float(c)), 2.0 ** -2) * 2.0 ** -15
        low = np.float32(float(low) - away)
        high = np.float32(float(high) + away)
    return mp.mpf(float(best[1]))


def fit(function, centre, low, high, degree):
    nodes = [(low + high) / 2 + (high - low) / 2 * mp.cos(mp.pi * (2 * i + 1) / (2 * (degree + 1)))
             for i in range(degree + 1)]
    matrix = mp.matrix(degree + 1, degree + 1)
    for i, z in enumerate(nodes):
        for j in range(degree + 1):
            matrix[i, j] = (z - centre) ** j
    c = list(mp.lu_solve(matrix, mp.matrix([function(z) for z in nodes])))
    return c


def error(function, centre, low, high, coefficients, root):
    worst = mp.mpf(0)
    for i in range(33):
        z = low + (high - low) * i / 32
        floor = 0.125 if abs(z - root) < 0.08 * abs(root) else 0
        value = function(z)
        p = mp.polyval(coefficients[::-1], z - centre)
        worst = max(worst, abs(p - value) / unit(value, floor))
    return worst


def table(name, function, step, first, root):
    step = mp.mpf(step)
    centres = {k: centre_near(function, k * step, step, name in STEEP) for k in range(first, first + 32)}
    if name in ODD:
        centres[0] = mp.mpf(0)
    def bounds(k):
        return (k - mp.mpf("0.5")) * step, (k + mp.mpf("0.5")) * step
    for degree in range(4, 12):
        fits = {k: fit(function, c, *bounds(k), degree) for k, c in centres.items()}
        if name in ODD:
            middle = function(mp.mpf(0))
            rest = fit(at(mp.diff(function, 0), lambda z: (function(z) - middle) / z), mp.mpf(0), *bounds(0), degree - 1)
            fits[0] = [middle] + [c if i % 2 == 0 else mp.mpf(0) for i, c in enumerate(rest)]
        if max(error(function, centres[k], *bounds(k), fits[k], root) for k in fits) <= BOUNDS.get(name, BOUND):
            break
    else:
        raise SystemExit("no degree is enough")
    # A subnormal coefficient (where a symmetric function has none) would be a subnormal sum at the centre: slow.
    columns = {k % 32: [np.float32(float(v) if abs(v) > 1.2e-38 else 0.0) for v in c] for k, c in fits.items()}
    errors = {k: error(function, centres[k], *bounds(k), [mp.mpf(float(v)) for v in columns[k % 32]], root) for k in fits}
    # (Slopes, which have roots, are allowed more.) Far out a steep tail's coefficients round too much for the value of a product of three: up to where they do not.
    trusted = min([k for k in fits if errors[k] > TRUSTED and not root] + [first + 32])
    return degree, columns, {k % 32: c for k, c in centres.items()}, max(errors.values()), (trusted - mp.mpf("0.515625")) * step


def literal(v):
    text = np.format_float_scientific(np.float32(v), unique=True, trim="0")
    return text + "f"


family = sys.argv[1]
print("""// Generated by tools/tables.py; do not edit. Each table's largest error, in units in the last place, beside it.
#pragma once

#include <cstddef>

// clang-format off
namespace ogee::tables {
""")
for name, meaning, function, step, first, root in SETS[family]:
    degree, columns, centres, worst, trusted = table(name, function, step, first, root)
    # Short of the ends, where rounding could choose the next interval, which is the one at the other end.
    low, high = (mp.mpf(first) - mp.mpf("0.484375")) * mp.mpf(step), (mp.mpf(first) + mp.mpf("31.484375")) * mp.mpf(step)
    print("// %s, %s <= z <= %s; error %s" % (meaning, mp.nstr(low, 6), mp.nstr(high, 6), mp.nstr(worst, 2)))
    print("struct %s {" % name)
    print("  static constexpr float low = %sf, high = %sf, steps = %sf;" % (
        mp.nstr(low, 10, strip_zeros=False), mp.nstr(high, 10, strip_zeros=False), repr(float(1 / mp.mpf(step)))))
    print("  static constexpr float trusted = %sf;" % mp.nstr(trusted, 10, strip_zeros=False))
    print("  static constexpr std::size_t size = %d;" % (degree + 1))
    print("  static constexpr float centre[32] = {%s};" % ", ".join(literal(float(centres[j])) for j in range(32)))
    print("  static constexpr float c[size][32] = {")
    for i in range(degree + 1):
        print("      {%s}," % ", ".join(literal(columns[j][i]) for j in range(32)))
    print("  };\n};\n")
print("}  // namespace ogee::tables\n// clang-format on")

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
A family's own tables hold whole functions in intervals that need not be equal (Warped), or one period of a function
(Periodic); see there.
Usage, with mpmath and numpy:
  /usr/bin/python3 tools/tables.py shared > src/lanes/tables.h
  /usr/bin/python3 tools/tables.py exponential > src/kernels/quick/exponential_tables.h
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


# Tables on grids. Where the step is a power of two, the offset from the grid is one instruction (vreduceps), and no
# centre is looked up; others have centres of Gal's ("centred"). An interval has its point of the grid in the middle, or
# begins there ("left"). The degree is given, and the coefficients are nearly the best floats: each is rounded in turn
# and those of higher powers are fitted anew.
# name, meaning, function, step, first interval, degree, lowest power where z = 0 is a root, kind
GRIDS = {}


def power_series(*c):
    return lambda z: mp.polyval(list(c)[::-1], z)


def tanh_shrink_ratio(z):
    if abs(z) < 0.02:
        return power_series(mp.mpf(1) / 3, 0, -mp.mpf(2) / 15, 0, mp.mpf(17) / 315, 0, -mp.mpf(62) / 2835)(z)
    return (z - mp.tanh(z)) / z ** 3


def elish_gate(z):
    return (sigma(z) if z >= 0 else mp.expm1(z) / z * sigma(z)) if z != 0 else mp.mpf("0.5")


def elish_slope(z):
    s = sigma(z)
    return s + z * s * (1 - s) if z >= 0 else mp.exp(z) * s + mp.expm1(z) * s * (1 - s)


GRIDS["exponential"] = [
    ("SigmoidGrid", "sigmoid(-z)", lambda z: sigma(-z), "0.5", 0, 5, 0, "left"),
    ("SigmoidSlopeGrid", "sigmoid(z) sigmoid(-z)", lambda z: sigma(-z) * sigma(z), "0.5", 0, 5, 0, "middle"),
    ("SoftplusGrid", "log(1 + exp(-z))", lambda z: mp.log1p(mp.exp(-z)), "0.5", 0, 5, 0, "middle"),
    ("TanhGrid", "tanh(z)", mp.tanh, "0.28", 0, 5, 1, "centred"),  # 1 beyond 8.54, as near as the contract asks
    ("TanhSlopeGrid", "1 - tanh(z)^2", lambda z: mp.sech(z) ** 2, "0.25", 0, 5, 0, "middle"),
    ("TanhFineGrid", "tanh(z)", mp.tanh, "0.25", 0, 5, 1, "middle"),
    ("SquareplusSlopeGrid", "(1 - z/sqrt(z^2 + 4))/2", lambda z: (1 - z / mp.sqrt(z * z + 4)) / 2, "0.25", 0, 4, 0, "middle"),
    ("TanhshrinkGrid", "(z - tanh(z))/z^3", tanh_shrink_ratio, "0.25", 0, 5, 0, "centred"),
    ("ErfGrid", "erf(z)/z", at(2 / mp.sqrt(mp.pi), lambda z: mp.erf(z) / z), "0.125", 0, 4, 0, "middle"),
    ("NormalGrid", "Phi(-z)", lambda z: cdf(-z), "0.25", 0, 8, 0, "centred"),
    ("ArctanGrid", "atan(z)", mp.atan, "0.25", 0, 5, 1, "middle"),
    ("SeluGrid", "1.7580993408473766 (exp(z) - 1)", lambda z: mp.mpf("1.7580993408473768599402") * mp.expm1(z), "0.5625", -31, 5, 1, "centred"),
    ("Expm1Grid", "exp(z) - 1", mp.expm1, "0.5625", -31, 5, 1, "centred"),
    ("ElishGrid", "elish(z)/z", elish_gate, "0.5", -16, 5, 0, "centred left"),
    ("ElishSlopeGrid", "the slope of elish(z)", elish_slope, "0.5", -16, 6, 0, "left"),
]


def best_floats(t, f, unit_there, degree, lowest):
    c = np.zeros(degree + 1)
    scale = np.max(np.abs(t))
    for power in range(lowest, degree + 1):
        rest = f - sum(c[i] * t ** i for i in range(power))
        columns = np.stack([(t / scale) ** i for i in range(power, degree + 1)], 1)
        weight = np.ones_like(t)
        for _ in range(30):  # Lawson's: weights that make the least squares' largest error small
            s = np.sqrt(weight) / unit_there
            x = np.linalg.lstsq(columns * s[:, None], rest * s, rcond=None)[0]
            miss = np.abs(columns @ x - rest) / unit_there + 1e-12
            weight = weight * miss / np.sum(weight * miss)
        leading = float(np.float32(x[0] / scale ** power))
        c[power] = leading if abs(leading) > 1.2e-38 else 0.0
    return c


def grid(name, function, step, first, degree, lowest, kind):
    step = mp.mpf(step)
    columns, centres, worst = {}, {}, 0
    for k in range(first, first + 32):
        low = k * step - (0 if "left" in kind else step / 2)
        high = low + step
        middle = k * step
        if name == "ElishGrid" and k in (-1, 0):
            middle = mp.mpf(0)  # where x is subnormal, only the first coefficient may count, and is exact
        elif "centred" in kind and not (k == 0 and lowest):
            middle = centre_near(function, (low + high) / 2, step, False)
        centres[k % 32] = middle
        if k == 0 and "left" not in kind:  # all numbers have one sign
            low, high = (mp.mpf(0), high) if first == 0 else (low, mp.mpf(0))
        z = [low + (high - low) * (1 - mp.cos(mp.pi * (i + mp.mpf("0.5")) / 65)) / 2 for i in range(65)]
        t = np.array([float(v - middle) for v in z])
        f = np.array([float(function(v)) for v in z])
        size = np.maximum(np.abs(f), 2.0 ** -4 if "Slope" in name and "Elish" in name else 0.0)
        unit_there = 2.0 ** (np.floor(np.log2(size)) - 23)
        c = best_floats(t, f, unit_there, degree, lowest if k == 0 else 0)
        if name == "TanhGrid" and k == 31:
            c = np.array([1.0] + [0.0] * degree)
        if name == "SigmoidGrid" and k == 31:
            # Down to what 1 - p does not see: 1 - p is 1 from there on, where 1.9 units are missing.
            end = float(step) - 2.0 ** -9
            c = np.array([float(np.float32(v)) for v in [f[0], (2.9e-8 - f[0]) / end] + [0.0] * (degree - 1)])
        columns[k % 32] = c
        worst = max(worst, np.max(np.abs(np.polyval(c[::-1], t) - f) / unit_there))
    return columns, centres, worst


def print_grid(name, meaning, function, step, first, degree, lowest, kind):
    columns, centres, worst = grid(name, function, step, first, degree, lowest, kind)
    begin = mp.mpf(first) - (0 if "left" in kind else mp.mpf("0.484375"))
    low, high = begin * mp.mpf(step), (begin + 32 - (mp.mpf(2) ** -8 if kind == "left" else mp.mpf("0.03125"))) * mp.mpf(step)
    print("// %s, %s <= z <= %s; error %s" % (meaning, mp.nstr(low, 6), mp.nstr(high, 6), mp.nstr(mp.mpf(float(worst)), 2)))
    print("struct %s {" % name)
    print("  static constexpr float low = %sf, high = %sf, steps = %sf;" % (
        mp.nstr(low, 10, strip_zeros=False), mp.nstr(high, 10, strip_zeros=False), repr(float(1 / mp.mpf(step)))))
    trusted = {"SigmoidGrid": mp.mpf("15.5") - mp.mpf(2) ** -20, "NormalGrid": mp.mpf("6.2")}.get(name, high)
    print("  static constexpr float trusted = %sf;" % mp.nstr(trusted, 10, strip_zeros=False))
    print("  static constexpr bool begins = %s;" % ("true" if "left" in kind else "false"))
    print("  static constexpr std::size_t size = %d;" % (degree + 1))
    if "centred" in kind:
        print("  static constexpr float centre[32] = {%s};" % ", ".join(literal(float(centres[j])) for j in range(32)))
    print("  static constexpr float c[size][32] = {")
    for i in range(degree + 1):
        print("      {%s}," % ", ".join(literal(columns[j][i]) for j in range(32)))
    print("  };\n};\n")


# Tables of whole functions, whose intervals need not be equal: interval k has the z for which `index` rounds to k. Where
# the function vanishes a centre lies at the root, or at the float nearest to it, so that relative precision lasts there;
# the polynomials are minimax of the relative error (Lawson's method).
class Warped:
    def __init__(self, name, meaning, function, degree, low, high, slope, square=0.0, offset=0, second=None, larger=True,
                 last=False, zero=0, roots=(), steep=False, plain=None):
        self.name, self.meaning, self.function, self.degree, self.low, self.high = name, meaning, function, degree, low, high
        self.slope, self.square, self.offset = (float(np.float32(v)) for v in (slope, square, offset))
        self.second = second and tuple(float(np.float32(v)) for v in second)  # another line; the larger or smaller counts
        self.larger, self.last = larger, last  # last: everything beyond belongs to interval 31
        self.zero = zero  # the root's order at 0
        self.roots = [float(mp.findroot(function, r)) for r in roots]
        self.steep = steep  # the second coefficient is rounded before the others are fitted
        self.plain = plain  # (interval, width, function): another function in a few intervals

    def index(self, z):
        k = (z * self.square + self.slope) * z + self.offset
        if self.second:
            k = (max if self.larger else min)(k, self.second[0] * z + self.second[1])
        return k

    def inverse(self, k):
        a, b = self.low, self.high
        for _ in range(64):
            m = (a + b) / 2
            a, b = (m, b) if self.index(m) < k else (a, m)
        return (a + b) / 2

    def intervals(self):
        first, final = round(self.index(self.low)), round(self.index(self.high))
        final = min(final, 31) if self.last else final
        assert final - first < 32
        for k in range(first, final + 1):
            a, b = self.inverse(k - 0.5), self.high if self.last and k == 31 else self.inverse(k + 0.5)
            margin = (b - a) * 1e-4
            yield k, a - margin, b + margin

    def minimax(self, function, c, known, a, b):
        count, p, c = self.degree + 1 - len(known), len(known), mp.mpf(c)
        n = 12 * count
        z = [mp.mpf((a + b) / 2 + (b - a) / 2 * np.cos(np.pi * (i + 0.5) / n)) for i in range(n)]
        z = [v for v in z if abs(v - c) > 1e-9 * (b - a)]
        value = [function(v) for v in z]
        goal = np.array([float((f - mp.polyval(known[::-1], v - c)) / (v - c) ** p) for f, v in zip(value, z)])
        t = np.array([float(v - c) for v in z])
        weight = np.abs(t) ** p / np.array([max(abs(float(f)), 1e-38) for f in value])
        half = (b - a) / 2
        powers = np.vander(t / half, count, increasing=True)
        share, best = np.ones(len(t)) / len(t), (np.inf, None)
        for _ in range(60):
            w = np.sqrt(share) * weight
            x = np.linalg.lstsq(powers * w[:, None], goal * w, rcond=None)[0]
            miss = np.abs(powers @ x - goal) * weight
            if miss.max() < best[0]:
                best = miss.max(), x
            share = share * (miss + 1e-30)
            share /= share.sum()
        return known + [float(v) / half ** i for i, v in enumerate(best[1])]

    def centre(self, function, a, b):
        best = None
        middle = np.float32((a + b) / 2)
        step = max((b - a) * 0.0005, float(np.spacing(middle)))
        for i in range(-60, 61):
            c = float(np.float32((a + b) / 2 + i * step))
            value = function(mp.mpf(c))
            if value == 0:
                continue
            miss = abs(mp.mpf(float(np.float32(float(value)))) - value) / unit(value, 0)
            if best is None or miss < best[0]:
                best = miss, c
        return best[1]

    def columns(self):
        for k, a, b in self.intervals():
            function, zero = self.function, self.zero
            if self.plain and abs(k - self.plain[0]) <= self.plain[1]:
                function, zero = self.plain[2], 0
            roots = [r for r in self.roots if a <= r <= b]
            if zero and a < 0 < b:
                c, known = 0.0, [0.0] * zero
            else:
                c = float(np.float32(roots[0])) if roots else self.centre(function, a, b)
                known = [float(np.float32(float(function(mp.mpf(c)))))]
                if self.steep and not roots:
                    known.append(float(np.float32(self.minimax(function, c, known, a, b)[1])))
            found = self.minimax(function, c, known, a, b)
            column = [np.float32(v if abs(v) > 1.2e-38 else 0) for v in found]
            if zero and c == 0:
                column[0] = np.float32(-0.0)  # so that -0 stays so
            yield k % 32, np.float32(c), column

    def write(self):
        number = lambda v: literal(np.float32(v))
        rows = {k: (c, column) for k, c, column in self.columns()}
        unused = (np.float32(0), [np.float32(0)] * (self.degree + 1))
        print("// %s, %g <= z <= %g" % (self.meaning, self.low, self.high))
        print("struct %s {" % self.name)
        print("  static constexpr float low = %s, high = %s;" % (number(self.low), number(self.high)))
        print("  static constexpr float square = %s, slope = %s, offset = %s;" % tuple(
            map(number, (self.square, self.slope, 12582912 + self.offset))))
        second = self.second or (0, 0)
        print("  static constexpr int second = %d;  // of two lines the larger (1) or the smaller (-1) counts" % (
            0 if not self.second else 1 if self.larger else -1))
        print("  static constexpr float second_slope = %s, second_offset = %s;" % (number(second[0]), number(12582912 + second[1])))
        print("  static constexpr bool last = %s;" % ("true" if self.last else "false"))
        print("  static constexpr std::size_t size = %d;" % (self.degree + 1))
        print("  static constexpr float centre[32] = {%s};" % ", ".join(literal(rows.get(j, unused)[0]) for j in range(32)))
        print("  static constexpr float c[size][32] = {")
        for i in range(self.degree + 1):
            print("      {%s}," % ", ".join(literal(rows.get(j, unused)[1][i]) for j in range(32)))
        print("  };\n};\n")


# A function of period pi, as 32 polynomials around the multiples of pi/32.
class Periodic:
    def __init__(self, name, meaning, function, degree, zero):
        self.name, self.meaning, self.function, self.degree = name, meaning, function, degree
        self.zero = zero  # interval: the root's order at its middle

    def write(self):
        helper = Warped(self.name, self.meaning, None, self.degree, 0, 0, 0)
        half = float(mp.pi / 64) * 1.001
        columns = []
        for k in range(32):
            shifted = lambda t: self.function(k * mp.pi / 32 + t)
            known = [0.0] * self.zero[k] if k in self.zero else [float(np.float32(float(shifted(mp.mpf(0)))))]
            while len(known) < 3:  # each coefficient is rounded before the ones after it are fitted
                known.append(float(np.float32(helper.minimax(shifted, 0, known, -half, half)[len(known)])))
            columns.append([np.float32(v) for v in helper.minimax(shifted, 0, known, -half, half)])
        print("// %s" % self.meaning)
        print("struct %s {" % self.name)
        print("  static constexpr std::size_t size = %d;" % (self.degree + 1))
        print("  static constexpr float c[size][32] = {")
        for i in range(self.degree + 1):
            print("      {%s}," % ", ".join(literal(c[i]) for c in columns))
        print("  };\n};\n")


def silu_slope(z):
    return sigma(z) * (1 + z * sigma(-z))


def gelu_slope(z):
    return cdf(z) + z * phi(z)


def phish(z):
    return z * mp.tanh(z * cdf(z))


def phish_slope(z):
    t = mp.tanh(z * cdf(z))
    return t + z * (1 - t * t) * gelu_slope(z)


def softplus(z):
    return mp.log1p(mp.exp(z))


def serf_slope(z):
    return mp.erf(softplus(z)) + z * 2 / mp.sqrt(mp.pi) * mp.exp(-softplus(z) ** 2) * sigma(z)


def tanh_exp_slope(z):
    return mp.tanh(mp.exp(z)) + z * mp.exp(z) * mp.sech(mp.exp(z)) ** 2


def logish_slope(z):
    return mp.log1p(sigma(z)) + z * sigma(z) * sigma(-z) / (1 + sigma(z))


def arctan_tail(z):
    return mp.atan(1 / z) / mp.pi if z else mp.mpf(1) / 2


Q = mp.mpf("1.702")
ROOT = 1.553763441  # 14.45/9.3: from -9.3 on, with the line's zero at 14


def whole(name, meaning, function, degree, high, **more):
    """Intervals of one width, from 0, or, where low is given, from there."""
    return Warped(name, meaning, function, degree, 0, high, 31.45 / high, **more)


def both_sides(name, meaning, function, degree, high, **more):
    return Warped(name, meaning, function, degree, -high, high, 15.45 / high, offset=15, **more)


def narrowing(name, meaning, function, degree, high, slope, **more):
    """Intervals that grow narrower with z, as what falls off like exp(-z^2) wants them."""
    return Warped(name, meaning, function, degree, 0, high, slope, square=(31.45 / high - slope) / high, **more)


def steep_right(name, meaning, function, slope, **more):
    return Warped(name, meaning, function, 6, -9.3, 9.3, slope, offset=20, second=(ROOT, 14), last=True, **more)


def falling_left(name, meaning, function, **more):
    low, slope = -6.4, 2.6
    return Warped(name, meaning, function, 7, low, 9.1, slope, square=(-22.45 - slope * low) / low ** 2, offset=22,
                  second=(0.6, 26), larger=False, **more)


WHOLE = {}
WHOLE["smooth"] = [
    whole("SiluDip", "-z sigmoid(-z)", lambda z: -z * sigma(-z), 5, 12.5, zero=1),
    whole("SiluSlope", "the slope of x*sigmoid(x) at -z", lambda z: silu_slope(-z), 5, 13, roots=[1.28], steep=True),
    whole("ESwishDip", "-1.375 z sigmoid(-z)", lambda z: -z * sigma(-z) * 11 / 8, 5, 12.5, zero=1),
    whole("QuickGeluDip", "-z sigmoid(-1.702 z)", lambda z: -z * sigma(-Q * z), 5, 8.2, zero=1),
    whole("QuickGeluSlope", "the slope of x*sigmoid(1.702 x) at -z", lambda z: silu_slope(-Q * z), 5, 8.2, roots=[0.75],
          steep=True),
    narrowing("GeluDip", "-z Phi(-z)", lambda z: -z * cdf(-z), 6, 6.5, 2.5, zero=1),
    narrowing("GeluSlope", "the slope of x*Phi(x) at -z", lambda z: gelu_slope(-z), 6, 6.5, 2.5, roots=[0.75], steep=True),
    narrowing("TanhGeluDip", "-z sigmoid(-2 sqrt(2/pi) (z + 0.044715 z^3))", lambda z: -z * tanh_gate(-z), 6, 6, 2.3, zero=1),
    narrowing("TanhGeluSlope", "the slope of x times that at -z", lambda z: tanh_gate_slope(-z), 6, 6, 2.3, roots=[0.75],
              steep=True),
    whole("AtluDip", "-z (1/2 - atan(z)/pi)", lambda z: -z * arctan_tail(z), 6, 12, zero=1),
    whole("AtluSlope", "the slope of x*(1/2 + atan(x)/pi) at -z", lambda z: arctan_tail(z) - z / mp.pi / (1 + z * z), 6, 11,
          steep=True),
    both_sides("MishFactor", "tanh(log(1 + exp(z)))", mish_gate, 6, 10),
    both_sides("MishWholeSlope", "the slope of z tanh(log(1 + exp(z)))", mish_slope, 6, 9.3, roots=[-1.19], steep=True),
    both_sides("LogishWhole", "z log(1 + sigmoid(z))", lambda z: z * mp.log1p(sigma(z)), 6, 9.3, zero=1),
    both_sides("LogishSlope", "the slope of z log(1 + sigmoid(z))", logish_slope, 6, 9.3, roots=[-1.35], steep=True),
    steep_right("TanhExpWhole", "z tanh(exp(z))", lambda z: z * mp.tanh(mp.exp(z)), 4.6, zero=1),
    steep_right("TanhExpSlope", "the slope of z tanh(exp(z))", tanh_exp_slope, 4.6, roots=[-1.1], steep=True),
    steep_right("SerfWhole", "z erf(log(1 + exp(z)))", lambda z: z * mp.erf(softplus(z)), 2.75, zero=1),
    steep_right("SerfSlope", "the slope of z erf(log(1 + exp(z)))", serf_slope, 2.75, roots=[-1.14], steep=True),
    falling_left("PhishWhole", "z tanh(z Phi(z)); in intervals 21 to 23 over z^2", phish, steep=True,
                 plain=(22, 1, lambda z: mp.tanh(z * cdf(z)) / z if z else mp.mpf(1) / 2)),
    falling_left("PhishSlope", "the slope of z tanh(z Phi(z))", phish_slope, zero=1, roots=[-1.09], steep=True),
    Warped("GcuWhole", "z cos(z)", lambda z: z * mp.cos(z), 5, 0, 9.88, 10 / np.pi, zero=1, roots=[1.57, 4.71, 7.85]),
    Warped("GcuSlope", "the slope of z cos(z)", lambda z: mp.cos(z) - z * mp.sin(z), 5, 0, 9.38, 3.25,
           roots=[0.86, 3.43, 6.44], steep=True),
    whole("LishtRatio", "tanh(z)/z", lambda z: mp.tanh(z) / z if z else mp.mpf(1), 5, 9.5),
    whole("LishtSlope", "the slope of z tanh(z)", lambda z: mp.tanh(z) + z * mp.sech(z) ** 2, 6, 11, zero=1),
    Periodic("SineSquared", "sin(z)^2", lambda z: mp.sin(z) ** 2, 4, {0: 2}),
    Periodic("SineOfDouble", "1 + sin(2 z)", lambda z: 1 + mp.sin(2 * z), 4, {24: 2}),
]


family = sys.argv[1]
print("""// Generated by tools/tables.py; do not edit. Each table's largest error, in units in the last place, beside it.
#pragma once

#include <cstddef>

// clang-format off
namespace ogee::tables {
""")
if family == "exponential":
    print("inline constexpr float powers[32] = {%s};" % ", ".join(literal(float(mp.mpf(2) ** (mp.mpf(j) / 32))) for j in range(32)))
    t = -0.5 + 0.5 * np.cos(np.pi * (np.arange(129) + 0.5) / 129)
    root = mp.findroot(lambda z: mp.exp(z) * (z + 2) - 1, -0.443)
    print("inline constexpr double hard_elish_root = %s;" % mp.nstr(root, 20))
    from_root = t - float(root)
    left = [sum(mp.mpf(v) ** k / mp.factorial(k + 2) for k in range(30)) for v in t]
    for name, f, bound, degree in [
            ("expm1_unit", np.array([float(v) for v in left]), 1.0 / np.abs(t), 5),
            ("hard_elish_slope", np.array([float((mp.exp(v) * (v + 2) - 1) / 2 / (v - root)) for v in map(mp.mpf, t)]), 1.0, 6)]:
        t = t if name == "expm1_unit" else from_root
        c = best_floats(t, f, bound, degree, 0)
        print("inline constexpr float %s[] = {%s};  // error %s" % (
            name, ", ".join(literal(v) for v in c), mp.nstr(mp.mpf(float(np.max(np.abs(np.polyval(c[::-1], t) - f) / bound * 2.0 ** 24))), 2)))
    print()
for row in GRIDS.get(family, []):
    print_grid(*row)
for one in WHOLE.get(family, []):
    one.write()
for name, meaning, function, step, first, root in SETS.get(family, []):
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

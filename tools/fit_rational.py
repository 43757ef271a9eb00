#!/usr/bin/env python3
"""Fits the default parameters of `rational` (safe Pade 5/4) to leaky_relu on [-3, 3] by least squares.

Usage: /usr/bin/python3 tools/fit_rational.py      (needs python3-scipy)
"""
import numpy as np
from scipy.optimize import least_squares

x = np.linspace(-3, 3, 601)
target = np.where(x > 0, x, 0.01 * x)


def rational(c):
    p = np.polyval(c[5::-1], x)
    q = 1 + np.abs(x * np.polyval(c[:5:-1], x))
    return p / q


best = None
for seed in range(20):
    start = np.random.default_rng(seed).normal(0, 0.5, 10)
    fit = least_squares(lambda c: rational(c) - target, start, max_nfev=4000)
    if best is None or fit.cost < best.cost:
        best = fit
print("root mean square error", np.sqrt(2 * best.cost / x.size))
print(["%.7f" % c for c in best.x])

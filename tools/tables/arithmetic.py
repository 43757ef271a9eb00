"""What all tables are computed with: 40 digits, and the places of floats."""
import mpmath as mp
import numpy as np

mp.mp.dps = 40


def unit(value, floor):
    """A unit in the last place of a float as large as value, or as floor, if that is larger."""
    size = max(abs(value), mp.mpf(floor))
    return mp.mpf(2) ** (mp.floor(mp.log(size, 2)) - 23)


def centre_near(function, middle, step, steep):
    """The float near middle where function is nearest to a float; of steep ones the slope's rounding counts, too."""
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


def at(limit, f):
    """f, whose value at 0 is a limit."""
    return lambda z: mp.mpf(limit) if z == 0 else f(z)

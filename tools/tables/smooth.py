"""src/kernels/quick/smooth_tables.h: whole functions, and two waves."""
from arithmetic import mp, np
from formulas import cdf, mish_gate, mish_slope, phi, sigma, tanh_gate, tanh_gate_slope
from warped import Periodic, Warped


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


TABLES = [
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
    steep_right("TanhExpFactor", "tanh(exp(z))", lambda z: mp.tanh(mp.exp(z)), 4.6),
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

"""src/kernels/quick/learned_tables.h: parts that sums which cancel are made of (learned_tables-inl.h beside it)."""
from arithmetic import at, mp
from formulas import cdf, phi, sigma
from gal import Gal
from warped import Single

STEP = mp.mpf("0.065")


def arctan(near, far):
    """near(z) for 0 <= z <= 1, which is |x|; far(w) at z = -w - step, w = 1/|x|."""
    return lambda z: near(z) if z >= -STEP / 2 else far(-z - STEP)


def arctan_slope_far(w):
    # (atan(w) - w/(1 + w^2))/w^3
    if abs(w) < mp.mpf("1e-3"):
        return mp.mpf(2) / 3 - 4 * w ** 2 / 5 + 6 * w ** 4 / 7 - 8 * w ** 6 / 9
    return (mp.atan(w) - w / (1 + w * w)) / w ** 3


def of_root(function, at_0):
    """function(sqrt(u)) of u."""
    return lambda u: function(mp.sqrt(u)) if u > mp.mpf("1e-20") else at_0


TABLES = [
    Gal("SigmoidSides", "sigmoid(-z)", lambda z: sigma(-z), "0.625", steep=True, odd=True),
    Gal("MillsRatio", "Phi(-z) exp(z^2/2) sqrt(2 pi)", lambda z: cdf(-z) / phi(z), "0.40625"),
    Gal("ArctanTail", "1/2 - atan(z)/pi; at -z - step atan(z)/(pi z)",
        arctan(lambda z: mp.mpf(1) / 2 - mp.atan(z) / mp.pi, lambda w: at(1, lambda v: mp.atan(v) / v)(w) / mp.pi),
        "0.065", -16, odd=True),
    Gal("ArctanSlope", "1/2 - atan(z)/pi - z/(pi (1 + z^2)); at -z - step (atan(z) - z/(1 + z^2))/(pi z^3)",
        arctan(lambda z: mp.mpf(1) / 2 - (mp.atan(z) + z / (1 + z * z)) / mp.pi, lambda w: arctan_slope_far(w) / mp.pi),
        "0.065", -16, odd=True),
    Single("ArctanRatio", "with t^2 = z, atan(t)/(pi t)", of_root(lambda t: mp.atan(t) / (mp.pi * t), 1 / mp.pi), 9, 0, 1),
    Single("ArctanSum", "with t^2 = z, (atan(t)/t + 1/(1 + z))/pi",
           of_root(lambda t: (mp.atan(t) / t + 1 / (1 + t * t)) / mp.pi, 2 / mp.pi), 11, 0, 1),
    Single("ArctanDifference", "with t^2 = z, (atan(t) - t/(1 + z))/(pi t^3)",
           of_root(lambda t: arctan_slope_far(t) / mp.pi, 2 / (3 * mp.pi)), 11, 0, 1),
    Gal("XieluRatio", "(exp(z) - 1)/z", at(1, lambda z: mp.expm1(z) / z), "0.53125", -31, bound=mp.mpf("0.012"),
        steep=True),
    Gal("XieluExponential", "exp(z)", mp.exp, "0.53125", -31, bound=mp.mpf("0.012"), steep=True),
]

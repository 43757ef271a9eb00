"""src/kernels/quick/eight_tables.h: 8 polynomials each, for vectors of eight floats; and an exponential's one."""
from arithmetic import at, mp, np
from eight import Eight
from exponential import tanh_shrink_ratio
from formulas import cdf, phi
from grids import best_floats
from writing import array


def mills(z):
    return cdf(-z) * mp.exp(z * z / 2)


def logarithmic(name, meaning, function, degree, high, offset=1, **more):
    """From 0 on, intervals that grow with z: slope*z + offset runs up to 16 or 24."""
    last = 16 if offset < 1.5 else 24
    return Eight(name, meaning, function, degree, 0, high, (last - offset) * 0.9999 / high, offset, **more)


def even(name, meaning, function, degree, high, **more):
    """From 0 on, intervals of one width."""
    return Eight(name, meaning, function, degree, 0, high, 0.9999 / high, 1, even=True, **more)


def sides(name, meaning, function, left, degree, high, **more):
    """Four intervals from 0 on, the first two half as wide, for two functions: for a sign bit that is not set, and for
    one that is."""
    return Eight(name, meaning, function, degree, 0, high, 2.9999 / high, 1, left=left, **more)


class Power:
    """exp(r) = 1 + r + r^2 p(r) where r is at most half of log(2)."""

    @staticmethod
    def write():
        t = 0.3475 * np.cos(np.pi * (np.arange(400) + 0.5) / 400)
        p = np.array([float(sum(mp.mpf(v) ** k / mp.factorial(k + 2) for k in range(30))) for v in t])
        weight = np.abs(t) ** -1.5
        c = best_floats(t, p, weight, 4, 0)
        worst = np.max(np.abs(np.polyval(c[::-1], t) - p) / weight)
        print("// exp(r) = 1 + r + r^2 p(r), |r| <= log(2)/2; error %.1e" % worst)
        print("inline constexpr float power_rest[] = %s;\n" % array(c))


def gelu_dip(z):
    return -z * cdf(-z)


TABLES = [
    Power,
    logarithmic("TanhEight", "tanh(z)", mp.tanh, 6, 9.01, zero=1, rounded=3),
    logarithmic("TanhFineEight", "tanh(z)", mp.tanh, 7, 10, zero=1, rounded=3),
    logarithmic("LishtEight", "tanh(z)/z", at(1, lambda z: mp.tanh(z) / z), 8, 10, rounded=3),
    logarithmic("TanhshrinkEight", "(z - tanh(z))/z^3", tanh_shrink_ratio, 8, 7.9, rounded=3),
    logarithmic("ArctanEight", "atan(z)", mp.atan, 7, 8, zero=1, rounded=3),
    logarithmic("ErfEight", "erf(z)/z", at(2 / mp.sqrt(mp.pi), lambda z: mp.erf(z) / z), 7, 3.92, rounded=3),
    # The first interval ends at sqrt(3/32), so that no exponential but 1 is looked up together with it.
    Eight("GeluEight", "-z Phi(-z) exp(max(z^2/2 - 3/64, 0))", lambda z: gelu_dip(z) * mp.exp(z * z / 2 - mp.mpf(3) / 64),
          7, 0, 9.184, float(mp.sqrt(mp.mpf(8) / 3)), 1, zero=1, rounded=3, first=gelu_dip),
    logarithmic("NormalEight", "Phi(-z) exp(z^2/2)", mills, 8, 9.5, rounded=3),
    logarithmic("MillsEight", "Phi(-z)/phi(z)", lambda z: cdf(-z) / phi(z), 8, 12.79, rounded=3),
    logarithmic("GeluSlopeEight", "(Phi(-z) - z phi(z)) exp(z^2/2)", lambda z: mills(z) - z / mp.sqrt(2 * mp.pi), 6, 9.5,
                offset=1.5, roots=[0.75], rounded=3),
    even("LogEight", "log(1 + e)/e", at(1, lambda e: mp.log1p(e) / e), 4, 1, rounded=3),
    sides("MishEight", "with e = exp(-|x|), (mish(x)/x - 1)/e; left of 0 mish(x)/(x e)",
          lambda e: -2 * e / (2 * e * e + 2 * e + 1), lambda e: (e + 2) / (e * e + 2 * e + 2), 6, 1, floor=0.25),
]

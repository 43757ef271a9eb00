"""src/kernels/quick/exponential_tables.h: grids, and three arrays of coefficients."""
from arithmetic import at, mp, np
from formulas import cdf, sigma
from grids import Grid, best_floats
from writing import array, literal


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


def sigmoid_end(value):
    """Down to what 1 - p does not see: 1 - p is 1 from there on, where 1.9 units are missing."""
    return [float(np.float32(v)) for v in (value, (2.9e-8 - value) / (0.5 - 2.0 ** -9))]


class Coefficients:
    """Powers of two; two polynomials on [-1, 0], the second around the root of hard_elish's slope."""

    @staticmethod
    def write():
        print("inline constexpr float powers[32] = %s;" % array(mp.mpf(2) ** (mp.mpf(j) / 32) for j in range(32)))
        t = -0.5 + 0.5 * np.cos(np.pi * (np.arange(129) + 0.5) / 129)
        root = mp.findroot(lambda z: mp.exp(z) * (z + 2) - 1, -0.443)
        print("inline constexpr double hard_elish_root = %s;" % mp.nstr(root, 20))
        unit = np.array([float(sum(mp.mpf(v) ** k / mp.factorial(k + 2) for k in range(30))) for v in t])
        slope = np.array([float((mp.exp(v) * (v + 2) - 1) / 2 / (v - root)) for v in map(mp.mpf, t)])
        for name, x, f, bound, degree in [("expm1_unit", t, unit, 1.0 / np.abs(t), 5),
                                          ("hard_elish_slope", t - float(root), slope, 1.0, 6)]:
            c = best_floats(x, f, bound, degree, 0)
            worst = np.max(np.abs(np.polyval(c[::-1], x) - f) / bound * 2.0 ** 24)
            print("inline constexpr float %s[] = %s;  // error %s" % (name, array(c), mp.nstr(mp.mpf(float(worst)), 2)))
        print()


TABLES = [
    Coefficients,
    Grid("SigmoidGrid", "sigmoid(-z)", lambda z: sigma(-z), "0.5", 0, 5, "left",
         last=sigmoid_end, trusted=mp.mpf("15.5") - mp.mpf(2) ** -20),
    Grid("SigmoidSlopeGrid", "sigmoid(z) sigmoid(-z)", lambda z: sigma(-z) * sigma(z), "0.5", 0, 5, "middle"),
    Grid("SoftplusGrid", "log(1 + exp(-z))", lambda z: mp.log1p(mp.exp(-z)), "0.5", 0, 5, "middle"),
    Grid("TanhGrid", "tanh(z)", mp.tanh, "0.28", 0, 5, "centred", lowest=1,
         last=lambda value: [1.0, 0.0]),  # 1 beyond 8.54, as near as the contract asks
    Grid("TanhSlopeGrid", "1 - tanh(z)^2", lambda z: mp.sech(z) ** 2, "0.25", 0, 5, "middle"),
    Grid("TanhFineGrid", "tanh(z)", mp.tanh, "0.25", 0, 5, "middle", lowest=1),
    Grid("SquareplusSlopeGrid", "(1 - z/sqrt(z^2 + 4))/2", lambda z: (1 - z / mp.sqrt(z * z + 4)) / 2,
         "0.25", 0, 4, "middle"),
    Grid("TanhshrinkGrid", "(z - tanh(z))/z^3", tanh_shrink_ratio, "0.25", 0, 5, "centred"),
    Grid("ErfGrid", "erf(z)/z", at(2 / mp.sqrt(mp.pi), lambda z: mp.erf(z) / z), "0.125", 0, 4, "middle"),
    Grid("NormalGrid", "Phi(-z)", lambda z: cdf(-z), "0.25", 0, 8, "centred", trusted=mp.mpf("6.2")),
    Grid("ArctanGrid", "atan(z)", mp.atan, "0.25", 0, 5, "middle", lowest=1),
    Grid("SeluGrid", "1.7580993408473766 (exp(z) - 1)",
         lambda z: mp.mpf("1.7580993408473768599402") * mp.expm1(z), "0.5625", -31, 5, "centred", lowest=1),
    Grid("Expm1Grid", "exp(z) - 1", mp.expm1, "0.5625", -31, 5, "centred", lowest=1),
    Grid("ElishGrid", "elish(z)/z", elish_gate, "0.5", -16, 5, "centred left", through_0=(-1, 0)),
    Grid("ElishSlopeGrid", "the slope of elish(z)", elish_slope, "0.5", -16, 6, "left", floor=2.0 ** -4),
]

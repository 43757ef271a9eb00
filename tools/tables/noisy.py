"""src/kernels/quick/noisy_tables.h"""
from arithmetic import at, mp, np
from gal import Gal
from warped import minimax
from writing import array


class Logarithm:
    """log(m) for 1 <= m < 2: with c the float next to the inverse of an interval's middle and r = m c - 1, it is
    r p(r) - log(c), the latter in two parts, of which multiples of 2^-13 add up exactly."""

    def __init__(self, count, degree):
        self.count, self.degree = count, degree

    def write(self):
        inverse = [np.float32(1 / (1 + (j + 0.5) / self.count)) for j in range(self.count)]
        logarithm = [-mp.log(mp.mpf(float(c))) for c in inverse]
        high = [float(mp.nint(v * 8192) / 8192) for v in logarithm]
        low = [float(v - h) for v, h in zip(logarithm, high)]
        most = max(float(mp.mpf(float(c)) * (1 + mp.mpf(j + side) / self.count) - 1) * (2 * side - 1)
                   for j, c in enumerate(inverse) for side in (0, 1))
        found = minimax(lambda r: mp.log1p(r) / r, self.degree, 0, [1.0], -most, most)
        error = max(abs(mp.log1p(r) - r * mp.polyval(found[::-1], r))
                    for r in (most * (mp.mpf(i) / 500 - 1) for i in range(1001)))
        print("// log(m) in %d intervals of 1 <= m < 2: log(1 + r) = r p(r), r = m inverse - 1; error %.1e" % (
            self.count, float(error)))
        print("struct Logarithm%d {" % self.count)
        for name, values in (("inverse", inverse), ("high", high), ("low", low)):
            print("  alignas(64) static constexpr float %s[%d] = %s;" % (name, self.count, array(values)))
        print("  static constexpr float p[] = %s;" % array(found))
        print("};\n")


TABLES = [
    Gal("TanhSquareRatio", "(tanh(z)/z)^2", at(1, lambda z: (mp.tanh(z) / z) ** 2), "0.3125"),
    Gal("TanhGradeRatio", "tanh(z) (1 - tanh(z)^2)/z", at(1, lambda z: mp.tanh(z) * mp.sech(z) ** 2 / z), "0.4375"),
    Logarithm(16, 3),
    Logarithm(8, 5),
]

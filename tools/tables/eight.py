"""Tables of 8 polynomials, for vectors of eight floats: one permute of a register finds a coefficient for each lane.

Fewer intervals than elsewhere, so that these are chosen with care: an index is three bits of slope*z + offset. With one
of them the mantissa's ("halves"), intervals double in width every second time; with all three ("even"), in [1, 2), they
have one width. Of four intervals there may be two sets ("sides"), of which the sign of another number chooses one.
"""
from arithmetic import mp, np
from warped import Warped, minimax
from writing import literal


class Eight(Warped):
    def __init__(self, name, meaning, function, degree, low, high, slope, offset, even=False, zero=0, roots=(),
                 rounded=2, left=None, first=None, floor=1e-38):
        Warped.__init__(self, name, meaning, function, degree, low, high, slope, zero=zero, roots=roots)
        self.offset = float(np.float32(offset))
        self.shift = 20 if even else 22
        self.rounded = rounded  # so many coefficients are rounded, in turn, before the others are fitted
        self.left = left  # the other side's function
        self.first = first or function  # the first interval's
        self.floor = floor  # smaller values count as this one

    def index(self, z):
        u = z * self.slope + self.offset
        exponent = np.floor(np.log2(u))
        return ((exponent + 127) + (u / 2.0 ** exponent - 1)) * 2 ** (23 - self.shift)

    def intervals(self):
        first, final = (int(np.floor(self.index(z))) for z in (self.low, self.high))
        assert final - first < (4 if self.left else 8), (self.name, first, final)
        for k in range(first, final + 1):
            a, b = self.inverse(k), self.inverse(k + 1)
            margin = (b - a) * 1e-4
            yield k, (self.low if k == first else a - margin), (b if k == final else b + margin)

    def columns(self):
        for k, a, b in self.intervals():
            yield from self.column(k, a, b, self.first if a == self.low else self.function)
            if self.left:
                yield from self.column(k ^ 4, a, b, self.left)

    def column(self, k, a, b, function):
        fit = lambda known: minimax(function, self.degree, c, known, a, b, self.floor)
        known = []
        roots = [r for r in self.roots if a <= r <= b]
        if self.zero and a <= 0 <= b:
            c, known = 0.0, [0.0] * self.zero
        else:
            c = float(np.float32(roots[0])) if roots else self.centre(function, a, b)
            known = [float(np.float32(float(function(mp.mpf(c)))))]
        while len(known) < self.rounded:
            known.append(float(np.float32(fit(known)[len(known)])))
        column = [np.float32(v if abs(v) > 1.2e-38 else 0) for v in fit(known)]
        yield k % 8, np.float32(c), column, self.error(function, c, column, a, b)

    def error(self, function, c, column, a, b):
        """The largest relative error, in units of 2^-24, away from roots."""
        worst = mp.mpf(0)
        for z in (mp.mpf(a + (b - a) * i / 64) for i in range(65)):
            value = function(z)
            if value == 0 or any(abs(z - r) < 0.1 * abs(r) for r in self.roots):
                continue
            p = mp.polyval([mp.mpf(float(v)) for v in column[::-1]], z - mp.mpf(float(c)))
            worst = max(worst, abs(p - value) / max(abs(value), self.floor))
        return worst * 2 ** 24

    def write(self):
        number = lambda v: literal(np.float32(v))
        rows = {k: (c, column, error) for k, c, column, error in self.columns()}
        worst = max(row[2] for row in rows.values())
        unused = (np.float32(0), [np.float32(0)] * (self.degree + 1), 0)
        found = [rows.get(j, unused) for j in range(8)]
        print("// %s, %g <= z <= %g; error %s" % (self.meaning, self.low, self.high, mp.nstr(worst, 2)))
        print("struct %s {" % self.name)
        print("  static constexpr float low = %s, high = %s;" % (number(self.low), number(self.high)))
        print("  static constexpr float slope = %s, offset = %s;" % (number(self.slope), number(self.offset)))
        print("  static constexpr int shift = %d;" % self.shift)
        print("  static constexpr std::size_t size = %d;" % (self.degree + 1))
        print("  alignas(32) static constexpr float centre[8] = {%s};" % ", ".join(number(row[0]) for row in found))
        print("  alignas(32) static constexpr float c[size][8] = {")
        for i in range(self.degree + 1):
            print("      {%s}," % ", ".join(number(row[1][i]) for row in found))
        print("  };\n};\n")

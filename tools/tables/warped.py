"""Tables of whole functions, whose intervals need not be equal (Warped), and of one period of a function (Periodic);
and one polynomial, for vectors in which a lookup takes longer (Single).

The polynomials are minimax of the relative error (Lawson's method).
"""
from arithmetic import mp, np, unit
from writing import array, literal, write_polynomials


def minimax(function, degree, c, known, a, b, floor=1e-38):
    """The known coefficients of a polynomial in z - c and the others, for the least relative error on [a, b]; values
    smaller than the floor count as that."""
    count, p, c = degree + 1 - len(known), len(known), mp.mpf(c)
    n = 12 * count
    z = [mp.mpf((a + b) / 2 + (b - a) / 2 * np.cos(np.pi * (i + 0.5) / n)) for i in range(n)]
    z = [v for v in z if abs(v - c) > 1e-9 * (b - a)]
    value = [function(v) for v in z]
    goal = np.array([float((f - mp.polyval(known[::-1], v - c)) / (v - c) ** p) for f, v in zip(value, z)])
    t = np.array([float(v - c) for v in z])
    weight = np.abs(t) ** p / np.array([max(abs(float(f)), floor) for f in value])
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


# Interval k has the z for which `index` rounds to k. Where the function vanishes a centre lies at the root, or at the
# float nearest to it, so that relative precision lasts there.
class Warped:
    def __init__(self, name, meaning, function, degree, low, high, slope, square=0.0, offset=0, second=None,
                 larger=True, last=False, zero=0, roots=(), steep=False, plain=None):
        self.name, self.meaning, self.function, self.degree = name, meaning, function, degree
        self.low, self.high = low, high
        self.slope, self.square, self.offset = (float(np.float32(v)) for v in (slope, square, offset))
        self.second = second and tuple(float(np.float32(v)) for v in second)  # another line
        self.larger = larger  # of the two lines the larger counts, else the smaller
        self.last = last  # everything beyond belongs to interval 31
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
                    known.append(float(np.float32(minimax(function, self.degree, c, known, a, b)[1])))
            found = minimax(function, self.degree, c, known, a, b)
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
        print("  static constexpr float second_slope = %s, second_offset = %s;" % (
            number(second[0]), number(12582912 + second[1])))
        print("  static constexpr bool last = %s;" % ("true" if self.last else "false"))
        found = [rows.get(j, unused) for j in range(32)]
        write_polynomials([column for _, column in found], [c for c, _ in found])


# One polynomial around a centre in the middle, where the function is nearly a float: its terms, and their roundings, are
# small.
class Single(Warped):
    def __init__(self, name, meaning, function, degree, low, high):
        super().__init__(name, meaning, function, degree, low, high, 0)

    def write(self):
        c = self.centre(self.function, self.low, self.high)
        known = [float(np.float32(float(self.function(mp.mpf(c)))))]
        while len(known) < 3:  # each is rounded before the ones after it are fitted
            known.append(float(np.float32(
                minimax(self.function, self.degree, c, known, self.low, self.high)[len(known)])))
        found = minimax(self.function, self.degree, c, known, self.low, self.high)
        error = max(abs(mp.polyval(found[::-1], z - c) / self.function(z) - 1)
                    for z in (mp.mpf(self.low) + (self.high - self.low) * i / mp.mpf(1000) for i in range(1001)))
        print("// %s, %g <= z <= %g; relative error %.1e" % (self.meaning, self.low, self.high, float(error)))
        print("struct %s {" % self.name)
        print("  static constexpr float centre = %s, leading = %s;" % (literal(np.float32(c)), literal(found[0])))
        print("  static constexpr float rest[] = %s;" % array(found[1:]))
        print("};\n")


# A function of period pi, as 32 polynomials around the multiples of pi/32.
class Periodic:
    def __init__(self, name, meaning, function, degree, zero):
        self.name, self.meaning, self.function, self.degree = name, meaning, function, degree
        self.zero = zero  # interval: the root's order at its middle

    def write(self):
        half = float(mp.pi / 64) * 1.001
        columns = []
        for k in range(32):
            shifted = lambda t: self.function(k * mp.pi / 32 + t)
            known = [0.0] * self.zero[k] if k in self.zero else [float(np.float32(float(shifted(mp.mpf(0)))))]
            while len(known) < 3:  # each coefficient is rounded before the ones after it are fitted
                known.append(float(np.float32(minimax(shifted, self.degree, 0, known, -half, half)[len(known)])))
            columns.append([np.float32(v) for v in minimax(shifted, self.degree, 0, known, -half, half)])
        print("// %s" % self.meaning)
        print("struct %s {" % self.name)
        write_polynomials(columns)

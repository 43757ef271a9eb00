"""Tables of 32 equal intervals.

Interval k of a table, |z/step - k| <= 1/2, has a centre c near k*step and a polynomial in z - c. The centre is the
float near k*step at which the function's value is nearest to a float (Gal's method), so that rounding the leading
coefficient costs nothing; of steep tables, whose second coefficient counts as much, its rounding is weighed, too. Entry
j of the arrays is the interval k = j modulo 32, as the lookup takes the low five bits.
The polynomials interpolate at Chebyshev nodes; the degree is the first whose error stays below the bound before
coefficients are rounded, in units in the last place of the function's value (or, near a root of a derivative, of 1/8).
"""
from arithmetic import at, centre_near, mp, np, unit
from writing import write_polynomials

BOUND = mp.mpf("0.08")
TRUSTED = mp.mpf("0.45")


def fit(function, centre, low, high, degree):
    nodes = [(low + high) / 2 + (high - low) / 2 * mp.cos(mp.pi * (2 * i + 1) / (2 * (degree + 1)))
             for i in range(degree + 1)]
    matrix = mp.matrix(degree + 1, degree + 1)
    for i, z in enumerate(nodes):
        for j in range(degree + 1):
            matrix[i, j] = (z - centre) ** j
    return list(mp.lu_solve(matrix, mp.matrix([function(z) for z in nodes])))


def error(function, centre, low, high, coefficients, root):
    worst = mp.mpf(0)
    for i in range(33):
        z = low + (high - low) * i / 32
        floor = 0.125 if abs(z - root) < 0.08 * abs(root) else 0
        value = function(z)
        p = mp.polyval(coefficients[::-1], z - centre)
        worst = max(worst, abs(p - value) / unit(value, floor))
    return worst


class Gal:
    def __init__(self, name, meaning, function, step, first=0, root=0, bound=BOUND, steep=False, odd=False):
        self.name, self.meaning, self.function, self.step, self.first = name, meaning, function, mp.mpf(step), first
        self.root = root  # near which terms of 1/8 and more cancel; 0: none
        self.bound = bound  # less, where what cancels is larger than the result
        self.steep = steep  # the slope's share of a value at an interval's end is large
        # f(z) - f(0) is odd: the first interval has its centre at 0, and f(z) - f(0) is relatively exact there.
        self.odd = odd

    def bounds(self, k):
        return (k - mp.mpf("0.5")) * self.step, (k + mp.mpf("0.5")) * self.step

    def error(self, k, centre, coefficients):
        return error(self.function, centre, *self.bounds(k), coefficients, self.root)

    def fits(self, centres, degree):
        fits = {k: fit(self.function, c, *self.bounds(k), degree) for k, c in centres.items()}
        if self.odd:
            middle = self.function(mp.mpf(0))
            ratio = at(mp.diff(self.function, 0), lambda z: (self.function(z) - middle) / z)
            rest = fit(ratio, mp.mpf(0), *self.bounds(0), degree - 1)
            fits[0] = [middle] + [c if i % 2 == 0 else mp.mpf(0) for i, c in enumerate(rest)]
        return fits

    def table(self):
        intervals = range(self.first, self.first + 32)
        centres = {k: centre_near(self.function, k * self.step, self.step, self.steep) for k in intervals}
        if self.odd:
            centres[0] = mp.mpf(0)
        for degree in range(4, 12):
            fits = self.fits(centres, degree)
            if max(self.error(k, centres[k], fits[k]) for k in fits) <= self.bound:
                break
        else:
            raise SystemExit("no degree is enough")
        # A subnormal coefficient (where a symmetric function has none) would be a subnormal sum at the centre: slow.
        columns = {k: [np.float32(float(v) if abs(v) > 1.2e-38 else 0.0) for v in c] for k, c in fits.items()}
        errors = {k: self.error(k, centres[k], [mp.mpf(float(v)) for v in columns[k]]) for k in fits}
        # Far out a steep tail's coefficients round too much for the value of a product of three: up to where they do
        # not. (Slopes, which have roots, are allowed more.)
        trusted = min([k for k in fits if errors[k] > TRUSTED and not self.root] + [self.first + 32])
        columns, centres = ({k % 32: v for k, v in of.items()} for of in (columns, centres))
        return columns, centres, max(errors.values()), (trusted - mp.mpf("0.515625")) * self.step

    def write(self):
        columns, centres, worst, trusted = self.table()
        # Short of the ends, where rounding could choose the next interval, which is the one at the other end.
        low = (mp.mpf(self.first) - mp.mpf("0.484375")) * self.step
        high = (mp.mpf(self.first) + mp.mpf("31.484375")) * self.step
        print("// %s, %s <= z <= %s; error %s" % (self.meaning, mp.nstr(low, 6), mp.nstr(high, 6), mp.nstr(worst, 2)))
        print("struct %s {" % self.name)
        print("  static constexpr float low = %sf, high = %sf, steps = %sf;" % (
            mp.nstr(low, 10, strip_zeros=False), mp.nstr(high, 10, strip_zeros=False), repr(float(1 / self.step))))
        print("  static constexpr float trusted = %sf;" % mp.nstr(trusted, 10, strip_zeros=False))
        write_polynomials(columns, centres)

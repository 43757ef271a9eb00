"""Tables on grids.

Where the step is a power of two, the offset from the grid is one instruction (vreduceps), and no centre is looked up;
others have centres of Gal's ("centred"). An interval has its point of the grid in the middle, or begins there ("left").
The degree is given, and the coefficients are nearly the best floats: each is rounded in turn and those of higher powers
are fitted anew.
"""
from arithmetic import centre_near, mp, np
from writing import write_polynomials


def best_floats(t, f, unit_there, degree, lowest):
    c = np.zeros(degree + 1)
    scale = np.max(np.abs(t))
    for power in range(lowest, degree + 1):
        rest = f - sum(c[i] * t ** i for i in range(power))
        columns = np.stack([(t / scale) ** i for i in range(power, degree + 1)], 1)
        weight = np.ones_like(t)
        for _ in range(30):  # Lawson's: weights that make the least squares' largest error small
            s = np.sqrt(weight) / unit_there
            x = np.linalg.lstsq(columns * s[:, None], rest * s, rcond=None)[0]
            miss = np.abs(columns @ x - rest) / unit_there + 1e-12
            weight = weight * miss / np.sum(weight * miss)
        leading = float(np.float32(x[0] / scale ** power))
        c[power] = leading if abs(leading) > 1.2e-38 else 0.0
    return c


class Grid:
    def __init__(self, name, meaning, function, step, first, degree, kind, lowest=0, floor=0.0, through_0=(), last=None,
                 trusted=None):
        self.name, self.meaning, self.function, self.step, self.first = name, meaning, function, mp.mpf(step), first
        self.degree, self.kind = degree, kind  # "middle", "left", "centred", "centred left"
        self.lowest = lowest  # the lowest power where z = 0 is a root
        self.floor = floor  # smaller values count as this one, as in a slope with roots
        self.through_0 = through_0  # intervals with the centre 0: of a subnormal x only the first coefficient may count
        self.last = last  # the coefficients of the last interval, from the function's value where it begins
        self.trusted = trusted  # where the values are good enough for products, if not up to the end

    def fitted(self, k):
        """The coefficients of interval k, its centre, the largest error."""
        low = k * self.step - (0 if "left" in self.kind else self.step / 2)
        high = low + self.step
        middle = k * self.step
        if k in self.through_0:
            middle = mp.mpf(0)
        elif "centred" in self.kind and not (k == 0 and self.lowest):
            middle = centre_near(self.function, (low + high) / 2, self.step, False)
        if k == 0 and "left" not in self.kind:  # all numbers have one sign
            low, high = (mp.mpf(0), high) if self.first == 0 else (low, mp.mpf(0))
        z = [low + (high - low) * (1 - mp.cos(mp.pi * (i + mp.mpf("0.5")) / 65)) / 2 for i in range(65)]
        t = np.array([float(v - middle) for v in z])
        f = np.array([float(self.function(v)) for v in z])
        unit_there = 2.0 ** (np.floor(np.log2(np.maximum(np.abs(f), self.floor))) - 23)
        if self.last and k == 31:
            c = np.array(self.last(f[0]) + [0.0] * (self.degree - 1))
        else:
            c = best_floats(t, f, unit_there, self.degree, self.lowest if k == 0 else 0)
        return c, middle, np.max(np.abs(np.polyval(c[::-1], t) - f) / unit_there)

    def write(self):
        found = {k % 32: self.fitted(k) for k in range(self.first, self.first + 32)}
        columns, centres = ({k: v[i] for k, v in found.items()} for i in (0, 1))
        worst = max(v[2] for v in found.values())
        begin = mp.mpf(self.first) - (0 if "left" in self.kind else mp.mpf("0.484375"))
        end = begin + 32 - (mp.mpf(2) ** -8 if self.kind == "left" else mp.mpf("0.03125"))
        low, high = begin * self.step, end * self.step
        print("// %s, %s <= z <= %s; error %s" % (
            self.meaning, mp.nstr(low, 6), mp.nstr(high, 6), mp.nstr(mp.mpf(float(worst)), 2)))
        print("struct %s {" % self.name)
        print("  static constexpr float low = %sf, high = %sf, steps = %sf;" % (
            mp.nstr(low, 10, strip_zeros=False), mp.nstr(high, 10, strip_zeros=False), repr(float(1 / self.step))))
        print("  static constexpr float trusted = %sf;" % mp.nstr(self.trusted or high, 10, strip_zeros=False))
        print("  static constexpr bool begins = %s;" % ("true" if "left" in self.kind else "false"))
        write_polynomials(columns, centres if "centred" in self.kind else None)

#!/usr/bin/python3
"""Golden values of one step of recurrent cells: the states and their partial derivatives by everything.

Independent of the library: the cells' equations and the noisy units' formula are written out here, from the papers
(tests/golden/README.md tells what the other golden files are), and evaluated by mpmath at 60 digits. Noise is what it
is at evaluation: 0 for nan, sqrt(2/pi) in the place of |xi| for nah, whose derivatives by p do not vanish then.

make_cells.py           writes cells.golden beside this file
make_cells.py --check   recomputes it; exit status 1 where it differs
"""

import pathlib
import random
import sys

import mpmath
from mpmath import mp, mpf

FILE = pathlib.Path(__file__).with_name("cells.golden")


def sigmoid(x):
    return 1 / (1 + mpmath.exp(-x))


def base_of(name):
    """h and its linearisation u at 0, and the authors' alpha and c."""
    if name == "tanh":
        return mpmath.tanh, lambda x: x, mpf("1.15"), mpf("0.5")
    if name == "sigmoid":
        return sigmoid, lambda x: x / 4 + mpf(1) / 2, mpf("1.1"), mpf("0.15")
    if name == "hard_tanh":
        return lambda x: max(mpf(-1), min(mpf(1), x)), lambda x: x, mpf("1.15"), mpf("0.5")
    assert name == "hard_sigmoid"
    return lambda x: max(mpf(0), min(mpf(1), x / 4 + mpf(1) / 2)), lambda x: x / 4 + mpf(1) / 2, mpf("1.1"), mpf("0.15")


def phi(name, x, p):
    if name in ("tanh", "sigmoid"):
        return base_of(name)[0](x)
    kind, base = name.split("_", 1)
    h, u, alpha, c = base_of(base)
    # As a double has them: the library's defaults.
    alpha, c = mpf(float(alpha)), mpf(float(c))
    e = mpf(0)
    if kind == "nah":
        e = mpmath.sqrt(2 / mp.pi) * (-1 if alpha > 1 else 1)
    sigma = c * (sigmoid(p * (h(x) - u(x))) - mpf(1) / 2) ** 2
    return alpha * h(x) + (1 - alpha) * u(x) - mpmath.sign(x) * sigma * e


# Each takes functions' names by slot and a list of arguments, named in ARGUMENTS; p1... are the slots'.
def lstm(f, a):
    i, f_, g, o, c0, wi, wf, wo, *p = a
    c = phi(f[1], f_ + wf * c0, p[1]) * c0 + phi(f[0], i + wi * c0, p[0]) * phi(f[2], g, p[2])
    return [phi(f[3], o + wo * c, p[3]) * phi(f[4], c, p[4]), c]


def gru(f, a):
    nx, r, z, nh, h0, *p = a
    n = phi(f[2], nx + phi(f[0], r, p[0]) * nh, p[2])
    z = phi(f[1], z, p[1])
    return [(1 - z) * n + z * h0]


def mgu(f, a):
    nx, g, nh, h0, *p = a
    gate = phi(f[0], g, p[0])
    return [(1 - gate) * h0 + gate * phi(f[1], nx + gate * nh, p[1])]


CELLS = {
    "lstm": (lstm, "i f g o c0 wi wf wo p1 p2 p3 p4 p5", "h c", "sstst"),
    "gru": (gru, "nx r z nh h0 p1 p2 p3", "h", "sst"),
    "mgu": (mgu, "nx f nh h0 p1 p2", "h", "st"),
}
KINDS = ["", "nan_", "nah_", "nah_hard_"]
ROWS = 8


def digits(x):
    return mpmath.nstr(x, 25)


def lines():
    mp.dps = 60
    step = mpf(10) ** -20
    yield "# Made by make_cells.py, which holds the formulas. Columns: arguments, results, d(result)/d(argument)."
    for cell, (equations, arguments, results, slots) in CELLS.items():
        for kind in KINDS:
            functions = [kind + {"s": "sigmoid", "t": "tanh"}[s] for s in slots]
            yield "# cell: %s" % cell
            yield "# functions: %s" % " ".join(functions)
            yield "# arguments: %s" % arguments
            yield "# results: %s" % results
            random.seed(cell + kind)
            for _ in range(ROWS):
                # Floats, so that float32 sees the same arguments.
                a = [mpf(random.randint(-2 ** 16, 2 ** 16)) / 2 ** 15 * (1 if name[0] in "wp" else 2)
                     for name in arguments.split()]
                values = equations(functions, a)
                partials = []
                for k in range(len(a)):
                    up, down = list(a), list(a)
                    up[k] += step
                    down[k] -= step
                    partials.append([(x - y) / (2 * step)
                                     for x, y in zip(equations(functions, up), equations(functions, down))])
                yield " ".join([digits(x) for x in a + values] +
                               [digits(partials[k][r]) for r in range(len(values)) for k in range(len(a))])


if __name__ == "__main__":
    text = "\n".join(lines()) + "\n"
    if sys.argv[1:] == ["--check"]:
        sys.exit(0 if FILE.read_text() == text else "%s differs" % FILE)
    FILE.write_text(text)

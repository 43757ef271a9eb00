#!/usr/bin/env python3
"""Sines and cosines of large arguments, where whole turns are most of what there is, against mpmath.

100,000 random floats beyond the reach of an ordinary reduction, on every SIMD target; products of floats with a
frequency; and doubles of all exponents, those among them that come nearest to multiples of pi/2.
Usage: test_large_sines.py PROGRAM [CORE_PROGRAM]. Where there is CORE_PROGRAM, the program without LibTorch, which
starts sooner, it does the work.
"""
import array
import math
import os
import random
import struct
import subprocess
import sys
import tempfile

try:
    from mpmath import mp
except ImportError:
    print("skipped: needs mpmath")
    sys.exit(77)

program = sys.argv[-1]
mp.prec = 1300  # the largest double has 1,024 bits before the point
faults = 0


def run(function, xs, dtype, target=None):
    """The values, or None where there is no such target."""
    code = {"f32": "f", "f64": "d"}[dtype]
    with tempfile.TemporaryDirectory() as folder:
        source, result = os.path.join(folder, "x"), os.path.join(folder, "y")
        with open(source, "wb") as out:
            array.array(code, xs).tofile(out)
        command = [program, "eval", function, "--dtype", dtype, "--input", source, "--output", result]
        done = subprocess.run(command + (["--target", target] if target else []), capture_output=True)
        if target and done.returncode == 2:
            return None
        done.check_returncode()
        with open(result, "rb") as data:
            return array.array(code, data.read())


def check(what, xs, got, exact, bound):
    """bound: of the relative error."""
    global faults
    worst = (0, 0)
    for x, y, wanted in zip(xs, got, exact):
        worst = max(worst, (float(abs(mp.mpf(y) - wanted) / abs(wanted)), x))
    verdict = worst[0] <= bound
    faults += not verdict
    print("%s %s: relative error 2^%.1f, at %r" % ("ok  " if verdict else "BAD ", what, math.log2(worst[0] or 1e-30), worst[1]))


def floats(count):
    bits = [(random.getrandbits(1) << 31) | random.randrange(0x47C35000, 0x7F800000) for _ in range(count)]
    return [struct.unpack("f", struct.pack("I", b))[0] for b in bits]


random.seed(20261129)
targets = ["AVX3", "AVX2", "NEON", "SCALAR"]
xs = floats(100000)
with mp.workprec(320):
    sines = [mp.sin(mp.mpf(x)) for x in xs]
    cosines = [mp.mpf(x) * mp.cos(mp.mpf(x)) for x in xs]
check("sine of floats, f64", xs, run("sine(omega=1)", xs, "f64"), sines, 2.0 ** -51)
check("gcu of floats, f64", xs, run("gcu", xs, "f64"), cosines, 2.0 ** -50)
served = 0
some = 30000  # of which the slower targets are asked, too
for target in targets:
    got = run("sine(omega=1)", xs[:some], "f32", target)
    if got is None:
        continue
    served += 1
    check("sine of floats, f32 on " + target, xs, got, sines[:some], 2.0 ** -23)
    scaled = [x for x in xs[:some] if abs(x) < 1e37]
    with mp.workprec(320):
        exact = [mp.sin(30 * mp.mpf(x)) for x in scaled[:5000]]
    check("sine(omega=30) of floats, f32 on " + target, scaled, run("sine", scaled, "f32", target)[:5000], exact, 2.0 ** -23)
    finite = [x for x in xs[:some] if abs(x) < 1e38]
    check("gcu of floats, f32 on " + target, finite, run("gcu", finite, "f32", target),
          [c for x, c in zip(xs[:some], cosines) if abs(x) < 1e38], 2.0 ** -22)
if served < 1:
    sys.exit("no target served")

doubles = [math.ldexp(random.uniform(1, 2), e) * random.choice((1, -1)) for e in range(17, 1024) for _ in range(4)]
doubles += [math.ldexp(6381956970095103, 797), math.ldexp(5319372648326541, 204), 1.7976931348623157e308, 1e22]
check("sine of doubles, f64", doubles, run("sine(omega=1)", doubles, "f64"), [mp.sin(mp.mpf(x)) for x in doubles], 2.0 ** -51)
for x in (math.inf, -math.inf, math.nan):
    for dtype in ("f32", "f64"):
        if not all(math.isnan(y) for y in run("sine(omega=1)", [x] * 3, dtype)):
            faults += 1
            print("BAD  sine of", x, dtype)
sys.exit(1 if faults else 0)

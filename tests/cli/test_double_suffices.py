#!/usr/bin/env python3
"""The yardstick of `ogee accuracy` is the double kernels: are they exact enough to be one?

For every function of one input without noise, at floats of all exponents, the program's f64 values and slopes against
the golden files' formulas in many digits (mpmath): the error must be a hundredth of a float's unit in the last place.
Usage: test_double_suffices.py PROGRAM [CORE_PROGRAM]. Where there is CORE_PROGRAM, the program without LibTorch, which
starts sooner, it does the work.
"""
import array
import math
import os
import struct
import subprocess
import sys
import tempfile

golden = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden")
sys.path.insert(0, golden)
try:
    import make_golden
    from mpmath import mp
except (ImportError, SystemExit):
    print("skipped: needs mpmath")
    sys.exit(77)

program = sys.argv[-1]
BOUND = 0.01
mp.dps = 300


def floats(definition):
    """Floats spread over the exponents, both signs, none where the derivative jumps."""
    chosen = [k * 0.37 - 11 for k in range(60)]
    for exponent in range(-40, 11):
        chosen += [math.ldexp(1.0 + 0.618 * ((exponent * 7) % 5) / 5, exponent), -math.ldexp(1.3, exponent)]
    chosen += [-30.0, -60.0, -87.5, -95.0, -103.5, 40.0, 88.0, 1e6, -1e6]
    values = {a.key: mp.mpf(a.default) for a in definition.parameters}
    kinks = [float(k(values)) for k in definition.kinks[definition.inputs[0].name]]
    result = [struct.unpack("f", struct.pack("f", x))[0] for x in chosen]
    return [x for x in result if all(abs(x - k) > 1e-5 * max(1, abs(k)) for k in kinks)]


def unit(value):
    size = max(abs(value), mp.mpf(2) ** -126)
    return mp.mpf(2) ** (int(mp.floor(mp.log(size, 2))) - 23)


def run(name, xs, derivative):
    with tempfile.TemporaryDirectory() as folder:
        source, target = os.path.join(folder, "x"), os.path.join(folder, "y")
        with open(source, "wb") as out:
            array.array("d", xs).tofile(out)
        command = [program, "eval", name, "--dtype", "f64", "--input", source, "--output", target]
        subprocess.run(command + (["--derivative"] if derivative else []), check=True, capture_output=True)
        with open(target, "rb") as data:
            return array.array("d", data.read())[:len(xs)]


worst = (0, "")
faults = checked = functions = 0
for file in sorted(os.listdir(golden)):
    if not file.endswith(".golden"):
        continue
    with open(os.path.join(golden, file)) as lines:
        header = [line[1:].split(":", 1) for line in lines if line.startswith("#")]
    definition = make_golden.Definition([(k.strip(), v) for k, v in header])
    if len(definition.inputs) != 1 or definition.noise or any(a.default is None for a in definition.parameters):
        continue
    functions += 1
    xs = floats(definition)
    for derivative in (False, True):
        got = run(definition.name, xs, derivative)
        for x, y in zip(xs, got):
            values = {definition.inputs[0].key: mp.mpf(x)}
            values.update({a.key: mp.mpf(a.default) for a in definition.parameters})
            exact = definition.partial(definition.inputs[0], values) if derivative else definition.value(values)
            if mp.isnan(exact) or abs(exact) > 3e38:
                continue
            checked += 1
            error = float(abs(mp.mpf(y) - exact) / unit(exact))
            worst = max(worst, (error, "%s %s at %r" % (definition.name, "slope" if derivative else "value", x)))
            if not error <= BOUND:
                faults += 1
                print("%s %s at %r: %r, exactly %s: %.3g units" % (
                    definition.name, "slope" if derivative else "value", x, y, mp.nstr(exact, 20), error))
print("%d functions, %d numbers; the largest error %.2g units of a float (%s)" % (functions, checked, *worst))
sys.exit(1 if faults or functions < 40 else 0)

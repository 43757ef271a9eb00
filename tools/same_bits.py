#!/usr/bin/env python3
"""Compares two builds of the program bit for bit, on the best SIMD target of each, or the one named after an @.

Usage: same_bits.py PROGRAM[@TARGET] PROGRAM[@TARGET] [NAME...]

Every function (or those named), values and all partial derivatives: in float32 and float64 over bit patterns of the
whole line, subnormal numbers, infinities and NaNs among them; in bfloat16 and float16 over all patterns; noisy functions
also in training, noise and all. One NaN is as good as another: architectures disagree on their bits. Prints a line for
each comparison that fails; exit status 1 if there was one.
"""

import array
import concurrent.futures
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

COUNT = 20000
UNSIGNED = {"f32": "I", "f64": "Q", "bf16": "H", "f16": "H"}
# A number is a NaN if its bits, without the sign, are above infinity's.
INFINITY = {"f32": 0x7F800000, "f64": 0x7FF0000000000000, "bf16": 0x7F80, "f16": 0x7C00}


def patterns(dtype, which):
    """Bit patterns, in another order for each input, so that two inputs make different pairs."""
    bits = 8 * struct.calcsize(UNSIGNED[dtype])
    if bits == 16:
        return array.array("H", ((k * (1, 40503)[which]) & 0xFFFF for k in range(65536)))
    mask = (1 << bits) - 1
    half = 1 << (bits - 1)
    step = (mask // COUNT | 1) * (1, 0x9E3779B1)[which] & mask
    ones = {"f32": 0x3F800000, "f64": 0x3FF0000000000000}[dtype]
    # The whole line; then, where most functions bend, numbers of size 1/64 to 32; then the edges.
    octave = 1 << {"f32": 23, "f64": 52}[dtype]
    whole = [k * step & mask for k in range(COUNT)]
    middle = [(k & 1) * half | (ones - 6 * octave + k * step % (11 * octave)) for k in range(COUNT)]
    infinity = INFINITY[dtype]
    edges = [0, 1, 2, octave - 1, octave, octave + 1, infinity - 1, infinity, infinity + 1, infinity | octave >> 1, ones]
    edges += [half | e for e in edges]
    return array.array(UNSIGNED[dtype], whole + middle + (edges if which == 0 else edges[::-1]))


def evaluate(program, directory, arguments):
    output = directory / "out"
    program, _, target = program.partition("@")
    arguments = [*arguments, *(["--target", target] if target else [])]
    result = subprocess.run([program, "eval", *arguments, "--output", str(output)], text=True, capture_output=True)
    if result.returncode != 0:
        raise RuntimeError("%s eval %s: status %d: %s" % (program, " ".join(arguments), result.returncode, result.stderr))
    return output.read_bytes()


def differences(dtype, first, second):
    """How many numbers differ, and the bits of the first pair."""
    if first == second:
        return 0, None
    a, b = array.array(UNSIGNED[dtype], first), array.array(UNSIGNED[dtype], second)
    if len(a) != len(b):
        return max(len(a), len(b)), None
    sign = 1 << (8 * a.itemsize - 1)
    different = [(k, x, y) for k, (x, y) in enumerate(zip(a, b))
                 if x != y and not (x & ~sign > INFINITY[dtype] and y & ~sign > INFINITY[dtype])]
    return len(different), different[0] if different else None


def check(programs, inputs, function):
    """The number of results compared, and complaints."""
    compared, complaints = 0, []
    with tempfile.TemporaryDirectory() as name:
        for dtype in UNSIGNED:
            options = ["--dtype", dtype]
            for k in range(function["inputs"]):
                options += ["--input", str(inputs / ("%s.%d" % (dtype, k)))]
            ways = [[], ["--derivative"]]
            if function["noise"] != "none":
                ways += [way + ["--training", "--seed", "7"] for way in ways]
            for way in ways:
                first, second = (evaluate(p, pathlib.Path(name), [function["name"], *options, *way]) for p in programs)
                count, at = differences(dtype, first, second)
                compared += len(first) // struct.calcsize(UNSIGNED[dtype])
                if count:
                    where = " (number %d: %x, %x)" % at if at else ""
                    complaints.append("%s: %d numbers differ%s" % (" ".join([function["name"], dtype, *way]), count, where))
    return compared, complaints


def main():
    programs, names = sys.argv[1:3], set(sys.argv[3:])
    if len(programs) != 2:
        sys.exit("usage: same_bits.py PROGRAM PROGRAM [NAME...]")
    listed = [json.loads(subprocess.run([p.partition("@")[0], "list", "--json"], text=True, capture_output=True, check=True).stdout)
              for p in programs]
    if listed[0] != listed[1]:
        sys.exit("the programs do not have the same functions")
    functions = [f for f in listed[0] if not names or f["name"] in names]
    if not functions:
        sys.exit("no such functions")
    with tempfile.TemporaryDirectory() as name, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        inputs = pathlib.Path(name)
        for dtype in UNSIGNED:
            for which in range(2):
                (inputs / ("%s.%d" % (dtype, which))).write_bytes(patterns(dtype, which).tobytes())
        results = list(pool.map(lambda f: check(programs, inputs, f), functions))
    complaints = [c for _, cs in results for c in cs]
    for complaint in complaints:
        print(complaint)
    print("%d function%s, %d numbers compared, %d comparisons failed"
          % (len(functions), "" if len(functions) == 1 else "s", sum(n for n, _ in results), len(complaints)))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())

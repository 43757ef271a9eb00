#!/usr/bin/env python3
"""ogee eval against the golden files: every function, values and all partial derivatives, in double.

Usage: test_eval.py PROGRAM [CORE_PROGRAM]. Where there is CORE_PROGRAM, the program without LibTorch, which starts in a
hundredth of the time, it does the work, and of a few functions PROGRAM must give the same bits. Rows that share their
parameters go through the program in one call. A noisy function is deterministic here, so only rows whose noise is the
constant of its evaluation count.
"""

import array
import concurrent.futures
import json
import pathlib
import subprocess
import sys
import tempfile

PROGRAM, CORE_PROGRAM = sys.argv[1], sys.argv[-1]
GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"
CALLS = 2  # sets of parameters tried for each function, the default one first
COMPARED = 8  # functions that both programs evaluate


def run(*arguments, program=CORE_PROGRAM):
    result = subprocess.run([program, *arguments], text=True, capture_output=True)
    if result.returncode != 0:
        sys.exit("FAILED: ogee %s: status %d: %s" % (" ".join(arguments), result.returncode, result.stderr))
    return result.stdout


def evaluate(directory, text, inputs, derivative, programs):
    paths = []
    for k, values in enumerate(inputs):
        paths.append(pathlib.Path(directory, "in%d.f64" % k))
        paths[-1].write_bytes(array.array("d", values).tobytes())
    output = pathlib.Path(directory, "out.f64")
    flags = [x for p in paths for x in ("--input", str(p))] + (["--derivative"] if derivative else [])
    found = set()
    for program in programs:
        run("eval", text, *flags, "--output", str(output), "--dtype", "f64", program=program)
        found.add(output.read_bytes())
    if len(found) > 1:
        sys.exit("FAILED: %s: the programs differ" % text)
    result = array.array("d")
    result.frombytes(found.pop())
    return result


def check(function, programs):
    """The number of rows compared, or a complaint."""
    name, inputs, parameters = function["name"], function["inputs"], function["parameters"]
    noise = {"none": None, "uniform": 0.5, "normal": 0.0}[function["noise"]]
    if name.startswith("nah_"):
        noise = (2 / 3.141592653589793) ** 0.5
    sets = {}
    for line in (GOLDEN / (name + ".golden")).read_text().splitlines():
        if line.startswith("#"):
            continue
        row = [float(word) for word in line.split()]
        if noise is not None:
            if abs(row[inputs + len(parameters)] - noise) > 1e-15:
                continue
            del row[inputs + len(parameters)]
        sets.setdefault(tuple(row[inputs:inputs + len(parameters)]), []).append(row)
    compared = 0
    with tempfile.TemporaryDirectory() as directory:
        for values, rows in sorted(sets.items(), key=lambda item: -len(item[1]))[:CALLS]:
            attributes = ",".join("%s=%r" % (p["name"], v) for p, v in zip(parameters, values))
            text = name + ("(%s)" % attributes if attributes else "")
            columns = [[row[k] for row in rows] for k in range(inputs)]
            results = [evaluate(directory, text, columns, derivative, programs) for derivative in (False, True)]
            for which, result in enumerate(results):
                expected_columns = 1 if which == 0 else inputs + len(parameters)
                if len(result) != expected_columns * len(rows):
                    return "%s: %d results for %d rows" % (text, len(result), len(rows))
                for i, got in enumerate(result):
                    row = rows[i % len(rows)]
                    first = inputs + len(parameters)
                    wanted = row[first + (0 if which == 0 else 1 + i // len(rows))]
                    # Where terms cancel to (almost) nothing, a rounding error of the value is the scale.
                    if abs(got - wanted) > 1e-6 * abs(wanted) + 1e-15 * abs(row[first]) + 1e-290:
                        return "%s: at %s got %r, expected %r" % (text, row[:inputs], got, wanted)
            compared += len(rows)
    return compared


def main():
    functions = json.loads(run("list", "--json"))
    # The deterministic form of these is a formula of its own (tests/core/numerics_test.cc).
    skipped = ["hard_concrete", "stochastic_binary"]
    functions = [f for f in functions if f["name"] not in skipped]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        every = len(functions) // COMPARED
        programs = [{PROGRAM, CORE_PROGRAM} if i % every == 0 else {CORE_PROGRAM} for i in range(len(functions))]
        results = list(pool.map(check, functions, programs))
    failures = [r for r in results if isinstance(r, str)]
    for failure in failures:
        print("FAILED:", failure)
    print("%d functions, %d rows" % (len(functions), sum(r for r in results if not isinstance(r, str))))
    empty = [f["name"] for f, r in zip(functions, results) if r == 0]
    if empty:
        print("FAILED: no rows compared for", ", ".join(empty))
    sys.exit(1 if failures or empty else 0)


main()

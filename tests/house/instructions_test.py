#!/usr/bin/env python3
"""The comparison of instruction counts (bench/instructions.py): kernels that grew, shrank, are new or missing; counts of
another compiler; and broken files."""

import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
spec = importlib.util.spec_from_file_location("instructions", ROOT / "bench/instructions.py")
instructions = importlib.util.module_from_spec(spec)
spec.loader.exec_module(instructions)

BELONGS = {"compiler": "g++ 12.2.0", "highway": "1.0.3", "target": "AVX2", "elements": "16384"}
STORED = {"relu forward": 1.0, "gelu forward": 10.0, "gelu backward": 20.0, "gone forward": 5.0}
failures = []


def expect(what, got, wanted):
    if got != wanted:
        failures.append("FAILED: %s: %r, expected %r" % (what, got, wanted))


def unusable(what, part, work):
    try:
        work()
        failures.append("FAILED: %s was taken" % what)
    except instructions.Unusable as e:
        expect(what + ": " + str(e), part in str(e), True)


measured = {"relu forward": 1.0, "gelu forward": 10.5, "gelu backward": 20.0, "gone forward": 5.0}
expect("within 5 %", instructions.compare((BELONGS, STORED), (BELONGS, measured)), ([], []))

measured = {"relu forward": 1.06, "gelu forward": 9.0, "gelu backward": 20.0, "new forward": 3.0}
expect("grown, shrunk, missing and new", instructions.compare((BELONGS, STORED), (BELONGS, measured)), (
    ["gone forward: stored, but there is no such kernel any more",
     "relu forward: grew from 1.00 to 1.06 instructions an element (+6.0 %)"],
    ["gelu forward: shrank from 10.00 to 9.00 instructions an element (-10.0 %)",
     "new forward: new, 3.00 instructions an element"]))

for key, value in (("compiler", "g++ 13.1.0"), ("highway", "1.1.0"), ("target", "AVX3"), ("elements", "1024")):
    unusable("another " + key, "not comparable: the stored counts belong to %s %s, these to %s" % (key, BELONGS[key], value),
             lambda: instructions.compare((BELONGS, STORED), (dict(BELONGS, **{key: value}), STORED)))
unusable("no compiler", "(none)", lambda: instructions.compare(({}, STORED), (BELONGS, STORED)))

text = instructions.render(BELONGS, STORED)
expect("what is written is read again", instructions.parse(text, "stored"), (BELONGS, STORED))
lines = [line for line in text.splitlines() if "ward" in line and not line.startswith("#")]
expect("sorted", lines, sorted(lines))
for line in ("gelu forward", "gelu forward many", "gelu forward -1", "gelu forward nan", "gelu forward 3\ngelu forward 3"):
    unusable("the line '%s'" % line, "stored:%d: expected" % (1 + line.count("\n")), lambda: instructions.parse(line, "stored"))

# The whole of it, with a valgrind that has counted already.
VALGRIND = """#!/bin/sh
printf 'compiler g++ 12.2.0\\nhighway 1.0.3\\ntarget AVX2\\nelements 16384\\n'
for option; do case $option in --callgrind-out-file=*) out=${option#*=} ;; esac; done
printf 'desc: Trigger: Client Request: relu forward\\nsummary: %d\\n' "$RELU" >"$out.1"
printf 'desc: Trigger: Program termination\\nsummary: 5\\n' >"$out.2"
exit "$STATUS"
"""
with tempfile.TemporaryDirectory() as name:
    directory = pathlib.Path(name)
    (directory / "valgrind").write_text(VALGRIND)
    (directory / "valgrind").chmod(0o755)
    stored = directory / "stored.txt"

    def run(relu, *arguments, status=0):
        env = dict(os.environ, PATH="%s:%s" % (directory, os.environ["PATH"]), RELU=str(relu), STATUS=str(status))
        return subprocess.run([sys.executable, str(ROOT / "bench/instructions.py"), "program", "--stored", str(stored),
                               *arguments], env=env, capture_output=True, text=True)

    expect("no stored counts", run(16384).returncode, 2)
    expect("--update", run(16384, "--update").returncode, 0)
    expect("stored", instructions.parse(stored.read_text(), "stored"), (BELONGS, {"relu forward": 1.0}))
    expect("the same", run(16384).returncode, 0)
    expect("4 % more", run(17100).returncode, 0)
    grown = run(17400)
    expect("6 % more", (grown.returncode, grown.stdout.splitlines()[0]),
           (1, "relu forward: grew from 1.00 to 1.06 instructions an element (+6.2 %)"))
    expect("a failed run", run(16384, status=1).returncode, 2)
    stored.write_text(stored.read_text().replace("12.2.0", "13.1.0"))
    other = run(16384)
    expect("another compiler", (other.returncode, other.stderr.count("\n"), "not comparable" in other.stderr), (2, 1, True))

print("\n".join(failures) or "grown, shrunk, missing, new, not comparable: all told apart")
sys.exit(1 if failures else 0)

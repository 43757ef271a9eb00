#!/usr/bin/env python3
"""Counts the instructions of every kernel and compares them with those stored in bench/instructions.txt.

A regression guard that no other load on the machine disturbs: the counts of a compiler's output are the same every
time. PROGRAM (bench/instructions.cc) runs all kernels in one process under Valgrind's Callgrind. Each kernel is a line,
"gelu backward 23.61", in instructions an element.

Exit status: 0 no kernel grew by more than the tolerance; 1 one did, or a stored one was not counted; 2 the counts belong
to another compiler, Highway version, target or number of elements and cannot be compared, or counting failed.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

STORED = pathlib.Path(__file__).resolve().parent / "instructions.txt"
TOLERANCE = 0.05
HEADER = """\
# Instructions an element of every float32 kernel, counted by Callgrind. Made by ./dev instructions --update.
# backward: gradients of the inputs; parameters: of the parameters too; evaluation: a noisy function without its noise.
"""
# What counts belong to: each has a line before the kernels'.
BELONGS = ("compiler", "highway", "target", "elements")


class Unusable(Exception):
    """One line that says why there is nothing to compare."""


def parse(text, where):
    """What the counts of a stored file belong to, and the counts, by kernel."""
    belongs, counts = {}, {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        first, _, rest = line.partition(" ")
        if first in BELONGS:
            belongs[first] = rest
            continue
        kernel, _, count = line.rpartition(" ")
        try:
            value = float(count)
        except ValueError:
            value = -1
        if not kernel or not 0 < value < float("inf") or kernel in counts:
            raise Unusable("%s:%d: expected a kernel's name, once, and a number above 0, not '%s'" % (where, number, line))
        counts[kernel] = value
    return belongs, counts


def render(belongs, counts):
    lines = ["%s %s\n" % (key, belongs[key]) for key in BELONGS]
    return HEADER + "".join(lines) + "".join("%s %.3f\n" % (k, counts[k]) for k in sorted(counts))


def compare(stored, measured, tolerance=TOLERANCE):
    """Both as parse gives them. The faults, a line each, and remarks, which are none."""
    for key in BELONGS:
        if stored[0].get(key) != measured[0].get(key):
            raise Unusable("not comparable: the stored counts belong to %s %s, these to %s"
                           % (key, stored[0].get(key, "(none)"), measured[0].get(key, "(none)")))
    faults, remarks = [], []
    for kernel in sorted(stored[1].keys() | measured[1].keys()):
        old, new = stored[1].get(kernel), measured[1].get(kernel)
        if new is None:
            faults.append("%s: stored, but there is no such kernel any more" % kernel)
        elif old is None:
            remarks.append("%s: new, %.2f instructions an element" % (kernel, new))
        elif abs(new - old) > tolerance * old:
            line = "%s: %s from %.2f to %.2f instructions an element (%+.1f %%)" % (
                kernel, "grew" if new > old else "shrank", old, new, 100 * (new / old - 1))
            (faults if new > old else remarks).append(line)
    return faults, remarks


def measure(program):
    """What the counts belong to, and the counts: one run of the program under Callgrind."""
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        try:
            run = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=%s/counts" % directory,
                                  "--combine-dumps=no", str(program)], text=True, capture_output=True)
        except OSError as e:
            raise Unusable("valgrind: %s" % e.strerror) from e
        if run.returncode != 0:
            raise Unusable("counting failed: %s" % (run.stderr.strip().splitlines() or ["no message"])[-1])
        belongs, counts = parse(run.stdout, "the program's output")
        elements = int(belongs["elements"])
        for path in directory.glob("counts.*"):
            text = path.read_text()
            kernel = re.search(r"^desc: Trigger: Client Request: (.*)$", text, re.M)
            total = re.search(r"^(?:summary|totals): (\d+)$", text, re.M)
            if kernel and total:
                counts[kernel.group(1)] = round(int(total.group(1)) / elements, 3)
        if not counts:
            raise Unusable("counting failed: Callgrind wrote no counts")
    return belongs, counts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path, help="bench/instructions.cc, built")
    parser.add_argument("--update", action="store_true", help="store what was counted instead of comparing it")
    parser.add_argument("--stored", type=pathlib.Path, default=STORED, help="another file of stored counts")
    arguments = parser.parse_args()
    try:
        if not arguments.update and not arguments.stored.exists():
            raise Unusable("there is no %s to compare with; --update makes it" % arguments.stored.name)
        stored = None if arguments.update else parse(arguments.stored.read_text(), arguments.stored.name)
        measured = measure(arguments.program)
        if arguments.update:
            arguments.stored.write_text(render(*measured))
            print("stored %d kernels' counts in %s" % (len(measured[1]), arguments.stored.name))
            return 0
        faults, remarks = compare(stored, measured)
    except Unusable as e:
        print("instructions: %s" % e, file=sys.stderr)
        return 2
    except OSError as e:
        print("instructions: %s: %s" % (e.filename, e.strerror), file=sys.stderr)
        return 2
    for line in faults + remarks:
        print(line)
    print("%d kernels, %d grew or went missing, %d remarks" % (len(measured[1]), len(faults), len(remarks)))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

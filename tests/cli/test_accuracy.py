#!/usr/bin/env python3
"""ogee accuracy: every function within the contract on every SIMD target, and what the verb prints.

Usage: test_accuracy.py PROGRAM
"""
import json
import os
import subprocess
import sys
import tempfile

program = sys.argv[1]
faults = []


def run(*arguments):
    return subprocess.run([program, "accuracy", *arguments], capture_output=True, text=True)


def expect(condition, what):
    if not condition:
        faults.append(what)


# The whole catalogue: every 10007th float, and all 65,536 values of the 16-bit types.
whole = run("--stride", "10007", "--dtype", "f32,bf16,f16", "--json")
rows = json.loads(whole.stdout)
expect(whole.returncode == 0, "status %d: %s" % (whole.returncode, [
    (r["function"], r["direction"], r["dtype"], r["target"], r["max_ulp"], r["worst_x"]) for r in rows if not r["holds"]]))
names = {f["name"] for f in json.loads(subprocess.run([program, "list", "--json"], capture_output=True, text=True).stdout)}
expect(names == {r["function"] for r in rows}, "functions missing: %s" % (names - {r["function"] for r in rows}))
for key in ("function", "direction", "dtype", "target", "max_ulp", "worst_x", "checked"):
    expect(all(key in r for r in rows), "no " + key)
expect({r["direction"] for r in rows} == {"value", "derivative"}, "directions")
expect(all(r["checked"] >= 65536 for r in rows if r["dtype"] == "bf16" and r["argument"] in ("", "x", "a")), "too few in bf16")
expect(all(r["bound"] == (1 if r["dtype"] != "f32" else 2 if r["direction"] == "value" else 4) for r in rows), "bounds")

# Float arithmetic throughout is not within the contract: status 1, and the table says where.
fast = run("swish", "--precision", "fast", "--target", "AVX2") if os.uname().machine == "x86_64" else None
if fast is not None and "none of those supported" not in fast.stderr:
    expect(fast.returncode == 1 and "FAIL" in fast.stdout, "fast swish: status %d" % fast.returncode)

with tempfile.TemporaryDirectory() as folder:
    document = os.path.join(folder, "accuracy.md")
    done = run("relu", "swiglu", "--stride", "1000003", "--document", document)
    text = open(document).read()
    expect(done.returncode == 0 and "| relu |" in text and "| swiglu |" in text, "the document")

for arguments, word in ((["nosuch"], "nosuch"), (["relu", "--target", "MMX"], "MMX"), (["relu", "--stride", "0"], "stride"),
                        (["relu", "--dtype", "f64"], "f64"), (["relu", "--exhaustive", "--stride", "5"], "exclude")):
    bad = run(*arguments)
    expect(bad.returncode == 2 and word in bad.stderr and bad.stderr.count("\n") == 1,
           "%s: status %d, %r" % (arguments, bad.returncode, bad.stderr))

for fault in faults:
    print(fault)
sys.exit(1 if faults else 0)

#!/usr/bin/env python3
"""ogee bench: what its JSON holds, what it refuses, what it says of peers. Nothing here judges a time.

Usage: test_bench.py PROGRAM
"""

import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import checks  # noqa: E402
from checks import check  # noqa: E402

PROGRAM = sys.argv[1]
QUICK = ["--seconds", "0.001", "--rounds", "3", "--elements", "1000"]


def run(*arguments, env=None):
    return subprocess.run([PROGRAM, "bench", *arguments], text=True, capture_output=True, timeout=300, env=env)


def rows_of(*arguments, env=None):
    result = run(*arguments, "--json", env=env)
    check(result.returncode == 0, arguments, result.stderr)
    return json.loads(result.stdout)


def positive(value):
    return isinstance(value, (int, float)) and math.isfinite(value) and value > 0


def schema():
    rows = rows_of("tanh", "swiglu", "nah_tanh", "prelu", *QUICK, "--direction", "forward,backward,training",
                   "--dtype", "f32,bf16", "--threads", "1,2")
    expected = [(t, n, f, d) for t in ("f32", "bf16") for n in (1, 2) for f in ("tanh", "swiglu", "nah_tanh", "prelu")
                for d in ("forward", "backward", "training")]
    check([(r["dtype"], r["threads"], r["function"], r["direction"]) for r in rows] == expected, "which rows")
    for r in rows:
        check(r["elements"] == 1000, r)
        for key in ("ns_per_element", "bytes_per_element", "copy_ns_per_element"):
            check(positive(r[key]), key, r)
        check(isinstance(r["peers"], dict) and all(positive(v) for v in r["peers"].values()), "peers", r)
        check(set(r["peers"]) == set(r["peers_ratio"]), "ratios", r)
        check(not r["disqualified"], "disqualified", r)
        check(r["wrong"] is None, "wrong", r)
        check(r["best_peer"] is None or r["best_peer"] in r["peers"], "best", r)
        check(isinstance(r["absent"], dict), "absent", r)
    by = {(r["function"], r["direction"], r["dtype"]): r for r in rows if r["threads"] == 1}
    check("LibTorch" in by["tanh", "forward", "f32"]["peers"], "LibTorch's tanh")
    check("LibTorch" in by["tanh", "training", "bf16"]["peers"], "LibTorch's tanh in bf16")
    check("composed" in by["swiglu", "backward", "f32"]["peers"], "composed swiglu")
    check("composed" in by["nah_tanh", "training", "f32"]["peers"], "composed NAH")
    check(by["swiglu", "forward", "f32"]["bytes_per_element"] == 12, "swiglu reads two and writes one")
    check(by["swiglu", "backward", "bf16"]["bytes_per_element"] == 10, "and its backward three and two")
    check(by["tanh", "training", "f32"]["bytes_per_element"] == 20, "tanh's pair")
    check(len(rows_of("relu", *QUICK[:4], "--elements", "64,1000")) == 4, "two lengths, two directions")


def text():
    result = run("gelu", *QUICK)
    check(result.returncode == 0 and "gelu" in result.stdout and "LibTorch" in result.stdout, result.stdout)
    check("processor" in result.stdout and "best peer" in result.stdout, result.stdout)


def target():
    # The peers are restricted too: LibTorch says so itself.
    result = run("tanh", *QUICK, "--target", "AVX2")
    if "none of those supported" in result.stderr:
        print("no AVX2 here")
        return
    check(result.returncode == 0, result.stderr)
    lines = dict(line.split(None, 1) for line in result.stdout.splitlines() if len(line.split(None, 1)) == 2)
    check(lines["target"] == "AVX2", result.stdout)
    check("AVX512" not in lines["LibTorch"] and "AVX-512" not in result.stdout, result.stdout)
    result = run("tanh", *QUICK, "--target", "SCALAR")
    check(result.returncode == 0, result.stderr)
    lines = dict(line.split(None, 1) for line in result.stdout.splitlines() if len(line.split(None, 1)) == 2)
    check(lines["target"] == "SCALAR" and "AVX" not in lines["LibTorch"], result.stdout)


def absent():
    # A directory without any library: what is only looked for when the program runs is listed with the reason.
    with tempfile.TemporaryDirectory() as name:
        rows = rows_of("tanh", *QUICK, "--direction", "forward", env=dict(os.environ, OGEE_PEERS=name))
        for peer, reason in rows[0]["absent"].items():
            check(peer not in rows[0]["peers"] and reason, peer)
        if "MKL HA" in rows[0]["absent"]:
            check("OGEE_PEERS" in rows[0]["absent"]["MKL HA"], rows[0]["absent"])
        # A file of that name that is no library is no reason to fail.
        (pathlib.Path(name) / "libdnnl.so.3").write_text("no library")
        rows = rows_of("tanh", *QUICK, "--direction", "forward", env=dict(os.environ, OGEE_PEERS=name))
        check(len(rows) == 1, rows)


def small():
    rows = rows_of("tanh", "--small", "--seconds", "0.001")
    check({r["through"] for r in rows} == {"spans", "libtorch"}, "both ways", rows)
    check([r["elements"] for r in rows[:5]] == [64, 128, 256, 512, 1024], "lengths", rows)
    check(all(positive(r["ns_per_call"]) for r in rows), "times", rows)
    check(all((r["libtorch_ratio"] is not None) == (r["through"] == "libtorch") for r in rows), "ratios", rows)


def refusals():
    for message, arguments in (("unknown activation 'tahn'; did you mean 'tanh'", ["tahn"]),
                               ("--dtype", ["tanh", "--dtype", "f128"]),
                               ("--direction", ["tanh", "--direction", "sideways"]),
                               ("--threads", ["tanh", "--threads", "0"]),
                               ("--threads", ["tanh", "--threads", "1,x"]),
                               ("--elements", ["tanh", "--elements", "0"]),
                               ("--elements", ["tanh", "--elements", "-5"]),
                               ("--seconds", ["tanh", "--seconds", "-1"]),
                               ("--rounds", ["tanh", "--rounds", "0"]),
                               ("'MMX' is none of those supported", ["tanh", "--target", "MMX"]),
                               ("--goals", ["tanh", "--goals"]),
                               ("--goals", ["--goals", "--elements", "5"]),
                               ("--goals", ["--goals", "--threads", "2"]),
                               ("--goals", ["--goals", "--small"]),
                               ("--small", ["--small", "--dtype", "bf16"])):
        result = run(*arguments)
        lines = result.stderr.strip().splitlines()
        check(result.returncode == 2 and len(lines) == 1 and message in lines[0] and not result.stdout, arguments,
              result.returncode, result.stderr, result.stdout)


for part in (schema, text, target, absent, small, refusals):
    part()
print("%d failures" % checks.failures)
sys.exit(1 if checks.failures else 0)

#!/usr/bin/env python3
"""`ogee compare --data-parallel`: three ranks that train every run together come to what one process does, also when
one of them is killed, or told to stop, in the midst of its work and the same command goes on.

Usage: test_data_parallel.py PROGRAM
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import ranks  # noqa: E402
import survival  # noqa: E402
from ranks import check, end, free_port  # noqa: E402

PROGRAM = sys.argv[1]

# Batches of 20 are no multiple of three. No noise: ranks draw their own.
EXPERIMENT = """
[data]
train_limit = 200
[model]
depth = 3
width = 24
[training]
epochs = 12
batch = 20
seeds = 2
[fairness]
rates = [1e-3, 3e-3]
[[arm]]
activations = ["tanh", "prelu", "swiglu", "softplus"]
"""
# Losses that are means over tokens, of which each program asks for as many as it prints.
PROGRAMS = """
[data]
data = "programs(length=2,train=200,validation=40,test=40)"
[model]
name = "lstm"
depth = 1
width = 16
[training]
epochs = 10
batch = 20
seeds = 1
learning_rate = 1e-2
[[arm]]
activations = ["tanh"]
"""


def start(*about, **how):
    return ranks.start(PROGRAM, *about, "--data-parallel", "--keep-every", "0", **how)


def results(out):
    return json.load(open(out / "results.json", encoding="utf-8"))


def near(out, whole, what, runs=8, most=1e-3, most_error=1.01 / 360):
    """To rounding: losses to a part in a thousand after some hundred steps, errors to one of the 360 test examples."""
    a, b = results(out), results(whole)
    loss, error, count = 0, 0, 0
    for x, y in zip(a["arms"], b["arms"]):
        check([t["learning_rate"] for t in x["tuning"]] == [t["learning_rate"] for t in y["tuning"]] and
              x["learning_rate"] == y["learning_rate"], "%s: %s was tuned alike" % (what, x["activation"]))
        for p, q in zip(x["runs"], y["runs"]):
            count += 1
            error = max(error, abs(p["test_error"] - q["test_error"]))
            loss = max(loss, abs(p["test_loss"] / q["test_loss"] - 1),
                       *(abs(u["train_loss"] / v["train_loss"] - 1) for u, v in zip(p["points"][1:], q["points"][1:])))
    check(a["complete"] and count == runs and loss < most and error <= most_error,
          "%s: of %d runs the losses differ by a share of %.1e at most, the errors by %.2e" % (what, count, loss, error))


def same(out, other, what):
    check(survival.bytes_of(out) == survival.bytes_of(other), "%s: %s" % (what, survival.differences(out, other) or "same"))


def by(count, file, out):
    port = free_port()
    for r, process in enumerate([start(r, count, port, file, out) for r in range(count)]):
        end(process, "rank %d" % r)


def tokens(d):
    file = d / "programs.toml"
    file.write_text(PROGRAMS, encoding="utf-8")
    survival.finish(PROGRAM, file, d / "alone")
    by(2, file, d / "two")
    # Perplexities: of 40 programs that print a hundred and some tokens in all.
    near(d / "two", d / "alone", "two ranks with programs", runs=1, most=1e-5, most_error=1e-3)


def together(d, file, whole):
    out = d / "three"
    by(3, file, out)
    near(out, whole, "three ranks")
    check("every run was trained by 3 ranks together" in results(out)["environment"]["note"], "the results say so")
    return out


def await_work(out, since, longest=120):
    """Until the ranks have met and a checkpoint of theirs is there."""
    while time.time() - since < longest:
        if any(file.stat().st_mtime >= since for file in (out / "checkpoints").glob("run-*[0-9]")):
            return True
        time.sleep(0.05)
    return False


def broken_off(out, run, three, signals):
    """`run(rank)` starts a rank. In turn these signals go to these ranks in the midst of the work."""
    for rank, what in signals:
        since = time.time()
        processes = [run(r) for r in range(3)]
        check(await_work(out, since), "there is a checkpoint after %.1f s" % (time.time() - since))
        time.sleep(0.5)
        check(all(process.poll() is None for process in processes), "all were at work")
        processes[rank].send_signal(what)
        began = time.monotonic()
        errors = [process.communicate(timeout=120)[1].strip() for process in processes]
        check(time.monotonic() - began < 60, "all ended within %.1f s" % (time.monotonic() - began))
        codes = [process.returncode for process in processes]
        if what == signal.SIGKILL:
            for r, (code, error) in enumerate(zip(codes, errors)):
                if r != rank:
                    check(code == 1 and len(error.splitlines()) == 1 and "rank %d ended or cannot be reached" % rank
                          in error and "the same command goes on" in error, "rank %d: %d: %s" % (r, code, error))
        else:
            check(codes == [1, 0, 0] and "stopped after" in errors[0], "%s %s" % (codes, errors[0]))
    for r, process in enumerate([run(r) for r in range(3)]):
        end(process, "rank %d, then" % r)
    same(out, three, "broken off %d times" % len(signals))


def refused(d, file):
    def alone(*more, **variables):
        return subprocess.run([PROGRAM, "compare", str(file), "--out", str(d / "x"), "--data-parallel", *more],
                              capture_output=True, text=True, env=dict(os.environ, **variables), timeout=60, check=False)
    # As a flag, and as what experiment.toml says.
    error = alone()
    check(error.returncode == 2 and error.stderr.strip() == "ogee: --data-parallel: this process is alone; expected "
          "several, started by torchrun --no_python, mpirun or srun", error.stderr.strip())
    written = d / "three" / "experiment.toml"
    error = subprocess.run([PROGRAM, "compare", str(written), "--out", str(d / "x")], capture_output=True, text=True,
                           timeout=60, check=False)
    check(error.returncode == 2 and "--data-parallel: this process is alone" in error.stderr, error.stderr.strip())
    three = {"RANK": "0", "WORLD_SIZE": "3"}
    error = alone("--batch", "2", **three)
    check(error.returncode == 2 and "a batch of 2 for 3 ranks" in error.stderr, error.stderr.strip())
    error = alone("--workers", "2", **three)
    check(error.returncode == 2 and "--workers 2: with --data-parallel" in error.stderr, error.stderr.strip())
    error = alone("--model", "resnet(batch_norm=1)", "--depth", "2", **three)
    check(error.returncode == 2 and "normalises over the examples of a batch" in error.stderr, error.stderr.strip())
    port = free_port()
    processes = [start(r, 2, port, file, d / "y", *(["--seeds", "3"] if r else [])) for r in range(2)]
    for process in processes:
        error = end(process, "a rank among others with other settings", 2)
        check(len(error.splitlines()) == 1 and "rank 1 was started for something else than rank 0" in error, error)
    first = start(0, 2, free_port(), file, d / "z")
    time.sleep(1.5)
    first.send_signal(signal.SIGINT)
    check("stopped before all ranks had come" in end(first, "a rank that nobody joins, interrupted", 1), "it says so")


def in_namespaces(d, file, three):
    with ranks.hosts(3) as hosts:
        if not hosts:
            return
        out = d / "hosts" / "results"
        broken_off(out, lambda rank: start(rank, 3, 29500, file, out if rank == 0 else d / "elsewhere",
                                           address=hosts[0][0], before=hosts[rank][1]), three, [(1, signal.SIGKILL)])


def main():
    with tempfile.TemporaryDirectory() as name:
        d = pathlib.Path(name)
        file = d / "experiment.toml"
        file.write_text(EXPERIMENT, encoding="utf-8")
        whole = d / "whole"
        survival.finish(PROGRAM, file, whole)
        tokens(d)
        three = together(d, file, whole)
        out = d / "broken"
        broken_off(out, lambda rank: start(rank, 3, port, file, out), three,
                   [(1, signal.SIGKILL), (2, signal.SIGINT), (0, signal.SIGKILL), (0, signal.SIGINT)])
        refused(d, file)
        in_namespaces(d, file, three)
    sys.exit(1 if ranks.failures else 0)


port = free_port()
main()

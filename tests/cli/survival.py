"""What the tests of survival share: running `ogee compare`, killing it, and comparing what it leaves."""

import hashlib
import json
import random
import signal
import subprocess
import time

# Small, but with every stage: tuning, noise, a gate, a schedule, an optimiser with a state.
EXPERIMENT = """
[data]
train_limit = 200
[model]
depth = 4
width = 24
[training]
epochs = 5
batch = 20
seeds = 2
[fairness]
rates = [1e-3, 3e-3, 1e-2]
stop_early = true
[[arm]]
activations = ["relu", "nah(base=tanh)", "swiglu", "sigmoid"]
[[arm]]
name = "annealed"
activation = "nah(base=tanh)"
schedule.c = { from = 2, to = 0.1, shape = "exponential" }
"""


def start(program, file, out, *more):
    return subprocess.Popen([program, "compare", str(file), "--out", str(out), "--quiet", *map(str, more)],
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def finish(program, file, out, *more):
    process = start(program, file, out, *more)
    error = process.communicate(timeout=600)[1]
    if process.returncode != 0:
        raise SystemExit("FAILED: ogee compare ended with %d: %s" % (process.returncode, error.strip()))


def kill_after(process, seconds):
    """True if it was still at work."""
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return True
    process.communicate()
    return False


def timeless(value):
    """Without what the clock decides (src/lab/summary.h says under which keys that stands)."""
    if isinstance(value, dict):
        return {k: timeless(v) for k, v in value.items()
                if k not in ("ms_per_step", "seconds", "text", "environment")}
    if isinstance(value, list):
        return [timeless(v) for v in value]
    return value


def bytes_of(folder):
    """results.json without times, as bytes: numbers as they were written, keys in their order."""
    with open(folder / "results.json", encoding="utf-8") as file:
        results = json.load(file, parse_float=lambda text: "float " + text)
    return json.dumps(timeless(results)).encode()


def differences(folder, other, most=5):
    """Where two results.json differ, and how."""
    def walk(a, b, path):
        if isinstance(a, dict) and isinstance(b, dict):
            for key in {**a, **b}:
                yield from walk(a.get(key), b.get(key), "%s.%s" % (path, key))
        elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
            for i, (x, y) in enumerate(zip(a, b)):
                yield from walk(x, y, "%s[%d]" % (path, i))
        elif a != b:
            yield "%s: %.60s, %.60s" % (path, a, b)
    found = list(walk(json.loads(bytes_of(folder)), json.loads(bytes_of(other)), ""))
    return "; ".join(found[:most]) + (" and %d more" % (len(found) - most) if len(found) > most else "")


def digest(folder):
    return hashlib.sha256(bytes_of(folder)).hexdigest()[:16]


def kill_often(program, file, out, kills, longest, *more):
    """Kills the comparison so many times at random moments; returns how many there were until it was done."""
    done = 0
    for _ in range(kills):
        if not kill_after(start(program, file, out, *more), random.uniform(0.05, longest)):
            break
        done += 1
        time.sleep(0.02)
    return done

#!/usr/bin/env python3
"""The sweep of `ogee compare` written plainly in PyTorch, and both timed one after another.

    /usr/bin/python3 bench/pytorch_sweep.py build/release/src/ogee

Ten activations by five seeds on the handwritten digits, the default network (12 hidden layers of 64), 30 epochs in batches
of 64, Adam with warm-up and cosine at one learning rate, errors and losses on the validation part after every epoch, on the
test part at the end; two runs at a time, each on one thread. PyTorch's side is what one writes with torch.nn, torch.optim and
multiprocessing: data in memory, first weights by the same gains, twelve lines of composed tensors for what torch.nn lacks.
Ogee's side does the same runs, and beside them what it always does: the monitor, gradients by layer, histograms, the store
and the report. Prints the ratio of times, and each activation's mean errors with the 95 % interval of their difference (Welch),
as the two draw different numbers.
Needs torch and numpy (Debian: python3-torch).
"""

import argparse
import csv
import gzip
import json
import math
import multiprocessing
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[1]
DEPTH, WIDTH, BATCH, CLASSES = 12, 64, 64, 10
RATE = 3e-3
ACTIVATIONS = ["sigmoid", "tanh", "relu", "leaky_relu", "prelu", "elu", "gelu", "silu", "nah(base=tanh)", "swiglu"]


class NahTanh(nn.Module):
    """Gulcehre et al. 2016: half-normal noise where tanh saturates, its size learned."""

    def __init__(self, alpha=1.15, c=0.5):
        super().__init__()
        self.p, self.alpha, self.c = nn.Parameter(torch.ones(())), alpha, c

    def forward(self, x):
        h = torch.tanh(x)
        sigma = self.c * (torch.sigmoid(self.p * (h - x)) - 0.5) ** 2
        noise = torch.randn_like(x).abs() if self.training else math.sqrt(2 / math.pi)
        return self.alpha * h + (1 - self.alpha) * x + torch.sign(x) * sigma * noise


class Swiglu(nn.Module):
    def forward(self, x):
        gate, value = x.chunk(2, -1)
        return nn.functional.silu(gate) * value


class RootMeanSquare(nn.Module):
    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6)


MODULES = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "prelu": nn.PReLU,
           "elu": nn.ELU, "gelu": nn.GELU, "silu": nn.SiLU, "nah(base=tanh)": NahTanh, "swiglu": Swiglu}


def gain_of(name):
    """1/sqrt(E[f(z)^2]), z normal, as `ogee show` computes it."""
    z = torch.randn(400000, 2 if name == "swiglu" else 1, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return 1 / MODULES[name]().eval()(z).square().mean().sqrt().item()


def matched_hidden(inputs):
    """The gated blocks' width that gives as many parameters as the plain network has."""
    plain = (inputs + 1) * WIDTH + (DEPTH - 1) * (WIDTH + 1) * WIDTH + (WIDTH + 1) * CLASSES

    def gated(h):
        blocks = [(inputs if i == 0 else WIDTH) for i in range(DEPTH // 2)]
        return sum((n + 1) * 2 * h + (h + 1) * WIDTH for n in blocks) + (WIDTH + 1) * CLASSES
    return min(range(1, WIDTH + 1), key=lambda h: abs(gated(h) - plain))


def build(name, inputs, gain):
    layers = []

    def linear(n, m, factor):
        layer = nn.Linear(n, m)
        nn.init.normal_(layer.weight, 0, factor / math.sqrt(n))
        nn.init.zeros_(layer.bias)
        layers.append(layer)
    if name == "swiglu":
        h = matched_hidden(inputs)
        for block in range(DEPTH // 2):
            if block:
                layers.append(RootMeanSquare())
            linear(WIDTH if block else inputs, 2 * h, 1)
            layers.append(Swiglu())
            linear(h, WIDTH, gain)
        linear(WIDTH, CLASSES, 1)
    else:
        for i in range(DEPTH):
            linear(WIDTH if i else inputs, WIDTH, gain if i else 1)
            layers.append(MODULES[name]())
        linear(WIDTH, CLASSES, gain)
    return nn.Sequential(*layers)


def load():
    with gzip.open(ROOT / "data" / "optdigits.csv.gz", "rt") as file:
        rows = numpy.array([[float(v) for v in row] for row in csv.reader(file)], dtype=numpy.float32)
    order = numpy.random.default_rng(1).permutation(len(rows))
    rows = rows[order]
    x, y = torch.tensor(rows[:, :-1]), torch.tensor(rows[:, -1], dtype=torch.long)
    test, validation = len(rows) // 5, 2 * (len(rows) // 5)
    train = x[validation:]
    x = (x - train.mean()) / train.std()
    return [(x[part], y[part]) for part in (slice(validation, None), slice(test, validation), slice(0, test))]


def evaluate(network, part):
    network.eval()
    with torch.no_grad():
        scores = network(part[0])
        loss = nn.functional.cross_entropy(scores, part[1]).item()
        error = (scores.argmax(1) != part[1]).float().mean().item()
    network.train()
    return error, loss


def run(job):
    name, seed, epochs, gain = job
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    train, validation, test = load()
    network = build(name, train[0].shape[1], gain)
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE)
    steps = epochs * (len(train[0]) // BATCH)
    warm = max(1.0, steps / 20)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1.0, (step + 1) / warm) * 0.5 * (1 + math.cos(math.pi * step / steps)))
    course = [evaluate(network, validation)]
    for _ in range(epochs):
        order = torch.randperm(len(train[0]))
        for start in range(0, len(order) - BATCH + 1, BATCH):
            chosen = order[start:start + BATCH]
            loss = nn.functional.cross_entropy(network(train[0][chosen]), train[1][chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        course.append(evaluate(network, validation))
    return name, evaluate(network, test)[0]


def pytorch(seeds, epochs, workers):
    start = time.perf_counter()
    gains = {name: gain_of(name) for name in ACTIVATIONS}
    jobs = [(name, seed, epochs, gains[name]) for name in ACTIVATIONS for seed in range(1, seeds + 1)]
    errors = {name: [] for name in ACTIVATIONS}
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        for done, (name, error) in enumerate(pool.imap_unordered(run, jobs), 1):
            errors[name].append(error)
            if sys.stderr.isatty():
                print("\rPyTorch: %d of %d runs" % (done, len(jobs)), end="", file=sys.stderr, flush=True)
    return time.perf_counter() - start, errors


def ogee(program, seeds, epochs, workers):
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        subprocess.run([program, "compare", "--seeds", str(seeds), "--epochs", str(epochs), "--workers", str(workers),
                        "--learning-rate", str(RATE), "--activations", ",".join(ACTIVATIONS), "--out", folder, "--quiet"],
                       check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - start
        results = json.loads((pathlib.Path(folder) / "results.json").read_text())
    return seconds, {arm["activation"]: [r["test_error"] for r in arm["runs"] if r["status"] == "finished"]
                     for arm in results["arms"]}


def welch(a, b):
    """The difference of means and its 95 % interval."""
    va, vb = statistics.variance(a) / len(a), statistics.variance(b) / len(b)
    freedom = (va + vb) ** 2 / max(va ** 2 / (len(a) - 1) + vb ** 2 / (len(b) - 1), 1e-30)
    table = {4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306}  # Student's t at 97.5 %, freedom rounded down
    t = table.get(max(4, min(8, int(freedom))), 2.776)
    d = statistics.mean(a) - statistics.mean(b)
    return d, t * math.sqrt(va + vb)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="ogee")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="print JSON")
    flags = parser.parse_args()
    theirs, their_errors = pytorch(flags.seeds, flags.epochs, flags.workers)
    ours, our_errors = ogee(os.path.abspath(flags.program), flags.seeds, flags.epochs, flags.workers)
    rows = []
    for name in ACTIVATIONS:
        difference, half = welch(our_errors[name], their_errors[name])
        rows.append({"activation": name, "ogee": statistics.mean(our_errors[name]),
                     "pytorch": statistics.mean(their_errors[name]), "difference": difference, "half_interval": half})
    result = {"torch": torch.__version__, "seeds": flags.seeds, "epochs": flags.epochs, "workers": flags.workers,
              "seconds_ogee": ours, "seconds_pytorch": theirs, "ratio": theirs / ours, "errors": rows}
    if flags.json:
        print(json.dumps(result, indent=1))
        return
    print("%d runs, %d at a time: Ogee %.1f s, PyTorch %s %.1f s: %.2f times as long"
          % (len(ACTIVATIONS) * flags.seeds, flags.workers, ours, torch.__version__, theirs, theirs / ours))
    print("%-16s %8s %8s  %s" % ("test error, %", "Ogee", "PyTorch", "difference"))
    for row in rows:
        print("%-16s %8.2f %8.2f  %+.2f +- %.2f" % (row["activation"], *(100 * row[key] for key in (
            "ogee", "pytorch", "difference", "half_interval"))))


if __name__ == "__main__":
    main()

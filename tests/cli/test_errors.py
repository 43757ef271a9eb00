#!/usr/bin/env python3
"""Bad input: one line on standard error that says what was wrong, nothing on standard output, exit status 2.

Usage: test_errors.py PROGRAM
"""

import gzip
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import os

PROGRAM = sys.argv[1]
failures = 0


def refuse(message, *arguments, env=None):
    """The command is refused with a line that matches the pattern `message`."""
    global failures
    result = subprocess.run([PROGRAM, *map(str, arguments)], text=True, capture_output=True, env=env, timeout=120)
    lines = result.stderr.strip().splitlines()
    problem = None
    if result.returncode != 2:
        problem = "status %d" % result.returncode
    elif len(lines) != 1:
        problem = "%d lines on standard error" % len(lines)
    elif not re.search(message, lines[0]):
        problem = "expected /%s/" % message
    elif result.stdout:
        problem = "output on standard output"
    if problem:
        failures += 1
        print("FAILED: ogee %s: %s\n  %s" % (" ".join(map(str, arguments)), problem, result.stderr.strip()))


def has_verb(verb):
    """Whether the program was built with it; some need LibTorch."""
    return re.search(r"^  %s " % verb, subprocess.run([PROGRAM, "--help"], text=True, capture_output=True).stdout, re.M)


def compare_refuses(d):
    """The verb compare, given bad data or options, writing to the directory d."""
    out = ["--out", d / "out", "--seeds", "1", "--epochs", "1"]
    refuse(r"unknown activation 'reluu'; did you mean 'relu'\?", "compare", "--activations", "relu,reluu", *out)
    refuse(r"missing\.csv.*([Nn]o such file)", "compare", "--data", d / "missing.csv", "--target", "y", *out)
    good = "a,b,y\n" + "".join("%d,%g,%s\n" % (i, i * 0.5, "pq"[i % 2]) for i in range(60))
    csv = d / "data.csv"
    csv.write_text(good)
    refuse(r"target|column.*(z|a, b, y)", "compare", "--data", csv, "--target", "z", *out)
    csv.write_text(good.replace("7,3.5,", "7,oops,"))
    refuse(r"data\.csv:9.*b.*oops|data\.csv.*row 9.*column.*b.*oops", "compare", "--data", csv, "--target", "y", *out)
    csv.write_text(good.replace("7,3.5,", "7,nan,"))
    refuse(r"data\.csv:9.*b.*(nan|NaN)", "compare", "--data", csv, "--target", "y", *out)
    csv.write_text(good.replace("7,3.5,q", "7,3.5"))
    refuse(r"data\.csv:9", "compare", "--data", csv, "--target", "y", *out)
    csv.write_text("")
    refuse(r"data\.csv.*empty", "compare", "--data", csv, "--target", "y", *out)

    mnist = d / "mnist"
    mnist.mkdir()
    env = dict(os.environ, OGEE_DATA=str(d))
    refuse(r"train-images", "compare", "--data", "mnist", *out, env=env)
    header = struct.pack(">IIII", 0x803, 100, 28, 28)
    with gzip.open(mnist / "train-images-idx3-ubyte.gz", "wb") as f:
        f.write(header + bytes(5000))
    for part, magic in (("train-labels-idx1", 0x801), ("t10k-labels-idx1", 0x801)):
        with gzip.open(mnist / (part + "-ubyte.gz"), "wb") as f:
            f.write(struct.pack(">II", magic, 100) + bytes(100))
    with gzip.open(mnist / "t10k-images-idx3-ubyte.gz", "wb") as f:
        f.write(header + bytes(78400))
    refuse(r"train-images-idx3-ubyte\.gz.*(truncated|bytes)", "compare", "--data", "mnist", *out, env=env)
    env.pop("OGEE_DATA")
    refuse(r"OGEE_DATA", "compare", "--data", "mnist", *out, env=env)

    toml = d / "e.toml"
    refuse(r"e\.toml: cannot be read: No such file", "compare", toml, *out)
    for text, message in (("[training]\nepoch = 3\n", r"e\.toml:2:1: unknown key 'epoch' in \[training\]; did you mean 'epochs'\?"),
                          ("[training]\nepochs = 'x'\n", r"e\.toml:2:10: epochs is 'x'; expected a whole number"),
                          ("[training\n", r"e\.toml:1:"),
                          ("[[arm]]\nactivation = 'reluu'\n", r"e\.toml:2:14: unknown activation 'reluu'; did you mean"),
                          ("[[arm]]\nactivation = 'elu'\nlearning_rate = -1\n", r"e\.toml:3:17: learning_rate is -1")):
        toml.write_text(text)
        refuse(message, "compare", toml, *out)

    for flag, value in (("--seeds", "0"), ("--epochs", "-3"), ("--depth", "0"), ("--width", "x"), ("--model", "cube"),
                        ("--device", "toaster"), ("--workers", "0")):
        refuse(r".", "compare", flag, value, "--out", d / "out2")


def main():
    with tempfile.TemporaryDirectory() as name:
        d = pathlib.Path(name)
        x = d / "x.f32"
        x.write_bytes(struct.pack("<4f", 1, 2, 3, 4))
        odd = d / "odd.f32"
        odd.write_bytes(b"12345")
        y = d / "y.f32"

        refuse(r"unknown activation 'gellu'; did you mean 'gelu'\?", "show", "gellu")
        refuse(r"unknown activation 'gellu'", "eval", "gellu", "--input", x, "--output", y)
        refuse(r"leaky_relu has no attribute 'slop'; did you mean 'slope'\?", "show", "leaky_relu(slop=1)")
        refuse(r"softshrink: lambda = -1 is out of range \[0, inf\]", "show", "softshrink(lambda=-1)")
        refuse(r"must be a number, not 'x'", "show", "elu(alpha=x)")
        refuse(r"missing\.f32: cannot be read: No such file", "eval", "gelu", "--input", d / "missing.f32", "--output", y)
        refuse(r"odd\.f32: 5 bytes are no whole number of 4-byte elements", "eval", "gelu", "--input", odd, "--output", y)
        refuse(r"glu takes 2 --input file\(s\), 1 given", "eval", "glu", "--input", x, "--output", y)
        short = d / "short.f32"
        short.write_bytes(struct.pack("<2f", 1, 2))
        refuse(r"they must agree", "eval", "glu", "--input", x, "--input", short, "--output", y)
        refuse(r"cannot be written", "eval", "gelu", "--input", x, "--output", d / "no" / "y.f32")
        refuse(r"target 'MMX' is none of those supported here", "eval", "gelu", "--input", x, "--output", y, "--target", "MMX")
        refuse(r"f128", "eval", "gelu", "--input", x, "--output", y, "--dtype", "f128")
        refuse(r"no family 'cubic'; there are rectified", "list", "--family", "cubic")
        refuse(r"functions of one input", "show", "glu", "--svg", d / "glu.svg")
        refuse(r"no verb 'frobnicate' \(see ogee --help\)", "frobnicate")
        refuse(r"no verb 'frobnicate'", "frobnicate", "--help")
        refuse(r"--range.*--svg.*\(see ogee show --help\)", "show", "gelu", "--range", "5", "-5")
        refuse(r"LOW below HIGH", "show", "gelu", "--svg", d / "gelu.svg", "--range", "5", "-5")
        refuse(r"--frobnicate.*\(see ogee eval --help\)", "eval", "gelu", "--input", x, "--output", y, "--frobnicate")
        refuse(r"subcommand", *[])
        if has_verb("claims"):
            refuse(r"\(see ogee claims run --help\)", "claims", "run", "dying_relu", "--frobnicate")
        if has_verb("compare"):
            compare_refuses(d)
        else:
            for verb in ("bench", "compare"):
                refuse(r"%s needs LibTorch, which this program was built without" % verb, verb, "--seeds", "1")
    print("%d failures" % failures)
    sys.exit(1 if failures else 0)


main()

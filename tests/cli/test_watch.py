#!/usr/bin/env python3
"""ogee watch: programs that know nothing of Ogee, in C++ and Python, seen from outside; models; stored lines.

Usage: test_watch.py PROGRAM
From the environment: OGEE_EXAMPLE_MNIST, the example program; OGEE_TORCH_PYTHON, a Python that has torch;
OGEE_MONITOR_LIBRARY, what Python loads. Where one is missing, what needs it is left out, and says so.
"""

import fcntl
import json
import os
import pathlib
import pty
import random
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import checks  # noqa: E402
from checks import check  # noqa: E402

PROGRAM = os.path.abspath(sys.argv[1])
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TRAIN = str(ROOT / "examples" / "train.py")
MNIST = os.environ.get("OGEE_EXAMPLE_MNIST", "")
PYTHON = os.environ.get("OGEE_TORCH_PYTHON", sys.executable)
LIBRARY = os.environ.get("OGEE_MONITOR_LIBRARY", "")
WORK = pathlib.Path(tempfile.mkdtemp(prefix="ogee_watch_test"))


def run(*arguments, **more):
    return subprocess.run([PROGRAM, "watch", *map(str, arguments)], text=True, capture_output=True, timeout=300,
                          **{"cwd": WORK, **more})


def plain(*words):
    return subprocess.run(list(map(str, words)), text=True, capture_output=True, timeout=300, cwd=WORK)


def events(path):
    return [json.loads(line) for line in pathlib.Path(path).read_text().splitlines()]


def rules(path):
    """Those of the last event's findings that are more than notes."""
    last = events(path)[-1]
    check(last["event"] == "record", path, last["event"])
    return {f["rule"] for f in last.get("findings", []) if f["severity"] != "note"}


def has_torch():
    return subprocess.run([PYTHON, "-c", "import torch"], capture_output=True, cwd=WORK).returncode == 0


def mnist_data():
    """MNIST's training files, unpacked: the real ones from $OGEE_DATA, or of the same size and made here."""
    import gzip
    folder = WORK / "mnist"
    folder.mkdir(exist_ok=True)
    real = pathlib.Path(os.environ.get("OGEE_DATA", "/nowhere")) / "mnist"
    names = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"]
    if all((real / (name + ".gz")).exists() for name in names):
        for name in names:
            (folder / name).write_bytes(gzip.decompress((real / (name + ".gz")).read_bytes()))
        return folder
    print("no MNIST in $OGEE_DATA: with images made here")
    dice = random.Random(1)
    images = []
    for label in range(10):
        for _ in range(20):  # bright blocks in places of the digit's own, and noise
            pixels = bytearray(dice.choices(range(40), k=784))
            for block in range(3):
                x, y = (label * 7 + block * 5) % 20, (label * 3 + block * 9) % 20
                for dy in range(8):
                    at = (y + dy) * 28 + x
                    pixels[at:at + 8] = bytes(dice.choices(range(180, 255), k=8))
            images.append((label, bytes(pixels)))
    chosen = dice.choices(images, k=60000)
    (folder / names[0]).write_bytes(struct.pack(">4I", 0x803, 60000, 28, 28) + b"".join(p for _, p in chosen))
    (folder / names[1]).write_bytes(struct.pack(">2I", 0x801, 60000) + bytes(label for label, _ in chosen))
    return folder


def cpp_program():
    if not MNIST:
        return print("skipped: no example program")
    data = mnist_data()
    alone = plain(MNIST, data, 0.01, 200)
    check(alone.returncode == 0, alone.stderr)
    watched = run("--every", 10, "--json", "mnist.jsonl", "--report", "mnist.html", "--tensorboard", "events", "--",
                  MNIST, data, 0.01, 200)
    check(watched.stdout == alone.stdout, "the same numbers, digit for digit", watched.stdout, alone.stdout)
    check(watched.returncode == 0, "healthy", watched.returncode, watched.stderr)
    lines = events(WORK / "mnist.jsonl")
    check([e["event"] for e in lines[:1]] == ["start"], lines[0])
    windows = [e for e in lines if e["event"] == "window"]
    check(len(windows) >= 10, "windows", len(windows))
    check(len(windows[-1]["layers"]) == 3, "three rectifiers", [l["name"] for l in windows[-1]["layers"]])
    record = lines[-1]["record"]
    check(record["steps"] == 200, record["steps"])
    check([l["function"]["text"] for l in record["layers"]] == ["relu"] * 3, record["layers"])
    page = (WORK / "mnist.html").read_text()
    check("Layers over time" in page and "src=" not in page.split("<script", 1)[0], "the page")
    found = list((WORK / "events").glob("events.out.tfevents.*"))
    check(len(found) == 1 and found[0].stat().st_size > 1000, found)

    sick = run("--every", 10, "--json", "sick.jsonl", "--", MNIST, data, 1.0, 200)
    check(sick.returncode == 1, "a rate 100 times too high", sick.returncode, sick.stderr)
    check(rules(WORK / "sick.jsonl"), "is found")

    nothing = run("--", MNIST)
    check(nothing.returncode == 64, "the program's own status", nothing.returncode, nothing.stderr)
    missing = run("--", MNIST, WORK / "nowhere")
    check(missing.returncode == 128 + signal.SIGABRT, "an uncaught exception", missing.returncode, missing.stderr)


def python_script():
    alone = plain(PYTHON, TRAIN, "--steps", 150)
    watched = run("--every", 10, "--json", "python.jsonl", "--", PYTHON, TRAIN, "--steps", 150)
    check(watched.stdout == alone.stdout, "the same numbers, digit for digit", watched.stdout, alone.stdout)
    check(watched.returncode == 0, "healthy", watched.returncode, watched.stderr)
    check("relu" in watched.stderr, watched.stderr)
    layers = events(WORK / "python.jsonl")[-1]["record"]["layers"]
    check([layer["name"] for layer in layers] == ["0", "2", "4"], "called as the modules are", layers)

    sick = run("--json", "sick.jsonl", "--", PYTHON, TRAIN, "--rate", 0.3, "--steps", 200)
    check(sick.returncode == 1 and rules(WORK / "sick.jsonl"), "a rate too high", sick.returncode, sick.stderr)
    deep = run("--json", "deep.jsonl", "--quiet", "--", PYTHON, TRAIN, "--activation", "Sigmoid", "--depth", 12,
               "--steps", 60)
    check(deep.returncode == 1 and "vanishing_gradient" in rules(WORK / "deep.jsonl"), "sigmoids", deep.stderr)
    check(deep.stderr == "", "quiet", deep.stderr)

    # Processes that load the data are forked, and are no part of it.
    forked = run("--every", 10, "--json", "forked.jsonl", "--", PYTHON, TRAIN, "--workers", 2, "--steps", 80)
    check(forked.returncode in (0, 1), forked.returncode, forked.stderr)
    lines = events(WORK / "forked.jsonl")
    check(sum(e["event"] == "record" for e in lines) == 1 and lines[-1]["record"]["steps"] == 80, "one process only")
    check("other process" not in forked.stderr, forked.stderr)

    thrown = run("--every", 10, "--json", "thrown.jsonl", "--", PYTHON, TRAIN, "--steps", 60, "--fail")
    check(thrown.returncode == 1 and "RuntimeError: as asked" in thrown.stderr, thrown.returncode, thrown.stderr)
    check(events(WORK / "thrown.jsonl")[-1]["event"] == "record", "the end is reached")

    through = run("--every", 10, "--", "bash", "-c", f"env >/dev/null; '{PYTHON}' '{TRAIN}' --steps 60 | cat; exit 7")
    check(through.returncode == 7 and "step 50" in through.stdout and "relu" in through.stderr, through.stderr)


def wait_for_windows(path, count):
    for _ in range(600):
        if path.exists() and path.read_text().count('"event":"window"') >= count:
            return True
        time.sleep(0.1)
    return False


def signals():
    for number, whole in ((signal.SIGTERM, True), (signal.SIGINT, True), (signal.SIGKILL, False)):
        path = WORK / f"signal{number}.jsonl"
        process = subprocess.Popen([PROGRAM, "watch", "--every", "5", "--json", path, "--report", "signal.html", "--",
                                    PYTHON, TRAIN, "--steps", "10000000"], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True, cwd=WORK)
        check(wait_for_windows(path, 3), "windows before", number)
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True)
        # The first two are passed on; the last nobody can catch.
        os.kill(process.pid if whole else int(children.stdout.split()[0]), number)
        message = process.communicate(timeout=120)[1]
        check(process.returncode == 128 + number, number, process.returncode, message)
        check((events(path)[-1]["event"] == "record") == whole, "the whole record", number, message)
        check("relu" in message and (WORK / "signal.html").exists(), "what was seen is shown", number, message)
        (WORK / "signal.html").unlink(missing_ok=True)


def not_watched():
    for words, status in ((["true"], 2), (["env"], 2), (["false"], 1), (["bash", "-c", "exit 5"], 5)):
        result = run("--", *words)
        check(result.returncode == status, words, result.returncode, result.stderr)
        lines = result.stderr.strip().splitlines()
        check(len(lines) == 1 and "was not watched: it did not load LibTorch" in lines[0], words, lines)
    result = run("--", "no/such/program")
    check(result.returncode == 2 and result.stderr == "ogee: no/such/program: cannot be run: No such file or directory\n",
          result.stderr)
    loaded = run("--", PYTHON, "-c", "import torch; print(torch.ones(2).sum().item())")
    check(loaded.returncode == 2 and loaded.stdout == "2.0\n" and "no activation was seen" in loaded.stderr, loaded.returncode, loaded.stdout, loaded.stderr)


def refusals():
    (WORK / "text.pt").write_text("no model")
    (WORK / "table.csv").write_text("a,b\n1,2\n")
    for message, arguments in (("expected one of a program", []),
                               ("expected one of a program", ["--model", "text.pt", "--read", "x"]),
                               ("text.pt: is no TorchScript file", ["--model", "text.pt"]),
                               ("missing.pt: cannot be read", ["--model", "missing.pt"]),
                               ("--steps goes with --model", ["--steps", "5", "--", "true"]),
                               ("exclude each other", ["--model", "text.pt", "--train", "--evaluate"]),
                               ("missing.jsonl: cannot be read", ["--read", "missing.jsonl"]),
                               ("table.csv: no line of it is a monitor's", ["--read", "table.csv"]),
                               ("--every does not go with --read", ["--read", "x", "--every", "3"]),
                               ("no/folder/x.html: cannot be written", ["--report", "no/folder/x.html", "--", "true"]),
                               ("no/folder/x.jsonl: cannot be written", ["--json", "no/folder/x.jsonl", "--", "true"]),
                               ("text.pt/x", ["--tensorboard", "text.pt/x", "--", "true"]),
                               ("--budget", ["--budget", "-1", "--", "true"])):
        result = run(*arguments)
        lines = result.stderr.strip().splitlines()
        check(result.returncode == 2 and len(lines) == 1 and message in lines[0] and not result.stdout, arguments,
              result.returncode, result.stderr, result.stdout)


def stored():
    path = WORK / "python.jsonl"
    text = path.read_text()
    result = run("--read", path, "--report", "stored.html")
    check(result.returncode == 0 and "relu" in result.stdout and (WORK / "stored.html").exists(), result.stderr)
    (WORK / "cut.jsonl").write_text(text[:len(text) // 2])
    result = run("--read", "cut.jsonl", "--report", "cut.html")
    check(result.returncode in (0, 1) and "relu" in result.stdout and (WORK / "cut.html").exists(), result.stdout)
    check("could not be read" in result.stdout and "ended before the monitor" in result.stdout, result.stdout)


def models():
    script = """
import torch
def net(function, depth):
    layers, width = [], 64
    for _ in range(depth):
        layers += [torch.nn.Linear(width, 32), function()]
        width = 32
    return torch.jit.script(torch.nn.Sequential(*layers, torch.nn.Linear(width, 10)))
torch.manual_seed(1)
net(torch.nn.ReLU, 3).save('good.pt')
net(torch.nn.Sigmoid, 14).save('deep.pt')
torch.jit.script(torch.nn.Linear(5, 10)).save('narrow.pt')
torch.jit.script(torch.nn.ReLU()).save('none.pt')
torch.jit.script(torch.nn.Linear(64, 10)).save('linear.pt')
"""
    made = plain(PYTHON, "-c", script)
    check(made.returncode == 0, made.stderr)
    good = run("--model", "good.pt", "--steps", 150, "--every", 10, "--json", "good.jsonl", "--report", "good.html")
    check(good.returncode == 0 and "relu" in good.stdout, good.returncode, good.stdout, good.stderr)
    record = events(WORK / "good.jsonl")[-1]["record"]
    check(record["steps"] == 150, record["steps"])
    check([l["weight"] for l in record["layers"]] == ["0.weight", "2.weight", "4.weight"],
          [l["weight"] for l in record["layers"]])
    deep = run("--model", "deep.pt", "--steps", 60, "--rate", 0.01)
    check(deep.returncode == 1 and "vanishing gradient" in deep.stdout, deep.returncode, deep.stdout, deep.stderr)
    once = run("--model", "good.pt", "--evaluate", "--steps", 20, "--every", 1)
    check(once.returncode in (0, 1) and "relu" in once.stdout, once.returncode, once.stdout, once.stderr)
    for message, arguments in (("narrow.pt: does not run on optdigits", ["--model", "narrow.pt"]),
                               ("none.pt: has no parameters that can be trained", ["--model", "none.pt"]),
                               ("no activation was seen in linear.pt", ["--model", "linear.pt", "--evaluate"]),
                               ("nowhere.csv", ["--model", "good.pt", "--data", "nowhere.csv"])):
        result = run(*arguments)
        lines = result.stderr.strip().splitlines()
        said = result.stdout.strip().splitlines() if "no activation" in message else lines[:1]
        check(result.returncode == 2 and len(said) == 1 and message in said[0], arguments, result.returncode,
              result.stdout, result.stderr)


def operators():
    if not LIBRARY:
        return print("skipped: no library for Python")
    script = f"""
import json, torch
torch.ops.load_library({LIBRARY!r})
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
torch.ops.ogee.watch('every=1,json=operators.jsonl,print=0')
try:
    torch.ops.ogee.watch()
    print('twice')
except Exception as e:
    pass
for name, parameter in model.named_parameters():
    torch.ops.ogee.watch_name(parameter, 'model.' + name)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for step in range(20):
    optimizer.zero_grad()
    model(torch.randn(32, 8)).square().mean().backward()
    optimizer.step()
assert isinstance(json.loads(torch.ops.ogee.watch_findings()), list)
record = json.loads(torch.ops.ogee.watch_record())
assert record['layers'][0]['weight'] == 'model.0.weight', record['layers'][0]
torch.ops.ogee.watch_stop()
for bad in ('colour=red', 'every=x', 'every=-1', 'print=2', 'json=/no/such/folder/x'):
    try:
        torch.ops.ogee.watch(bad)
        print('accepted', bad)
    except (ValueError, RuntimeError) as e:
        pass
torch.ops.ogee.watch('every=1,json=second.jsonl,print=0')
model(torch.randn(32, 8)).mean().backward()
print('end')
"""
    result = plain(PYTHON, "-c", script)
    check(result.returncode == 0 and result.stdout == "end\n", result.returncode, result.stdout, result.stderr)
    check(events(WORK / "operators.jsonl")[-1]["event"] == "record", "stopped")
    check(events(WORK / "second.jsonl")[-1]["event"] == "record", "ended with the process")


def on_terminal():
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("4H", 30, 100, 0, 0))
    process = subprocess.Popen([PROGRAM, "watch", "--every", "5", "--", PYTHON, TRAIN, "--steps", "200"],
                               stdout=subprocess.PIPE, stderr=follower, cwd=WORK,
                               env={**os.environ, "TERM": "xterm", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"})
    os.close(follower)
    shown = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    out = process.communicate(timeout=60)[0].decode()
    text = shown.decode()
    check("step 200" in out and "\x1b" not in out, "the program's own output", out)
    check("\x1b[1;" in text and "\x1b[r" in text and text.rindex("\x1b[r") > text.rindex("\x1b[1;"),
          "the panel comes and goes", text[-500:])
    check("relu" in text and "─" in text, text[-500:])


parts = [not_watched, refusals, cpp_program]
if has_torch():
    parts += [python_script, stored, signals, models, operators, on_terminal]
else:
    print(f"left out what needs torch in {PYTHON}")
for part in sys.argv[2:] or [p.__name__ for p in parts]:
    begin = time.monotonic()
    globals()[part]()
    print("%s: %.1f s" % (part, time.monotonic() - begin), flush=True)
if not checks.failures:
    subprocess.run(["rm", "-rf", str(WORK)])
print("%d failures" % checks.failures)
sys.exit(1 if checks.failures else 0)

#!/usr/bin/env python3
"""A comparison that is killed, shared, cut off from its disk or given damaged files comes to the same result, or says
in one line why not.

Usage: test_survival.py PROGRAM [KILLS [SEED]]
"""

import os
import pathlib
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import pairs  # noqa: E402
import survival  # noqa: E402

PROGRAM = sys.argv[1]
KILLS = int(sys.argv[2]) if len(sys.argv) > 2 else 6
SEED = int(sys.argv[3]) if len(sys.argv) > 3 else 1
failures = 0


def check(good, what):
    global failures
    print("%s: %s" % ("ok" if good else "FAILED", what), flush=True)
    failures += not good


def same(out, whole, what):
    check(survival.bytes_of(out) == survival.bytes_of(whole), "%s %s" % (what, survival.differences(out, whole)))


def one_line(process, status, *words):
    """The process ends with this status and one line that has all words."""
    error = process.communicate(timeout=120)[1].strip()
    good = process.returncode == status and len(error.splitlines()) == 1 and all(word in error for word in words)
    check(good, "status %d, expected %d with %s: %s" % (process.returncode, status, words, error))


def runs_in(folder):
    with sqlite3.connect(folder / "results.db") as database:
        return database.execute("SELECT arm, stage, seed, learning_rate, attributes, seconds FROM runs WHERE status != "
                                "'running' ORDER BY id").fetchall()


def kills(d, file, whole, longest):
    left, turn = KILLS, 0
    while left > 0:  # where a comparison comes to its end before all kills, another one takes the rest
        turn += 1
        out = d / ("killed-%d" % turn)
        began = time.time()
        # Checkpoints at every chance: the more are read, the more is tested.
        killed = survival.kill_often(PROGRAM, file, out, left, longest, "--keep-every", "0.02")
        left -= killed
        middle = time.time()
        survival.finish(PROGRAM, file, out, "--keep-every", "0.02")
        check(survival.bytes_of(out) == survival.bytes_of(whole),
              "%d kills in %.0f s and %.1f s to complete: results %s, undisturbed %s %s"
              % (killed, middle - began, time.time() - middle, survival.digest(out), survival.digest(whole),
                 survival.differences(out, whole)))
        check(killed > 0 and not (out / "checkpoints").exists(), "no checkpoint is left")


def nothing_runs_twice(d, file, whole):
    """The results that are there stay as they are, to their very times."""
    out = d / "twice"
    process = survival.start(PROGRAM, file, out)
    while not (out / "results.db").exists() or not finished_runs(out):
        time.sleep(0.01)
    kill = survival.kill_after(process, 0.3)
    before = runs_in(out)
    survival.finish(PROGRAM, file, out)
    check(kill and before and set(before) <= set(runs_in(out)),
          "%d runs that were done before the kill are the same afterwards" % len(before))
    same(out, whole, "the results are the undisturbed ones")


def unfinished(out):
    """The names that checkpoints of runs in progress have."""
    with sqlite3.connect(out / "results.db") as database:
        return {"run-%d" % i for i, in database.execute("SELECT id FROM runs WHERE status = 'running'")}


def finished_runs(out):
    try:
        return len(runs_in(out))
    except sqlite3.OperationalError:  # no table yet
        return 0


def shared(d, file, whole):
    out = d / "shared"
    both = [survival.start(PROGRAM, file, out, "--workers", "1", "--keep-every", "0.05") for _ in range(2)]
    third = survival.start(PROGRAM, file, out, "--workers", "1")
    check(survival.kill_after(third, 0.8), "a third process is killed")
    for process in both:
        error = process.communicate(timeout=600)[1]
        check(process.returncode == 0, "a process that shares the work ends with %d %s" % (process.returncode, error))
    same(out, whole, "shared work gives the same results")
    check(len(runs_in(out)) == len(runs_in(whole)), "%d runs are stored, as undisturbed" % len(runs_in(out)))


def interrupted(d, file, whole):
    out = d / "interrupted"
    process = survival.start(PROGRAM, file, out)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    error = process.communicate(timeout=60)[1]
    check(process.returncode == 1 and "goes on from there" in error and (out / "report.html").exists(),
          "Ctrl-C leaves a report: %s" % error.strip())
    survival.finish(PROGRAM, file, out)
    same(out, whole, "and the same command goes on")


def damaged_checkpoints(d, file, whole):
    for name, damage in (("cut", lambda b: b[:len(b) // 2]), ("changed", lambda b: b[:-9] + b"x" + b[-8:]),
                         ("empty", lambda b: b"")):
        out = d / name
        process = survival.start(PROGRAM, file, out, "--keep-every", "0.01")
        while not any((out / "checkpoints").glob("run-*")) and process.poll() is None:
            time.sleep(0.002)
        survival.kill_after(process, 0)
        # Of runs that are not done: the kill may have come between a run's end and that of its checkpoint.
        kept = [p for p in (out / "checkpoints").glob("run-*") if p.name in unfinished(out)]
        for path in kept:
            path.write_bytes(damage(path.read_bytes()))
        survival.finish(PROGRAM, file, out)
        text = (out / "results.json").read_text()
        same(out, whole, "%d checkpoints %s: the same results" % (len(kept), name))
        check(not kept or "started anew" in text, "%s: and a note says so" % name)


def bad_stores(d, file):
    out = d / "old"
    out.mkdir()
    with sqlite3.connect(out / "results.db") as database:
        database.execute("CREATE TABLE runs(id INTEGER PRIMARY KEY)")
    one_line(survival.start(PROGRAM, file, out), 2, "results.db", "another version of Ogee")
    out = d / "garbage"
    out.mkdir()
    (out / "results.db").write_bytes(os.urandom(20000))
    one_line(survival.start(PROGRAM, file, out), 2, "results.db", "damaged")
    blocked = d / "file"
    blocked.write_text("")
    one_line(survival.start(PROGRAM, file, blocked), 2, "file", "folder")
    one_line(subprocess.Popen([PROGRAM, "report", str(d / "nowhere")], stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True), 2, "results.db", "no such file")


def locked(d, file):
    """Somebody else's lock that does not go; then it does."""
    out = d / "locked"
    process = survival.start(PROGRAM, file, out)
    while not (out / "results.db").exists() or not finished_runs(out):
        time.sleep(0.01)
    survival.kill_after(process, 0)
    database = sqlite3.connect(out / "results.db", isolation_level=None)
    database.execute("BEGIN IMMEDIATE")
    one_line(survival.start(PROGRAM, file, out), 1, "results.db", "locked")
    database.execute("ROLLBACK")
    database.close()
    survival.finish(PROGRAM, file, out)


def unshare(script):
    return subprocess.run(["unshare", "-m", "bash", "-c", script], capture_output=True, text=True, timeout=300)


def disks(d, file, whole):
    """A full disk and a read-only one, each a tmpfs of its own."""
    if unshare("mount -t tmpfs none /mnt").returncode != 0:
        print("skipped: full and read-only disks (no right to mount)")
        return
    save = d / "full"
    save.mkdir()
    run = "'%s' compare '%s' --out /mnt/out --quiet --keep-every 0.05" % (PROGRAM, file)
    result = unshare("mount -t tmpfs -o size=300k none /mnt && %s; s=$?; cp -r /mnt/out/. '%s'; exit $s" % (run, save))
    lines = result.stderr.strip().splitlines()
    check(result.returncode == 1 and len(lines) == 1 and "results.db" in lines[0] and "full" in lines[0],
          "a full disk: status %d, %s" % (result.returncode, result.stderr.strip()))
    before = runs_in(save)
    survival.finish(PROGRAM, file, save)
    check(set(before) <= set(runs_in(save)) and survival.bytes_of(save) == survival.bytes_of(whole),
          "with room again, the %d runs that were done are kept and the results are the undisturbed ones" % len(before))
    result = unshare("mount -t tmpfs none /mnt && mkdir /mnt/out && mount -o remount,ro /mnt && " + run)
    lines = result.stderr.strip().splitlines()
    check(result.returncode == 2 and len(lines) == 1 and "cannot be written" in lines[0],
          "a read-only folder: status %d, %s" % (result.returncode, result.stderr.strip()))


def reports(d, file, whole):
    """Redrawn, merged and side by side."""
    def report(*arguments):
        return subprocess.run([PROGRAM, "report", *map(str, arguments)], capture_output=True, text=True, timeout=120)
    out = d / "redrawn"
    result = report(whole, "--out", out)
    check(result.returncode == 0 and survival.bytes_of(out) == survival.bytes_of(whole), "a report is drawn again")
    part = d / "part"
    survival.kill_after(survival.start(PROGRAM, file, part), 1.5)
    result = report(part, whole, "--out", d / "merged")
    check(result.returncode == 0 and survival.bytes_of(d / "merged") == survival.bytes_of(whole),
          "a part and the whole make the whole")
    other = d / "other"
    survival.finish(PROGRAM, file, other, "--activations", "relu,elu", "--seeds", "1")
    result = report(whole, other, "--out", d / "sides")
    page = (d / "sides" / "report.html").read_text()
    check(result.returncode == 0 and "seeds" in result.stdout and "elu" in result.stdout and "annealed" in page
          and all(len(line) <= 120 for line in result.stdout.split("\n\n")[0].splitlines()),
          "different comparisons stand side by side")
    again = d / "again"
    survival.finish(PROGRAM, whole / "experiment.toml", again)
    same(again, whole, "experiment.toml runs to the same results")


def examples(d):
    folder = pathlib.Path(__file__).parents[2] / "examples"
    for file in sorted(folder.glob("*.toml")):
        if "fashion-mnist" in file.read_text() and not os.environ.get("OGEE_DATA"):
            print("skipped: %s (OGEE_DATA is not set)" % file.name)
            continue
        small = d / file.name
        small.write_text(pairs.instead(file.read_text(), d / "pairs"))
        process = survival.start(PROGRAM, small, d / file.stem, "--train-limit", "200", "--epochs", "1", "--seeds", "1",
                                 "--depth", "2", "--width", "8")
        error = process.communicate(timeout=600)[1].strip()
        # So little training may be too little for any arm.
        check(process.returncode == 0 or error == "ogee: no arm learned anything of use", "%s runs %s" % (file.name, error))


def main():
    random.seed(SEED)
    with tempfile.TemporaryDirectory() as name:
        d = pathlib.Path(name)
        file = d / "experiment.toml"
        file.write_text(survival.EXPERIMENT)
        whole = d / "whole"
        began = time.time()
        survival.finish(PROGRAM, file, whole)
        seconds = time.time() - began
        began = time.time()
        survival.finish(PROGRAM, file, whole)  # nothing is left to do: what starting takes
        start = time.time() - began
        print("undisturbed: %.1f s, of which %.1f s to start and report" % (seconds, start), flush=True)
        # The kills leave time for most of the work, shared out among them.
        kills(d, file, whole, start + 1.2 * (seconds - start) / KILLS)
        if len(sys.argv) == 2:
            nothing_runs_twice(d, file, whole)
            shared(d, file, whole)
            interrupted(d, file, whole)
            damaged_checkpoints(d, file, whole)
            bad_stores(d, file)
            locked(d, file)
            disks(d, file, whole)
            reports(d, file, whole)
            examples(d)
    print("%d failures" % failures)
    sys.exit(1 if failures else 0)


main()

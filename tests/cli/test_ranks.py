#!/usr/bin/env python3
"""Ranks of one comparison, on this machine and in network namespaces of their own: the same results as one process's,
also when one of them is killed in the midst of its work.

Usage: test_ranks.py PROGRAM
"""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import ranks  # noqa: E402
import survival  # noqa: E402
from ranks import check, end, free_port  # noqa: E402

PROGRAM = sys.argv[1]


def start(*about, **how):
    return ranks.start(PROGRAM, *about, "--workers", "1", **how)


def note(out):
    return json.load(open(out / "results.json", encoding="utf-8"))["environment"].get("note", "")


def same(out, whole, what):
    check(survival.bytes_of(out) == survival.bytes_of(whole),
          "%s: results %s, one process's %s" % (what, survival.digest(out), survival.digest(whole)))


def together(d, file, whole):
    out, port = d / "three", free_port()
    processes = [start(r, 3, port, file, out) for r in range(3)]
    for r, process in enumerate(processes):
        end(process, "rank %d" % r)
    same(out, whole, "three ranks")
    check(not (out / "rank1").exists() and sorted(p.name for p in out.iterdir() if p.is_file()) ==
          sorted(p.name for p in whole.iterdir() if p.is_file()), "rank 0 alone writes into the folder")


def killed(d, run):
    """`run(rank, out)` starts a rank; the second is killed at work. That it fell silent shows only after a while: what
    is returned waits for the others, and compares their results with one process's."""
    out = d / "killed"
    # The one that the others wait for comes last, so that all begin together.
    third, second, first = [run(r, out) for r in (2, 1, 0)]
    check(ranks.await_runs(out, "status = 'running'", 3), "each of three ranks has a run")
    working = second.poll() is None and first.poll() is None
    second.send_signal(signal.SIGKILL)
    second.communicate()
    check(working, "rank 1 was killed before the end")

    def rest(whole):
        end(first, "rank 0 after rank 1 was killed")
        end(third, "rank 2")
        same(out, whole, "two of three ranks")
        check("rank 1 ended or fell silent" in note(out), "the results say so: %s" % note(out))
    return rest


def joins_late(d, file, whole):
    out, port = d / "late", free_port()
    first = start(0, 2, port, file, out)
    check(ranks.await_runs(out, "status = 'finished'", 1), "rank 0 does not wait for the other")
    second = start(1, 2, port, file, out)
    end(first, "rank 0")
    end(second, "a rank that came late")
    same(out, whole, "one rank and a late one")


def other_starters(d, file, whole):
    names = {"OMPI_COMM_WORLD_RANK": "OMPI_COMM_WORLD_SIZE", "SLURM_PROCID": "SLURM_NTASKS"}
    ports = {rank_name: free_port() for rank_name in names}
    processes = [(rank_name, start(r, 2, ports[rank_name], file, d / rank_name, **{rank_name: str(r), world_name: "2"}))
                 for rank_name, world_name in names.items() for r in range(2)]
    for rank_name, process in processes:
        end(process, "a rank by " + rank_name)
    for rank_name in names:
        same(d / rank_name, whole, rank_name)


def torchrun(d, file, whole):
    program = os.environ.get("OGEE_TORCHRUN") or shutil.which("torchrun")
    if not program:
        print("skipped: torchrun is not installed")
        return
    out = d / "torchrun"
    process = subprocess.run([program, "--nproc_per_node", "2", "--master_port", str(free_port()), "--no_python", PROGRAM,
                              "compare", str(file), "--out", str(out), "--quiet", "--workers", "1"],
                             capture_output=True, text=True, timeout=300, check=False)
    if "torch/distributed/elastic" in process.stderr and "AttributeError" in process.stderr:
        print("skipped: this torchrun does not work with this Python: " + process.stderr.strip().splitlines()[-1])
        return
    check(process.returncode == 0, "torchrun ended with %d %s" % (process.returncode, process.stderr.strip()[-300:] if
                                                                  process.returncode else ""))
    if process.returncode == 0:
        same(out, whole, "torchrun")


def refused(d, file):
    port = free_port()
    first = start(0, 2, port, file, d / "refused")
    second = start(1, 2, port, file, d / "refused", "--seeds", "3")
    error = end(second, "a rank with other settings", 2)
    check(len(error.splitlines()) == 1 and "rank 0 compares something else" in error, error)
    first.send_signal(signal.SIGINT)
    end(first, "rank 0, interrupted", 1)
    third = subprocess.run([PROGRAM, "compare", str(file), "--out", str(d / "x")], capture_output=True, text=True,
                           env=dict(os.environ, RANK="7", WORLD_SIZE="2"), timeout=60, check=False)
    check(third.returncode == 2 and "RANK=7: expected a number from 0 to 1" in third.stderr, third.stderr.strip())


def main():
    with tempfile.TemporaryDirectory() as name:
        d = pathlib.Path(name)
        file = d / "experiment.toml"
        # Long enough that ranks can come late and die early.
        file.write_text(survival.EXPERIMENT.replace("epochs = 5", "epochs = 4"), encoding="utf-8")
        with contextlib.ExitStack() as stack:
            hosts = stack.enter_context(ranks.hosts(3))
            port = free_port()
            rests = [killed(d, lambda rank, out: start(rank, 3, port, file, out))]
            if hosts:
                rests.append(killed(d / "hosts", lambda rank, out: start(
                    rank, 3, 29500, file, out if rank == 0 else d / "elsewhere", address=hosts[0][0],
                    before=hosts[rank][1])))
            whole = d / "whole"
            survival.finish(PROGRAM, file, whole)
            together(d, file, whole)
            joins_late(d, file, whole)
            other_starters(d, file, whole)
            torchrun(d, file, whole)
            refused(d, file)
            for rest in rests:
                rest(whole)
    sys.exit(1 if ranks.failures else 0)


main()

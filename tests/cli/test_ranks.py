#!/usr/bin/env python3
"""Ranks of one comparison, on this machine and in network namespaces of their own: the same results as one process's,
also when one of them is killed in the midst of its work.

Usage: test_ranks.py PROGRAM
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import survival  # noqa: E402

PROGRAM = sys.argv[1]
failures = 0


def check(good, what):
    global failures
    print("%s: %s" % ("ok" if good else "FAILED", what), flush=True)
    failures += not good


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start(rank, world, port, file, out, *more, address="127.0.0.1", before=(), **variables):
    environment = dict(os.environ, MASTER_ADDR=address, MASTER_PORT=str(port), **variables)
    if not variables:
        environment.update(RANK=str(rank), WORLD_SIZE=str(world))
    return subprocess.Popen([*before, PROGRAM, "compare", str(file), "--out", str(out), "--quiet", "--workers", "1", *more],
                            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def end(process, what, status=0):
    error = process.communicate(timeout=300)[1].strip()
    check(process.returncode == status, "%s ended with %d%s" % (what, process.returncode, ": " + error if error else ""))
    return error


def note(out):
    return json.load(open(out / "results.json", encoding="utf-8"))["environment"]["note"]


def same(out, whole, what):
    check(survival.bytes_of(out) == survival.bytes_of(whole),
          "%s: results %s, one process's %s" % (what, survival.digest(out), survival.digest(whole)))


def together(d, file, whole):
    out, port = d / "three", free_port()
    ranks = [start(r, 3, port, file, out) for r in range(3)]
    for r, process in enumerate(ranks):
        end(process, "rank %d" % r)
    same(out, whole, "three ranks")
    check(not (out / "rank1").exists() and sorted(p.name for p in out.iterdir() if p.is_file()) ==
          sorted(p.name for p in whole.iterdir() if p.is_file()), "rank 0 alone writes into the folder")


def killed(d, file, whole, run):
    """`run(rank, out)` starts a rank; the second is killed at work."""
    out = d / "killed"
    ranks = [run(r, out) for r in range(3)]
    time.sleep(3)
    working = ranks[1].poll() is None and ranks[0].poll() is None
    ranks[1].send_signal(signal.SIGKILL)
    ranks[1].communicate()
    end(ranks[0], "rank 0 after rank 1 was killed")
    end(ranks[2], "rank 2")
    check(working, "rank 1 was killed before the end")
    same(out, whole, "two of three ranks")
    check("rank 1 ended or fell silent" in note(out), "the results say so: %s" % note(out))


def joins_late(d, file, whole):
    out, port = d / "late", free_port()
    first = start(0, 2, port, file, out)
    time.sleep(2)
    second = start(1, 2, port, file, out)
    end(first, "rank 0")
    end(second, "a rank that came late")
    same(out, whole, "one rank and a late one")


def other_starters(d, file, whole):
    for rank_name, world_name in (("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"), ("SLURM_PROCID", "SLURM_NTASKS")):
        out, port = d / rank_name, free_port()
        ranks = [start(r, 2, port, file, out, **{rank_name: str(r), world_name: "2"}) for r in range(2)]
        for process in ranks:
            end(process, "a rank by " + rank_name)
        same(out, whole, rank_name)


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
    second = start(1, 2, port, file, d / "refused", "--seeds", "2")
    error = end(second, "a rank with other settings", 2)
    check(len(error.splitlines()) == 1 and "rank 0 compares something else" in error, error)
    first.send_signal(signal.SIGINT)
    end(first, "rank 0, interrupted", 1)
    third = subprocess.run([PROGRAM, "compare", str(file), "--out", str(d / "x")], capture_output=True, text=True,
                           env=dict(os.environ, RANK="7", WORLD_SIZE="2"), timeout=60, check=False)
    check(third.returncode == 2 and "RANK=7: expected a number from 0 to 1" in third.stderr, third.stderr.strip())


def in_namespaces(d, file, whole):
    """Three hosts: network namespaces joined by a bridge, which share nothing but the program and the data."""
    if os.geteuid() != 0 or not shutil.which("ip") or subprocess.run(
            ["ip", "netns", "add", "ogee-probe"], capture_output=True, check=False).returncode != 0:
        print("skipped: network namespaces need root and iproute2")
        return
    subprocess.run(["ip", "netns", "del", "ogee-probe"], check=False)

    def ip(*words):
        subprocess.run(["ip", *words], check=True, capture_output=True)
    hosts = ["ogee%d" % i for i in range(3)]
    try:
        ip("link", "add", "ogee-bridge", "type", "bridge")
        ip("link", "set", "ogee-bridge", "up")
        for i, host in enumerate(hosts):
            ip("netns", "add", host)
            ip("link", "add", "ogee-v%d" % i, "type", "veth", "peer", "name", "eth0", "netns", host)
            ip("link", "set", "ogee-v%d" % i, "master", "ogee-bridge", "up")
            ip("-n", host, "addr", "add", "10.77.0.%d/24" % (i + 1), "dev", "eth0")
            ip("-n", host, "link", "set", "eth0", "up")
            ip("-n", host, "link", "set", "lo", "up")
        killed(d / "hosts", file, whole, lambda rank, out: start(
            rank, 3, 29500, file, out if rank == 0 else d / "elsewhere", address="10.77.0.1",
            before=("ip", "netns", "exec", hosts[rank])))
    except subprocess.CalledProcessError as error:
        print("skipped: %s: %s" % (" ".join(error.cmd), error.stderr.decode().strip()))
    finally:
        for host in hosts:
            subprocess.run(["ip", "netns", "del", host], capture_output=True, check=False)
        subprocess.run(["ip", "link", "del", "ogee-bridge"], capture_output=True, check=False)


def main():
    with tempfile.TemporaryDirectory() as name:
        d = pathlib.Path(name)
        file = d / "experiment.toml"
        # Long enough that ranks can come late and die early.
        file.write_text(survival.EXPERIMENT.replace("epochs = 8", "epochs = 20"), encoding="utf-8")
        whole = d / "whole"
        survival.finish(PROGRAM, file, whole)
        together(d, file, whole)
        port = free_port()
        killed(d, file, whole, lambda rank, out: start(rank, 3, port, file, out))
        joins_late(d, file, whole)
        other_starters(d, file, whole)
        torchrun(d, file, whole)
        refused(d, file)
        in_namespaces(d, file, whole)
    sys.exit(1 if failures else 0)


main()

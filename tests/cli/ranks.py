"""What the tests of ranks share: starting them, on this machine or on hosts of their own, and saying how they ended."""

import contextlib
import os
import shutil
import socket
import sqlite3
import subprocess
import time

failures = 0


def check(good, what):
    global failures
    print("%s: %s" % ("ok" if good else "FAILED", what), flush=True)
    failures += not good


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start(program, rank, world, port, file, out, *more, address="127.0.0.1", before=(), **variables):
    environment = dict(os.environ, MASTER_ADDR=address, MASTER_PORT=str(port), **variables)
    if not variables:
        environment.update(RANK=str(rank), WORLD_SIZE=str(world))
    return subprocess.Popen([*before, program, "compare", str(file), "--out", str(out), "--quiet", *more],
                            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def end(process, what, status=0):
    error = process.communicate(timeout=300)[1].strip()
    check(process.returncode == status, "%s ended with %d%s" % (what, process.returncode, ": " + error if error else ""))
    return error


def await_runs(out, condition, count, longest=120):
    """Until so many runs that satisfy the condition stand in rank 0's database; False if that takes too long."""
    start = time.monotonic()
    while time.monotonic() - start < longest:
        try:
            with contextlib.closing(sqlite3.connect("file:%s?mode=ro" % (out / "results.db"), uri=True)) as database:
                if database.execute("SELECT count(*) FROM runs WHERE " + condition).fetchone()[0] >= count:
                    return True
        except sqlite3.OperationalError:  # not there yet, or being made
            pass
        time.sleep(0.02)
    return False


@contextlib.contextmanager
def hosts(count):
    """Network namespaces joined by a bridge, which share nothing but the files: yields [(address, command before)], or
    None where they cannot be had."""
    names = ["ogee%d" % i for i in range(count)]
    if os.geteuid() != 0 or not shutil.which("ip") or subprocess.run(
            ["ip", "netns", "add", "ogee-probe"], capture_output=True, check=False).returncode != 0:
        print("skipped: network namespaces need root and iproute2")
        yield None
        return
    subprocess.run(["ip", "netns", "del", "ogee-probe"], check=False)

    def ip(*words):
        subprocess.run(["ip", *words], check=True, capture_output=True)
    made = None
    try:
        try:
            ip("link", "add", "ogee-bridge", "type", "bridge")
            ip("link", "set", "ogee-bridge", "up")
            for i, name in enumerate(names):
                ip("netns", "add", name)
                ip("link", "add", "ogee-v%d" % i, "type", "veth", "peer", "name", "eth0", "netns", name)
                ip("link", "set", "ogee-v%d" % i, "master", "ogee-bridge", "up")
                ip("-n", name, "addr", "add", "10.77.0.%d/24" % (i + 1), "dev", "eth0")
                ip("-n", name, "link", "set", "eth0", "up")
                ip("-n", name, "link", "set", "lo", "up")
            made = [("10.77.0.%d" % (i + 1), ("ip", "netns", "exec", name)) for i, name in enumerate(names)]
        except subprocess.CalledProcessError as error:
            print("skipped: %s: %s" % (" ".join(error.cmd), error.stderr.decode().strip()))
        yield made
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
        subprocess.run(["ip", "link", "del", "ogee-bridge"], capture_output=True, check=False)

#!/usr/bin/env python3
"""Writes docs/sparse.md out of what `bench_sparse --json` measured.

Usage: make_sparse.py MEASURED.json DOCUMENT.md   (or ./dev docs sparse, which measures first)
"""

import json
import pathlib
import sys


def worst(goal, entries):
    """The entry furthest from its bound; bounds differ by type."""
    return (min if goal.startswith("one token") else max)(entries, key=lambda e: e["got"] / e["wanted"])


def place(where):
    unit = "%s, " % where["unit"] if "unit" in where else ""
    return "%s, %s%s, %d thread%s, %d token%s, %g %% zeros" % (
        where["what"], unit, where["dtype"], where["threads"], "" if where["threads"] == 1 else "s", where["tokens"],
        "" if where["tokens"] == 1 else "s", where["sparsity"])


def goals(report):
    names = []
    for entry in report["goals"]:
        if entry["goal"] not in names:
            names.append(entry["goal"])
    lines = ["| goal | met in | bound | the worst | where | |", "|---|---|---|---|---|---|"]
    missed = []
    for name in names:
        entries = [e for e in report["goals"] if e["goal"] == name]
        met = sum(e["met"] for e in entries)
        end = worst(name, entries)
        lines.append("| %s | %d of %d | %g | %.3g | %s | %s |" % (
            name, met, len(entries), end["wanted"], end["got"], place(end["where"]),
            "met" if met == len(entries) else "**not met**"))
        missed += ["- %s: %.3g at %s" % (name, e["got"], place(e["where"])) for e in entries if not e["met"]]
    if missed:
        lines += ["", "What misses its goal:", ""] + missed
    return lines + [""]


def tables(report):
    lines = []
    kinds = []
    for row in report["rows"]:
        kind = (row["what"], row.get("unit"), row["dtype"], row["threads"])
        if kind not in kinds:
            kinds.append(kind)
    for kind in kinds:
        what, unit, dtype, threads = kind
        rows = [r for r in report["rows"] if (r["what"], r.get("unit"), r["dtype"], r["threads"]) == kind]
        lines += ["### %s%s, %s, %d thread%s" % (what, ", " + unit if unit else "", dtype, threads,
                                                 "" if threads == 1 else "s"), ""]
        lines += ["| tokens | zeros, % | Ogee, us | LibTorch, us | times as fast | floor, us | over the floor | way |",
                  "|---|---|---|---|---|---|---|---|"]
        for r in sorted(rows, key=lambda r: (r["tokens"], r["sparsity"])):
            floor = ["%.0f" % r["floor_us"], "%.2f" % r["over_floor"]] if "floor_us" in r else ["", ""]
            way = "skips" if r["sparse_path"] else "dense"
            lines.append("| %d | %g | %.0f | %.0f | %.2f | %s | %s | %s |" % (
                r["tokens"], r["sparsity"], r["us"], r["libtorch_us"], r["speedup"], *floor, way))
        lines.append("")
    return lines


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.strip())
    report = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    first = report["rows"][0]
    lines = [
        "# Feed-forward blocks that skip zeros", "",
        "Measured and written by `./dev docs sparse`; `bench_sparse` measures more (all units, more sparsities and "
        "batches, two threads). Blocks of d %d and hidden %d: `ogee::nn::SparseFeedForward`, and its second product "
        "alone, beside LibTorch's dense ones of the same numbers. Ours chooses between skipping and the dense way by "
        "what it estimates from batch, zeros and type (`src/kernels/sparse/cost.cc`); *way* says which it took. The two "
        "take turns; times are the median round's, and each call takes other weights, out of half a gigabyte, as a "
        "network's layers do. In float32 the dense way multiplies by the second matrix as skipping wants it, a row for each "
        "unit, which OpenBLAS does more slowly than with nn::Linear's layout; a bfloat16 block keeps a copy in that one."
        % (first["dim"], first["hidden"]), "",
        "The floor is the bytes of the rows of weights that some token of the batch needs (in a block: the whole first "
        "matrix, and those rows of the others), by the bandwidth of reading measured in the same run: %s. For many "
        "tokens arithmetic costs more than reading, so the goal of 1.3 times the floor is for 2 to 8."
        % ", ".join("%.1f GB/s on %d thread%s" % (b["bytes_per_second"] / 1e9, b["threads"], "" if b["threads"] == 1 else "s")
                    for b in report["bandwidth"]), "",
        "\"No slower\" is within 5 %, by which two measurements of the same thing differ here; \"the same numbers\" is the "
        "largest difference over the largest result.", ""]
    if report["interrupted"]:
        lines += ["**The measurement was interrupted: this is what there was by then.**", ""]
    lines += ["## The machine", "", "| | |", "|---|---|"]
    lines += ["| %s | %s |" % item for item in report["machine"].items()]
    lines += ["", "## The goals", ""] + goals(report) + ["## Everything that was measured", ""] + tables(report)
    pathlib.Path(sys.argv[2]).write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    met = sum(goal["met"] for goal in report["goals"])
    print("%s: %d of %d goals met" % (sys.argv[2], met, len(report["goals"])))


main()

#!/usr/bin/env python3
"""Writes docs/performance.md out of what `ogee bench --goals --json` measured.

Usage: make_performance.py MEASURED.json DOCUMENT.md   (or ./dev docs performance, which measures first)
"""

import json
import pathlib
import sys


def number(value, digits=3):
    return "-" if value is None else "%.*f" % (digits, value)


def ulps(value):
    if value is None:
        return "NaN"
    return "%.1f" % value if value < 10 else "%.0f" % value if value < 1e5 else "%.0e" % value


def elements(count):
    for size, name in ((1 << 20, "M"), (1 << 10, "K")):
        if count % size == 0:
            return "%d%s" % (count // size, name)
    return str(count)


def goals(report):
    lines = ["Ogee itself is wrong: %s" % line + "\n" for line in report["wrong"]]
    lines += ["| goal | what | bound | measured | |", "|---|---|---|---|---|"]
    for goal in report["goals"]:
        name = "**%s**" % goal["goal"]
        for part in goal["parts"]:
            lines.append("| %s | %s | %s | %s | %s |" % (name, part["what"], part["bound"], number(part["figure"], 2),
                                                       "met" if part["met"] else "**not met**"))
            name = ""
    lines += ["", "What lies behind the figures:", ""]
    for goal in report["goals"]:
        lines += ["- %s, %s: %s" % (goal["goal"], part["what"], part["detail"]) for part in goal["parts"]]
    return lines + [""]


def faster(row, *ways):
    """Of a copy by ordinary and one by streaming stores."""
    return min(row[way] for way in ways)


def measurements(report):
    lines = []
    rows = report["measurements"]
    for direction in ("forward", "backward", "training"):
        for count in sorted({r["elements"] for r in rows if r["direction"] == direction}):
            some = [r for r in rows if r["direction"] == direction and r["elements"] == count]
            lines += ["### %s, %s elements" % (direction, elements(count)), "",
                      "| function | Ogee | ULP | copy | y=a+b | ratio | peers (ns, ULP) |",
                      "|---|---|---|---|---|---|---|"]
            for r in sorted(some, key=lambda r: r["function"]):
                peers = ["%s %s (%s)" % (name, number(ns), ulps(r["peers_max_ulp"][name]))
                         for name, ns in sorted(r["peers"].items(), key=lambda item: item[1])]
                peers += ["%s disqualified: %s" % item for item in r["disqualified"].items()]
                lines.append("| %s | %s | %s | %s | %s | %s | %s |" % (
                    r["function"], number(r["ns_per_element"]), "-" if r["max_ulp"] is None else ulps(r["max_ulp"]), number(faster(r, "copy_ns_per_element", "streaming_copy_ns_per_element")),
                    number(faster(r, "three_stream_copy_ns_per_element", "three_stream_streaming_copy_ns_per_element")),
                    number(r["ratio"], 2), "; ".join(peers)))
            lines.append("")
    return lines


def small(report):
    lines = ["| function | direction | through | elements | ns a call | above the arithmetic | LibTorch/Ogee |",
             "|---|---|---|---|---|---|---|"]
    for r in report["small"]:
        lines.append("| %s | %s | %s | %d | %s | %s | %s |" % (
            r["function"], r["direction"], {"spans": "spans", "libtorch": "LibTorch"}[r["through"]], r["elements"],
            number(r["ns_per_call"], 1), number(r["ns_above_arithmetic"], 1), number(r["libtorch_ratio"], 2)))
    return lines + [""]


def machine(report):
    lines = ["| | |", "|---|---|"]
    for key, value in report["machine"].items():
        if key != "peers":
            lines.append("| %s | %s |" % (key, value))
    lines += ["| %s | %s |" % item for item in report["machine"]["peers"].items()]
    return lines + [""]


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.strip())
    report = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    lines = [
        "# Speed", "",
        "Measured and written by `./dev docs performance`; `ogee bench --goals` alone measures and prints the goals. "
        "Nanoseconds an element, float32, one thread, unless it says otherwise. Ours, plain copies and the peers took "
        "turns in one process, on the same arrays (inputs drawn from N(0, 2²), gradients from N(0, 1)); times are each "
        "one's fastest round, ratios the median over rounds of a peer's time over ours, so above 1 ours is faster. Copies "
        "are made by ordinary and by streaming stores: the faster one is shown, and is what ratios to a copy or a floor "
        "are to. A "
        "peer was timed only if it computed the function to 2⁻¹² (relative to 1, or to the value where that is "
        "larger); ULP is the largest error seen, against the exact value, where the first input is not within 1/4 of a "
        "root that the function declares. Memory was touched before it was timed, results of LibTorch's own making included. `composed` is the formula out of LibTorch's operators.", "",
        "## The machine", ""] + machine(report) + ["## The goals", ""] + goals(report)
    again = report.get("at_avx2")
    if again:
        lines += ["## The goals at AVX2, peers restricted likewise", ""] + machine(again) + goals(again)
    lines += ["## Everything that was measured", ""] + measurements(report)
    lines += ["## Small inputs", "",
              "Above the arithmetic: a call's time less its elements' share of what the second thousand elements of a "
              "call cost.", ""] + small(report)
    if again:
        lines += ["## Everything at AVX2", ""] + measurements(again)
    pathlib.Path(sys.argv[2]).write_text("\n".join(lines), encoding="utf-8")
    met = sum(goal["met"] for goal in report["goals"])
    print("%s: %d of %d goals met" % (sys.argv[2], met, len(report["goals"])))


main()

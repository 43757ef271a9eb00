#!/usr/bin/env python3
"""Writes the reference of all functions, as the program itself describes them: functions.md and a curve of each.

Usage: make_reference.py OGEE DIRECTORY   (or ./dev docs)
"""

import json
import pathlib
import subprocess
import sys


def number(value):
    if value is None:
        return "none"
    return value if isinstance(value, str) else "%.4g" % value


def saturation(side):
    if not side["saturates"]:
        return "none"
    return "hard, from %s" % number(side["from"]) if side["hard"] else "soft"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.strip())
    program, out = sys.argv[1], pathlib.Path(sys.argv[2])
    (out / "curves").mkdir(parents=True, exist_ok=True)

    def ogee(*arguments):
        return subprocess.run([program, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout

    lines = ["# The functions", ""]
    functions = json.loads(ogee("list", "--json"))
    family = None
    for f in functions:
        if f["family"] != family:
            family = f["family"]
            lines += ["## " + family, ""]
        lines += ["### %s" % f["name"], "", "`%s`" % f["formula"], ""]
        curve = ["--svg", str(out / "curves" / (f["name"] + ".svg"))] if f["inputs"] == 1 else []
        sheet = json.loads(ogee("show", f["name"], "--json", *curve))
        rows = []
        if f["aliases"]:
            rows.append(("also known as", ", ".join("`%s`" % a for a in f["aliases"])))
        for p in f["parameters"]:
            rows.append(("`%s`" % p["name"], "%s%s" % (number(p["default"]), ", learned" if p["learned"] else "")))
        if f["noise"] != "none":
            rows.append(("noise", f["noise"]))
        p = sheet.get("properties")
        if p:
            rows += [("range", "%s to %s" % tuple(map(number, p["range"]))),
                     ("limits", "%s, %s" % (number(p["limit_left"]), number(p["limit_right"]))),
                     ("monotonic", "yes" if p["monotonic"] else "no"),
                     ("saturation", "left %s; right %s" % (saturation(p["saturation_left"]),
                                                           saturation(p["saturation_right"]))),
                     ("largest slope", number(p["lipschitz"])),
                     ("under N(0,1)", "mean %s, deviation %s" % (number(p["mean"]), number(p["deviation"]))),
                     ("gain", number(p["gain"]))]
        if f["source"]:
            rows.append(("source", f["source"]))
        if rows:
            lines += ["| | |", "|---|---|"] + ["| %s | %s |" % row for row in rows] + [""]
        if curve:
            lines += ["![%s](curves/%s.svg)" % (f["name"], f["name"]), ""]
    (out / "functions.md").write_text("\n".join(lines), encoding="utf-8")
    print("%d functions: %s" % (len(functions), out / "functions.md"))


main()

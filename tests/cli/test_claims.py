#!/usr/bin/env python3
"""ogee claims: every claim runs through in a shrunken form, a killed run goes on, the page is drawn.

Usage: test_claims.py PROGRAM
Claims on data that are not there are skipped, and named; without Chromium (or OGEE_CHROMIUM) the page is only written.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import checks  # noqa: E402
import pairs  # noqa: E402
from checks import check  # noqa: E402

PROGRAM = os.path.abspath(sys.argv[1])
SOURCE = pathlib.Path(__file__).resolve().parents[2]
WORK = pathlib.Path(tempfile.mkdtemp(prefix="ogee_claims_test"))
VERDICTS = {"holds", "holds in part", "does not hold", "cannot tell at this scale"}
# What a shrunken claim may take of each.
MOST = {"seeds": 2, "epochs": 2, "steps": 40, "every": 20, "train_limit": 200, "depth": 3, "width": 16, "units": 8,
        "budget": 100, "tuning": 20}


def ogee(*arguments, status=0, **more):
    done = subprocess.run([PROGRAM, "claims", *arguments], text=True, capture_output=True, timeout=500, cwd=WORK, **more)
    check(done.returncode == status, arguments, done.returncode, done.stdout[-800:], done.stderr[-800:])
    return done


def shrunken(text):
    """The claim with [small] made smaller, whatever its study: numbers lowered where MOST says, lists of rates cut."""
    start = text.index("[small]")
    end = text.index("[paper]")
    small = re.sub(r"\b(%s) = (\d+)" % "|".join(MOST),
                   lambda found: "%s = %d" % (found[1], min(MOST[found[1]], int(found[2]))), text[start:end])
    # One rate, neither the highest nor the lowest.
    small = re.sub(r"\brates = \[([^\]]*)\]",
                   lambda found: "rates = [%s]" % found[1].split(",")[found[1].count(",") // 2 + 1].strip(), small)
    rest = text[end:]
    if re.search(r"^at = \[", small, flags=re.M):  # what is measured at some steps is so at the last at the latest
        last = MOST["steps"]
        small = re.sub(r"^at = \[([^\]]*)\]",
                       lambda found: "at = %s" % sorted({min(int(at), last) for at in found[1].split(",")}), small,
                       flags=re.M)
        rest = re.sub(r"^at = (\d+)", lambda found: "at = %d" % min(int(found[1]), last), rest, flags=re.M)
    return text[:start] + small + rest


def every_claim():
    listed = json.loads(ogee("list", "--json").stdout)
    names = [each["name"] for each in listed]
    files = sorted(path.stem for path in (SOURCE / "claims").glob("*.toml"))
    check(sorted(names) == files, "claims/list.txt and the files", set(names) ^ set(files))
    for name in names:
        stated = tomllib.loads((SOURCE / "claims" / (name + ".toml")).read_text())
        small = WORK / (name + ".toml")
        small.write_text(pairs.instead(shrunken((SOURCE / "claims" / (name + ".toml")).read_text()), WORK / "pairs"))
        start = time.monotonic()
        done = ogee("run", str(small), "--out", "all", "--json", "--quiet")
        if "skipped" in done.stderr:
            print(done.stderr.strip())
            continue
        result = json.loads(done.stdout)[0]
        check(result["complete"] and result["verdict"] in VERDICTS, name, result["verdict"])
        check(result["claim"] == stated["claim"] and result["observations"], name)
        expected = [each for each in stated["expect"] if each.get("preset", "small") == "small"]
        check(len(result["expectations"]) == len(expected), name, len(result["expectations"]), len(expected))
        for each in result["expectations"]:
            # Shrunken numbers decide nothing, but they must be there.
            check("nothing was measured" not in each["figure"], name, each)
        print("%s: %.1f s" % (name, time.monotonic() - start), flush=True)


def killed_and_resumed():
    text = """claim = "c"
source = "s"
study = "slopes"
[small]
scale = "x"
arms = ["sigmoid", "relu"]
depths = [10000]
seeds = 3000
[paper]
scale = "x"
[[expect]]
text = "t"
measure = "zero_share"
arm = "relu"
at = 10000
relation = "close"
than = 0.5
by = 0.01
"""
    (WORK / "long.toml").write_text(text)
    whole = json.loads(ogee("run", "long.toml", "--out", "whole", "--json").stdout)[0]

    def kept():
        files = list((WORK / "parts" / "long").glob("small-*/cells.jsonl"))
        return files[0].read_bytes().count(b"\n") - 1 if files else 0
    killed = before = 0
    for _ in range(3):
        run = subprocess.Popen([PROGRAM, "claims", "run", "long.toml", "--out", "parts", "--quiet"], cwd=WORK,
                               stdout=subprocess.DEVNULL)
        while run.poll() is None and kept() < before + 100:
            time.sleep(0.01)
        killed += run.poll() is None
        run.kill()
        run.wait()
        before = kept()
    check(killed > 0 and 0 < before < 6000, "nothing was cut short", killed, before)
    again = json.loads(ogee("run", "long.toml", "--out", "parts", "--json").stdout)[0]
    check(again["observations"] == whole["observations"], "a killed run came to other numbers")
    check(again["verdict"] == whole["verdict"] == "holds", whole["verdict"])
    print("killed %d times; %d of 6000 cells were kept" % (killed, before))
    # Changed settings are measured anew, and what was there stays.
    (WORK / "long.toml").write_text(text.replace("seeds = 3000", "seeds = 4"))
    changed = json.loads(ogee("run", "long.toml", "--out", "parts", "--json").stdout)[0]
    check(len(changed["observations"]) == 2 * 4 * len(changed["measures"]), len(changed["observations"]))
    check(len(list((WORK / "parts" / "long").glob("small-*"))) == 2, "another folder for other settings")


def the_others_go_on():
    """What was kept of one claim is damaged so that its run ends by an exception of a library."""
    text = (SOURCE / "claims" / "slope_product.toml").read_text()
    for name in ("first", "second"):
        (WORK / (name + ".toml")).write_text(shrunken(text))
    both = ("run", "first.toml", "second.toml", "--out", "damaged", "--json")
    ogee(*both)
    kept, = (WORK / "damaged" / "first").glob("small-*/cells.jsonl")
    kept.write_text(kept.read_text().splitlines()[0] + "\n{}\n{}\n")
    done = ogee(*both, status=1)
    check([each["name"] for each in json.loads(done.stdout)] == ["second"], done.stdout[:300])
    check(done.stderr.startswith("ogee: first: "), done.stderr)
    done = ogee(*both[:2], *both[3:], status=1)
    check(done.stderr.startswith("ogee: first: "), done.stderr)


def mistakes():
    check("did you mean" in ogee("run", "slope_produkt", status=2).stderr, "suggestion")
    check("cannot be read" in ogee("run", "nowhere.toml", status=2).stderr, "missing file")
    (WORK / "bad.toml").write_text("claim = 3\n")
    check("bad.toml:1:9: claim is 3; expected a text in quotes" in ogee("run", "bad.toml", status=2).stderr, "line")
    check("holds no results" in ogee("report", "--out", "nowhere", status=2).stderr, "empty report")


PROBE = """
let waited = 0;
const look = () => {
  if (!performance.getEntriesByName('drawn').length && ++waited < 100) return setTimeout(look, 250);
  const charts = [...document.querySelectorAll('.chart')];
  const drawn = charts.filter(chart => chart.querySelector('svg .mark-symbol path'));
  say({charts: charts.length, drawn: drawn.length, sections: document.querySelectorAll('section').length,
    missing: charts.filter(chart => !drawn.includes(chart)).map(chart => chart.getAttribute('aria-label'))});
};
addEventListener('load', () => setTimeout(look, 500));
"""


def page():
    text = ogee("report", "--out", "all").stdout
    check("slope_product" in text and "page: all/claims.html" in text, text[:500])
    page = (WORK / "all" / "claims.html").read_text()
    check("http://" not in page.replace("http://www.w3.org", "").split("<script")[0], "nothing is fetched")
    if not checks.CHROMIUM:
        print("no Chromium: the page is not looked at")
        return
    results = len(list((WORK / "all").glob("*/small.json")))
    for width, flags in ((1280, ()), (420, ("--force-dark-mode",))):
        said = checks.look(page, PROBE, WORK / "probed.html", *flags, width=width, milliseconds=40000)
        check(not said.get("problems") and not said["console"], said)
        check(said.get("sections") == results, said, results)
        check(said.get("charts", 0) > 0 and said.get("charts") == said.get("drawn"), said)
        check(said.get("wide", 1) <= 0, "wider than the window", said)


mistakes()
killed_and_resumed()
the_others_go_on()
every_claim()
page()
shutil.rmtree(WORK)
print("%d failures" % checks.failures)
sys.exit(checks.failures > 0)

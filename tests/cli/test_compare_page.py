#!/usr/bin/env python3
"""The page of ogee compare in a browser: drawn without errors, in the dark and on a telephone, by keyboard, at 200 arms
x 20 seeds; attributes on a schedule, in results.json and on their chart; and TensorBoard's event files.

Usage: test_compare_page.py PROGRAM
Without Chromium (tests/cli/checks.py) the browser's part is left out, and says so; without Python's tensorboard
the event files are only counted.
"""

import copy
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import checks  # noqa: E402
from checks import check  # noqa: E402

PROGRAM = os.path.abspath(sys.argv[1])
WORK = pathlib.Path(tempfile.mkdtemp(prefix="ogee_page_test"))
DATA = re.compile(r'(<script type="application/json" id="data">)(.*?)(</script>)', re.S)
# Reports on the page once its charts had time to be drawn.
PROBE = """
addEventListener('load', () => setTimeout(() => {
  const charts = [...document.querySelectorAll('.chart')];
  const drawn = charts.filter(chart => chart.querySelector('svg path, svg rect, svg text'));
  charts[0].focus();
  charts[0].dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight'}));
  const spoken = document.getElementById('tip').textContent;
  const sort = document.querySelectorAll('thead th button')[6];
  const first = () => document.querySelector('tbody th').textContent;
  sort.click();
  const cheapest = first();
  sort.click();
  const dearest = first();
  say({charts: charts.length, drawn: drawn.length, spoken, cheapest, dearest,
    empty: drawn.filter(chart => !chart.querySelector('.mark-symbol path, .mark-line path, .mark-rect path')).length,
    milliseconds: Math.round(performance.getEntriesByName('drawn')[0]?.startTime ?? -1)});
}, WAIT));
"""

# Reads a chart's marks by arrow keys.
READ = """
addEventListener('load', () => setTimeout(() => {
  const captions = [...document.querySelectorAll('figcaption')], titles = captions.map(caption => caption.textContent);
  const chart = captions.find(caption => caption.textContent === 'c, on its schedule')?.nextElementSibling;
  const read = [];
  if (chart) {
    chart.focus();
    for (let i = 0; i < MARKS; ++i) {
      chart.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight'}));
      read.push(document.getElementById('tip').textContent);
    }
  }
  say({titles, read});
}, 4000));
"""
SCHEDULE = """
data = { train_limit = 200 }
model = { depth = 2, width = 8 }
training = { epochs = 4, batch = 20, seeds = 2, learning_rate = 3e-3 }
[[arm]]
activation = "relu"
[[arm]]
name = "annealed"
activation = "nan(base=tanh)"
schedule.c = { from = 2, to = 0.5, shape = "linear" }
"""


def compare(*arguments):
    return subprocess.run(
        [PROGRAM, "compare", "--depth", "3", "--width", "16", "--epochs", "8", "--train-limit", "400", "--seeds", "3",
         "--learning-rate", "0.003", "--activations", "relu,elu,swiglu,sigmoid", "--quiet", *arguments],
        text=True, capture_output=True, timeout=300, cwd=WORK)


def probe(page, *flags, width=1280, wait=4000):
    """What the probe says of the page in Chromium."""
    return checks.look(page, PROBE.replace("WAIT", str(wait)), WORK / "probed.html", *flags, width=width,
                       milliseconds=2 * wait)


def check_page(said, what):
    check(not said.get("problems") and not said["console"], what, said)
    check(said.get("charts", 0) >= 11, what, said)
    check(said.get("drawn") == said.get("charts") and said.get("empty") == 0, what, "charts are missing", said)
    check(said.get("wide", 1) <= 0, what, "wider than the window", said)
    check(len(said.get("spoken", "")) > 3, what, "arrow keys read nothing", said)
    check(said.get("cheapest") != said.get("dearest"), what, "a head does not sort", said)


def large(page):
    """The same page for 200 arms of 20 seeds."""
    found = DATA.search(page)
    results = json.loads(found.group(2))
    arms, best = [], results["recommendation"]["lowest"]
    whole = next(arm for arm in results["arms"] if "against_best" in arm)
    random.seed(1)
    for number in range(200):
        arm = copy.deepcopy(whole)
        worse = 1 + random.random()
        arm["activation"] = best if number == 0 else "leaky_relu(slope=%g)" % (number / 1000)
        arm["verdict"] = "lowest" if number == 0 else "no difference seen"
        arm["runs"] = [{"seed": seed, "status": "finished", "test_error": 0.04 * worse * random.uniform(0.8, 1.2)}
                       for seed in range(1, 21)]
        mean = sum(run["test_error"] for run in arm["runs"]) / 20
        arm["test_error"].update(mean=mean, low=0.95 * mean, high=1.05 * mean)
        arm["ms_per_step"] *= worse
        point = arm["curve"][-1]
        arm["curve"] = [{**point, "epoch": epoch} for epoch in range(31)]
        layers = arm["by_layer"]
        for key in ("epochs", "gradients", "histograms"):
            layers[key] = (layers[key] * 12)[:12]
        layers["epochs"] = list(range(12))
        arms.append(arm)
    results["arms"] = arms
    results["recommendation"].update(arm=best)
    text = json.dumps(results, separators=(",", ":")).replace("<", "\\u003c")
    return page[:found.start(2)] + text + page[found.end(2):]


def browser():
    page = (WORK / "ogee-compare" / "report.html").read_text()
    check_page(probe(page), "light")
    check_page(probe(page, "--force-dark-mode", "--blink-settings=preferredColorScheme=0"), "dark")
    check_page(probe(page, width=500), "narrow")
    many = large(page)
    check(len(many) < 6_000_000, "200 arms make a page of", len(many), "bytes")
    said = probe(many, wait=15000)
    check_page(said, "200 arms x 20 seeds")
    check(0 < said.get("milliseconds", -1) < 15000, "200 arms x 20 seeds", said)
    print("200 arms x 20 seeds: %.1f MB, drawn within %d ms" % (len(many) / 1e6, said.get("milliseconds", -1)))


def scheduled():
    """Over 40 steps from 2 to 0.5: at the end of each epoch of 10, what its last step had."""
    (WORK / "scheduled.toml").write_text(SCHEDULE)
    finished = subprocess.run([PROGRAM, "compare", "scheduled.toml", "--out", "scheduled", "--quiet"], text=True,
                              capture_output=True, timeout=300, cwd=WORK)
    check(finished.returncode == 0, finished.stdout, finished.stderr)
    arms = {arm["activation"]: arm for arm in json.loads((WORK / "scheduled" / "results.json").read_text())["arms"]}
    check(sorted(arms) == ["annealed", "relu"], sorted(arms))
    wanted = [2] + [2 - 1.5 * step / 39 for step in (9, 19, 29, 39)]
    for run in arms["annealed"]["runs"]:
        found = [point["scheduled"]["c"] for point in run["points"]]
        check(len(found) == 5 and all(abs(a - b) < 1e-9 for a, b in zip(found, wanted)), "on a schedule", found, wanted)
    check(not any("scheduled" in point for run in arms["relu"]["runs"] for point in run["points"]), "relu has none")
    if not checks.CHROMIUM:
        return
    page = (WORK / "scheduled" / "report.html").read_text()
    said = checks.look(page, READ.replace("MARKS", "5"), WORK / "probed.html")
    check(not said.get("problems") and not said["console"], "a schedule", said)
    check(said.get("titles", []).count("c, on its schedule") == 1, "a schedule", said)
    check(said.get("read") == ["annealed\nepoch %d: %s" % (i, format(c, ".3g")) for i, c in enumerate(wanted)],
          "a schedule's chart", said)
    said = checks.look((WORK / "ogee-compare" / "report.html").read_text(), READ.replace("MARKS", "5"),
                       WORK / "probed.html")
    check(not [title for title in said.get("titles", []) if "schedule" in title], "no schedule, no chart", said)


def event_files():
    files = sorted(WORK.glob("events/*/*/events.out.tfevents.*"))
    check(len(files) == 12, files)
    check((WORK / "events" / "relu" / "seed 3").is_dir(), files)
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    except ImportError:
        print("left out what needs Python's tensorboard")
        return
    events = EventAccumulator(str(WORK / "events" / "relu" / "seed 1"))
    events.Reload()
    check(len(events.Scalars("error/validation")) == 9, events.Tags())
    results = json.loads((WORK / "ogee-compare" / "results.json").read_text())
    error = results["arms"][0]["runs"][0]["test_error"]
    check(abs(events.Scalars("error/test")[0].value - error) < 1e-6, events.Scalars("error/test"), error)
    shares = events.Histograms("into activation/layer 01")[-1].histogram_value
    check(abs(sum(shares.bucket) - 1) < 0.05, shares)


done = compare("--tensorboard", "events")
check(done.returncode == 0, done.stdout, done.stderr)
check(all(len(line) <= 120 for line in done.stdout.splitlines()), done.stdout)
event_files()
done = compare("--tensorboard", "events")
check(len(list(WORK.glob("events/*/*/events.out.tfevents.*"))) == 12, "again: old files stay beside the new ones")
done = compare("--tensorboard", "ogee-compare/results.db/x")
check(done.returncode == 2 and "results.db" in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr)
scheduled()
if checks.CHROMIUM:
    browser()
else:
    print("left out what needs Chromium")
if not checks.failures:
    shutil.rmtree(WORK)
print("%d failures" % checks.failures)
sys.exit(1 if checks.failures else 0)

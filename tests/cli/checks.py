"""What tests of the program share: checks after which they go on, and pages looked at in headless Chromium.

OGEE_CHROMIUM is the path of one that is not found by its name.
"""

import html
import json
import os
import re
import shutil
import subprocess

CHROMIUM = os.environ.get("OGEE_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
SAY = """<script>
const problems = [];
addEventListener('error', event => problems.push(event.message));
const say = seen => document.body.replaceChildren(document.createTextNode('SAID' + JSON.stringify(
    {problems, wide: document.documentElement.scrollWidth - innerWidth, ...seen}) + 'END'));
%s
</script>"""
failures = 0


def check(condition, *what):
    global failures
    if not condition:
        failures += 1
        print("FAILED:", *what, flush=True)


def look(page, script, file, *flags, width=1280, milliseconds=8000):
    """What `script` says of the page in Chromium: the object it gives to `say`, with `problems`, the errors of the
    page's own scripts; `wide`, by how much it is wider than the window; and `console`, what Chromium logged. `file` is
    where the page is put for it."""
    file.write_text(page.replace("<main", SAY % script + "<main", 1))
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom",
         "--virtual-time-budget=%d" % milliseconds, "--window-size=%d,6000" % width, *flags, file.as_uri()],
        text=True, capture_output=True, timeout=120, check=False)
    found = re.search("SAID(.*?)END", done.stdout, re.S)
    check(found, "nothing came of the page", done.stdout[-500:], done.stderr[-500:])
    said = json.loads(html.unescape(found[1])) if found else {}
    said["console"] = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return said

#!/usr/bin/env python3
"""Plants wrong includes in a small tree and expects tools/check_layers.py to find exactly those."""

import importlib.util
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
spec = importlib.util.spec_from_file_location("check_layers", ROOT / "tools/check_layers.py")
check_layers = importlib.util.module_from_spec(spec)
spec.loader.exec_module(check_layers)

# path, text, and the includes in it that are wrong
FILES = [
    ("include/ogee/spec.h", "#include <vector>\n", []),
    ("include/ogee/ogee.h", '#include "ogee/spec.h"\n#include "kernels/row.h"\n', ["kernels/row.h"]),
    ("include/ogee/torch.h", "#include <torch/torch.h>\n#include \"ogee/ogee.h\"\n", []),
    ("src/functions/a.inc", '#include "lanes/dual-inl.h"\n', ["lanes/dual-inl.h"]),
    ("src/lanes/dual-inl.h", '#include "functions/a.inc"\n#include "lanes/simd-inl.h"\n', []),
    ("src/kernels/row.h", '#  include "ogee/spec.h"\n', []),
    ("src/kernels/driver.cc", '#include "row.h"\n#include "../torch/ops.h"\n', ["../torch/ops.h"]),
    ("src/kernels/dispatch.cc.in", '#include "registry/names.h"\n', ["registry/names.h"]),
    ("src/registry/names.cc", '#include "ogee/torch.h"\n', ["ogee/torch.h"]),
    ("src/torch/ops.h", '#include "kernels/row.h"\n', []),
    ("src/data/csv.cc", '#include "models/mlp.h"\n#include "torch/ops.h"\n', ["models/mlp.h"]),
    ("src/models/mlp.h", '// #include "cli/main.h"\n', []),
    ("src/lab/run.cc", '#include "landscape/flow.h"\n#include "tasks/a.h"\n', ["landscape/flow.h"]),
    ("src/landscape/flow.h", "", []),
    ("src/tasks/a.h", '#include "ogee/lab.h"\n', ["ogee/lab.h"]),
    ("src/cli/main.h", '#include "lab/store.h"\n', []),
]

failed = False
with tempfile.TemporaryDirectory() as directory:
    root = pathlib.Path(directory).resolve()
    for path, text, _ in FILES:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    faults = check_layers.check(root)
    expected = {(path, wrong) for path, _, wrongs in FILES for wrong in wrongs}
    found = {(f.split(":")[0], f.split(" may not include ")[1].split(" (")[0]) for f in faults}
    for path, include in sorted(expected - found):
        failed = True
        print("not found: %s including %s" % (path, include))
    for path, include in sorted(found - expected):
        failed = True
        print("wrongly reported: %s including %s" % (path, include))
print("failed" if failed else "%d planted includes found, nothing else" % len(expected))
sys.exit(failed)

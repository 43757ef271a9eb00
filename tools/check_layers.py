#!/usr/bin/env python3
"""Checks that the layers of src/ include only what lies below them.

Every #include "..." under src/ and include/ must point to the same layer or an earlier one:

    functions -> lanes -> kernels -> registry -> accuracy -> torch -> monitor, data, models -> tasks -> lab, landscape -> claims -> cli

Layers named together do not include one another, but for models, which may use data: a network is built for the shape
of a data set. The public headers belong to a layer too: spec.h and ogee.h may be
used by all; torch.h belongs to torch, monitor.h and monitor_record.h to monitor, lab.h to lab.

Prints one line for each include that points the wrong way; exit status 1 if there was one.
"""

import argparse
import pathlib
import re
import sys

ORDER = [["functions"], ["lanes"], ["kernels"], ["registry"], ["accuracy"], ["torch"], ["monitor", "data", "models"], ["tasks"],
         ["lab", "landscape"], ["claims"], ["cli"]]
LEVEL = {layer: level for level, layers in enumerate(ORDER) for layer in layers}
# (layer, what it may use beside it)
BESIDE = {("models", "data")}
# A public header's layer; None is below all.
PUBLIC = {"spec.h": None, "ogee.h": None, "sparse.h": None, "libtorch.h": "torch", "torch.h": "torch",
          "torch_sparse.h": "torch", "torch_overlap.h": "torch", "torch_recurrent.h": "torch", "torch_memory.h": "torch",
          "torch_attention.h": "torch",
          "monitor.h": "monitor", "monitor_record.h": "monitor", "lab.h": "lab"}
INCLUDE = re.compile(r'^\s*#\s*include\s*["<]([^">]+)[">]', re.M)
SUFFIXES = {".h", ".cc", ".inc", ".in", ".cu", ".cuh"}


def layer_of(path):
    """The layer of a path such as src/lanes/dual-inl.h, include/ogee/torch.h or lanes/dual-inl.h as an include names
    it; None where it belongs to all, False where it is no file of ours."""
    parts = pathlib.PurePosixPath(path).parts
    if parts[0] in ("src", "include"):
        parts = parts[1:]
    if parts[0] == "ogee":
        return PUBLIC.get(parts[1], False) if len(parts) == 2 else False
    return parts[0] if parts[0] in LEVEL and len(parts) > 1 else False


def allowed(source, target):
    if target in (None, source) or (source, target) in BESIDE:
        return True
    return source is not None and LEVEL[target] < LEVEL[source]


def check(root):
    faults = []
    unknown = set()
    for folder in ("src", "include"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in SUFFIXES:
                continue
            name = path.relative_to(root).as_posix()
            source = layer_of(name)
            if source is False:
                if name not in unknown:
                    faults.append("%s: belongs to no layer; name it in tools/check_layers.py" % name)
                unknown.add(name)
                continue
            text = path.read_text(encoding="utf-8")
            for match in INCLUDE.finditer(text):
                target_name = match.group(1)
                target = layer_of(target_name)
                if target is False:
                    # An include relative to the file itself, as in "row.h".
                    if not (path.parent / target_name).is_file():
                        continue
                    target = layer_of((path.parent / target_name).resolve().relative_to(root).as_posix())
                if not allowed(source, target):
                    line = text.count("\n", 0, match.start(1)) + 1
                    faults.append("%s:%d: %s may not include %s (%s)"
                                  % (name, line, source or "a header for all", target_name, target))
    return faults


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", nargs="?", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    root = parser.parse_args().root.resolve()
    faults = check(root)
    for fault in faults:
        print(fault)
    if not faults:
        print("the layers' order holds")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

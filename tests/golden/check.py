#!/usr/bin/env python3
"""Runs a script of golden values, `check.py SCRIPT ARGUMENTS...`, where the modules that it computes with are there;
exit status 77, and the reason, where they are not."""

import runpy
import sys

try:
    import mpmath  # noqa: F401
except ImportError:
    print("skipped: Python's mpmath is missing (Debian: python3-mpmath)")
    sys.exit(77)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")

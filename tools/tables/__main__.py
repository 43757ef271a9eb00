"""Writes functions as 32 polynomials each, for processors that look up 32 floats in registers.

The tables that families share are src/lanes/tables.h, a family's own ones src/kernels/quick/FAMILY_tables.h. Here a
file of a family's name lists its tables; gal.py, grids.py and warped.py are the kinds there are.
Usage, with mpmath and numpy:
  /usr/bin/python3 tools/tables shared > src/lanes/tables.h
  /usr/bin/python3 tools/tables smooth > src/kernels/quick/smooth_tables.h
"""
import importlib
import sys

from writing import CLOSING, OPENING

FAMILIES = ("shared", "exponential", "smooth", "learned", "noisy", "eights")

if len(sys.argv) != 2 or sys.argv[1] not in FAMILIES:
    sys.exit("usage: tools/tables " + "|".join(FAMILIES))
print(OPENING)
for one in importlib.import_module(sys.argv[1]).TABLES:
    one.write()
print(CLOSING)

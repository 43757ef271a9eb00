#!/usr/bin/env bash
# example_compare.sh PROGRAM: a short run of examples/compare.cc; every arm is there, the answer and the report too.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$1" optdigits 2 2 "$scratch/out" | tee "$scratch/said"
for arm in relu 'leaky_relu(slope=0.1)' gelu prelu swiglu; do
  grep -qF "$arm " "$scratch/said" || { echo "FAILED: no arm $arm"; exit 1; }
done
grep -q '^Use ' "$scratch/said" || { echo "FAILED: no recommendation"; exit 1; }
[[ -s $scratch/out/report.html ]] || { echo "FAILED: no report"; exit 1; }
if "$1" no-such.csv 1 1 "$scratch/none" 2>"$scratch/error"; then echo "FAILED: took no data"; exit 1; fi
[[ $(wc -l <"$scratch/error") == 1 ]] || { echo "FAILED: not one line of error"; cat "$scratch/error"; exit 1; }

#!/usr/bin/env bash
# remember.sh PROGRAM: examples/remember.cc learns its task with each kind of cell; bad input is one line of error.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for kind in plain nan nah; do
  "$1" "$kind" 200 | tee "$scratch/said"
  right=$(sed -n "s/^$kind: \([0-9]*\)\..* right\$/\1/p" "$scratch/said")
  # Guessing gives 17 %, and a step of Adam may have gone astray just at the end.
  [[ -n $right && $right -ge 60 ]] || { echo "FAILED: $kind learned too little"; exit 1; }
done
for arguments in "noisy" "nan 0"; do
  # shellcheck disable=SC2086  # several words
  if "$1" $arguments 2>"$scratch/error"; then echo "FAILED: took '$arguments'"; exit 1; fi
  [[ $(wc -l <"$scratch/error") == 1 ]] || { echo "FAILED: not one line of error"; cat "$scratch/error"; exit 1; }
done
# What docs/recurrent.md quotes of it is there.
here=$(dirname "$0")
# shellcheck disable=SC2016  # backquotes of Markdown
sed -n '/^```cpp$/,/^```$/p' "$here/../../docs/recurrent.md" | grep -v '^```' >"$scratch/quoted"
[[ -s $scratch/quoted ]] || { echo "FAILED: docs/recurrent.md quotes nothing"; exit 1; }
while IFS= read -r line; do
  grep -Fxq -- "$line" "$here/../../examples/remember.cc" || { echo "FAILED: not in the example: $line"; exit 1; }
done <"$scratch/quoted"

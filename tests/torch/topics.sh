#!/usr/bin/env bash
# topics.sh PROGRAM: examples/topics.cc finds topics that were planted, with each overlap; bad input is one line of error.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# Items of three topics of six keywords each: every item has five of its topic's.
for item in $(seq 0 89); do
  topic=$((item % 3))
  line="item $item"
  for k in 0 1 2 3 4 5; do [[ $k == $(((item / 3) % 6)) ]] || line+=", t$topic-$k"; done
  echo "$line"
done >"$scratch/planted.csv"
for overlap in ruzicka tanimoto l1_tanimoto; do
  "$1" "$scratch/planted.csv" 3 200 $overlap | tee "$scratch/said"
  grep -q '^90 items, 18 keywords, loss ' "$scratch/said" || { echo "FAILED: $overlap: no summary"; exit 1; }
  for topic in 0 1 2; do
    # A line with five of its six before any other's.
    grep -E "^(t$topic-[0-5] \| ){5}" "$scratch/said" >/dev/null || { echo "FAILED: $overlap: no topic $topic"; exit 1; }
  done
done
printf '\n' >"$scratch/empty.csv"
for arguments in "" "$scratch/none.csv" "$scratch/empty.csv" "$scratch/planted.csv 0" "$scratch/planted.csv 3 1 dice"; do
  # shellcheck disable=SC2086  # several words each
  if "$1" $arguments 2>"$scratch/error"; then echo "FAILED: took '$arguments'"; exit 1; fi
  [[ $(wc -l <"$scratch/error") == 1 ]] || { echo "FAILED: not one line of error"; cat "$scratch/error"; exit 1; }
done

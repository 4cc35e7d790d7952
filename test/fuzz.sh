#!/usr/bin/env bash
# Runs each fuzz target for FUZZTIME (default 30s), one after the other.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${GO:=go}" "${FUZZTIME:=30s}"

grep -rl --include='*_test.go' '^func Fuzz' core bind | xargs -n1 dirname | sort -u | while read -r dir; do
	grep -ho '^func Fuzz[A-Za-z0-9]*' "$dir"/*_test.go | cut -d' ' -f2 | while read -r target; do
		echo "=== $dir $target"
		"$GO" test -run '^$' -fuzz "^$target\$" -fuzztime "$FUZZTIME" -fuzzminimizetime 3x "./$dir"
	done
done

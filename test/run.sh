#!/usr/bin/env bash
# Runs every part of the test suite, makes what each needs, and counts.
#   test/run.sh            all parts
#   test/run.sh go python  these
# A part whose tools are missing fails and says how to get them; the others run.
set -uo pipefail
cd "$(dirname "$0")/.."
. test/need.sh

: "${GO:=go}" "${PYTHON:=python3}" "${MAKE:=make}"
export GO PYTHON

part_lint() {
	need_go && need_python && "$MAKE" --no-print-directory lint
}

part_go() {
	need_go && need_cc && "$GO" test -race -shuffle=on ./... &&
		"$GO" test -shuffle=on ./core/internal/disco/zeroconf &&
		"$GO" test -run TwoNodesFindEachOther ./core # with grandcat/zeroconf, which has races of its own
}

part_capi() {
	need_go && need_cc && "$MAKE" --no-print-directory capi-test
}

part_python() {
	need_go && need_cc && need_python && "$MAKE" --no-print-directory python-test
}

part_jvm() {
	need_go && need_cc && need_jdk && "$MAKE" --no-print-directory jvm-test
}

part_readme() {
	need_go && need_cc && need_python && need_jdk && "$MAKE" --no-print-directory readme-test
}

part_protocol() {
	need_go && need_python && "$MAKE" --no-print-directory protocol-test
}

part_interop() {
	need_go && need_cc && need_python && need_netns && "$MAKE" --no-print-directory interop-test
}

parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(lint go protocol capi python jvm readme interop)

passed=() failed=()
for part in "${parts[@]}"; do
	declare -F "part_$part" >/dev/null || { echo "no part $part" >&2; exit 2; }
	printf '\n=== %s\n' "$part"
	started=$SECONDS
	if "part_$part"; then passed+=("$part"); verdict=passed; else failed+=("$part"); verdict=FAILED; fi
	printf '=== %s %s after %d s\n' "$part" "$verdict" $((SECONDS - started))
done

printf '\nparts passed: %s\n' "${passed[*]:-none}"
[ ${#failed[@]} -eq 0 ] || printf 'parts FAILED: %s\n' "${failed[*]}"
printf 'parts: %d passed, %d failed\n' ${#passed[@]} ${#failed[@]}
[ ${#failed[@]} -eq 0 ]

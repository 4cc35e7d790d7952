#!/usr/bin/env bash
# Phone1 and Phone2 as two processes that find each other by mDNS. Prints 42.
# PEERLINK_INTERFACES says on which interfaces; empty means the whole network.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${GO:=go}"

command -v "$GO" >/dev/null || { echo "demo: Go 1.26 or later is needed; see go.dev/dl" >&2; exit 1; }
mkdir -p build/demo
echo "building Phone1 and Phone2 ..."
"$GO" build -o build/demo/ ./examples/go/phone1 ./examples/go/phone2

build/demo/phone1 &
phone1=$!
trap 'kill "$phone1" 2>/dev/null; wait "$phone1" 2>/dev/null || true' EXIT

echo "Phone2 asks Phone1 for 25 + 17:"
sum=$(build/demo/phone2)
echo "$sum"
[ "$sum" = 42 ]

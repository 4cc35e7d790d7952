#!/usr/bin/env bash
# Runs "gomobile bind FLAGS" on bind/mobile, with the gomobile and gobind of go.mod.
# Usage: gomobile-bind.sh FLAGS. Relative paths in FLAGS are not possible.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
go=${GO:-go}
pkg=github.com/peerlink/peerlink/bind/mobile
bin=$root/_build/bin
cd "$root"
GOBIN=$bin "$go" install golang.org/x/mobile/cmd/gomobile golang.org/x/mobile/cmd/gobind

# gobind leaves out what it cannot translate, and does not fail.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$bin/gobind" -lang=java,objc -outdir="$scratch/gen" ./bind/mobile
if grep -rn '// skipped' "$scratch/gen"; then
	echo "gomobile-bind: gobind left out the above" >&2
	exit 1
fi

# gomobile lists all modules, and module proxies do not have the version of exp/shiny
# that x/mobile asks for. A replacement in our own go.mod would keep others from
# "go install" of it, so the binding is made from a module of its own.
cd "$scratch"
cat >go.mod <<EOF
module mobilebind
go $(cd "$root" && "$go" list -m -f '{{.GoVersion}}')
require github.com/peerlink/peerlink v0.0.0
replace github.com/peerlink/peerlink => $root
replace golang.org/x/exp/shiny => golang.org/x/exp/shiny v0.0.0-20230817173708-d852ddb80c63
tool golang.org/x/mobile/cmd/gobind
EOF
printf 'package mobilebind\n\nimport _ "%s"\n' "$pkg" >bind.go
cp "$root/go.sum" .
mobile=$(cd "$root" && "$go" list -m -f '{{.Version}}' golang.org/x/mobile)
"$go" get "golang.org/x/mobile@$mobile"
"$go" mod tidy
PATH="$bin:$PATH" "$bin/gomobile" bind "$@" "$pkg"

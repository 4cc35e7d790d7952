#!/usr/bin/env bash
# Builds Peerlink.xcframework with gomobile. Needs a Mac with Xcode, and Go.
# TARGETS and OUT change what is built and where to.
set -euo pipefail

command -v xcrun >/dev/null || {
	echo "build-xcframework: needs a Mac with Xcode" >&2
	exit 1
}
here=$(cd "$(dirname "$0")" && pwd)
"$here/../bind/mobile/gomobile-bind.sh" \
	-target="${TARGETS:-ios,iossimulator}" -iosversion 15.0 -trimpath -ldflags='-s -w' \
	-o "${OUT:-$here/Peerlink.xcframework}"

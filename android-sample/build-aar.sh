#!/usr/bin/env bash
# Builds app/libs/peerlink.aar with gomobile. Needs Go, a JDK 17, the Android SDK
# (ANDROID_HOME) and its NDK r28 or later (ANDROID_NDK_HOME, or ANDROID_HOME/ndk).
# TARGETS and OUT change what is built and where to.
set -euo pipefail

: "${ANDROID_HOME:?set ANDROID_HOME to the Android SDK}"
here=$(cd "$(dirname "$0")" && pwd)
out=${OUT:-$here/app/libs/peerlink.aar}
mkdir -p "$(dirname "$out")"

# 16 KB pages, which Google Play requires, and a SONAME, which gomobile does not set.
"$here/../bind/mobile/gomobile-bind.sh" \
	-target="${TARGETS:-android/arm64,android/arm,android/amd64}" -androidapi 24 -trimpath \
	-ldflags='-s -w -extldflags=-Wl,-z,max-page-size=16384,-soname,libgojni.so' \
	-o "$out"

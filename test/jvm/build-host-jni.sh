#!/usr/bin/env bash
# Builds what gobind makes of bind/mobile, Java and JNI and Go, for the JVM of this
# machine. Usage: build-host-jni.sh OUT, in the root of the repository.
#
#   OUT/gen/java          the Java classes, as sources
#   OUT/lib/libgojni.so   what they call
#   OUT/gopeer            a PeerLink node in Go, for the tests
#
# Needs go, a C compiler and a JDK. gobind's output is for Android only; the
# differences are an <android/log.h>, the file names' _android, and the file
# that keeps the application's Context.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
go=${GO:-go}
java_home=${JAVA_HOME:-$(dirname "$(dirname "$(readlink -f "$(command -v javac)")")")}
mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$root"

rm -rf "$out/gen"
mkdir -p "$out/gen" "$out/lib"
"$go" tool gobind -lang=go,java -outdir="$out/gen" ./bind/mobile
"$go" tool gobind -lang=objc -outdir="$out/gen/objc" ./bind/mobile
if grep -rn '// skipped' "$out/gen"; then
	echo "build-host-jni: gobind left out the above" >&2
	exit 1
fi

# Inside the module, so that go.mod resolves its imports; go's ./... passes over
# directories that begin with "_".
src=$root/_build/gobind-host
rm -rf "$src"
mkdir -p "$src"
for f in "$out"/gen/src/gobind/*; do
	name=$(basename "$f")
	case $name in *_android.c | *_android.go) name=${name/_android./_hostjvm.} ;; esac
	cp "$f" "$src/$name"
done
sed -i '/^\/\/#cgo LDFLAGS: -llog/d' "$src/seq_hostjvm.go"
cp "$here/shim/context.c" "$src/context_hostjvm.c"

# AttachCurrentThread takes JNIEnv** on Android and void** in the JDK.
export CGO_ENABLED=1
export CGO_CFLAGS="-O2 -g -Wno-incompatible-pointer-types -D__GOBIND_ANDROID__ -I$here/shim -I$java_home/include -I$java_home/include/linux"
"$go" build -buildmode=c-shared -trimpath -o "$out/lib/libgojni.so" ./_build/gobind-host
"$go" build -trimpath -o "$out/gopeer" ./test/jvm/gopeer

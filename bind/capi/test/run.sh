#!/usr/bin/env bash
# Builds and runs the tests of the C library, and counts. `make capi-test` calls it.
# It needs build/libpeerlink.so and build/libpeerlink.a, gcc with its sanitizers, g++, nm.
set -uo pipefail
cd "$(dirname "$0")/../../.."
: "${GO:=go}" "${CC:=gcc}" "${CXX:=g++}" "${BUILD:=build}"
src=bind/capi/test out=$BUILD/capi-test
mkdir -p "$out"
passed=0 failed=0

# The run is one case, or as many as its closing line says.
check() {
	local name=$1 log=$out/log status=0
	shift
	printf -- '--- %s\n' "$name"
	timeout 300 "$@" >"$log" 2>&1 || status=$?
	if [[ $(tail -n 1 "$log") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
		passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
		grep -v '^ok  ' "$log"
		[ $status -eq 0 ] || [ "${BASH_REMATCH[2]}" -gt 0 ] || { echo "exit status $status"; failed=$((failed + 1)); }
	elif [ $status -eq 0 ]; then
		passed=$((passed + 1))
	else
		cat "$log"
		echo "exit status $status"
		failed=$((failed + 1))
	fi
}

warn=(-Wall -Wextra -Wpedantic -Werror)
so=(-L"$BUILD" -lpeerlink -Wl,-rpath,"$PWD/$BUILD" -lpthread)
a=("$BUILD/libpeerlink.a" -lpthread -lresolv)

# The queue alone.
queue=(-std=gnu11 "${warn[@]}" -g "$src/test_queue.c" bind/capi/plq.c -lpthread)
check "build queue" "$CC" -O2 -o "$out/queue" "${queue[@]}"
check "queue" "$out/queue"
check "build queue, asan" "$CC" -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -o "$out/queue-asan" "${queue[@]}"
check "queue, asan and ubsan" "$out/queue-asan"
check "build queue, tsan" "$CC" -O1 -fsanitize=thread -o "$out/queue-tsan" "${queue[@]}"
check "queue, tsan" "$out/queue-tsan"

# The header by itself, in every dialect it promises.
for std in c99 c11; do check "header in $std" "$CC" -std=$std "${warn[@]}" -fsyntax-only -x c "$BUILD/peerlink.h"; done
for std in c++11 c++17 c++20; do check "header in $std" "$CXX" -std=$std "${warn[@]}" -Wno-pragma-once-outside-header -fsyntax-only -x c++ "$BUILD/peerlink.h"; done

# The library, shared and static.
for kind in so a; do
	declare -n link=$kind
	for t in node fork; do
		check "build $t, .$kind" "$CC" -std=c99 "${warn[@]}" -O1 -g -I"$BUILD" -o "$out/$t-$kind" "$src/test_$t.c" "${link[@]}"
		check "$t, .$kind" "$out/$t-$kind"
	done
	check "build cpp, .$kind" "$CXX" -std=c++17 -fno-exceptions -fno-rtti "${warn[@]}" -O1 -I"$BUILD" -o "$out/cpp-$kind" "$src/test_cpp.cpp" "${link[@]}"
	check "cpp, .$kind" "$out/cpp-$kind"
done

# The library under sanitizers: the C code, and what Go does with C memory.
check "build library, asan" env CGO_ENABLED=1 "$GO" build -asan -buildmode=c-archive -o "$out/asan.a" ./bind/capi
check "build node, asan" "$CC" -std=c99 -O1 -g -fsanitize=address -I"$BUILD" -o "$out/node-asan" "$src/test_node.c" "$out/asan.a" -lpthread -lresolv
check "node, asan" "$out/node-asan"
check "build library, race" env CGO_ENABLED=1 "$GO" build -race -buildmode=c-archive -o "$out/race.a" ./bind/capi
check "build node, race" "$CC" -no-pie -std=c99 -O1 -g -I"$BUILD" -o "$out/node-race" "$src/test_node.c" "$out/race.a" -lpthread -lresolv
check "node, go race detector" "$out/node-race"

# What is visible, and that the name is right.
only_pl() { ! nm -D --defined-only "$BUILD/libpeerlink.so" | awk '{print $3}' | grep -v '^pl_'; }
all_pl() { diff <(grep -o 'pl_[a-z_]*(' "$BUILD/peerlink.h" | tr -d '(' | sort -u | grep -vx pl_event_caller) \
	<(nm -D --defined-only "$BUILD/libpeerlink.so" | awk '{print $3}' | sort -u); }
soname() { objdump -p "$BUILD/libpeerlink.so" | grep -q 'SONAME *libpeerlink.so.0$'; }
export BUILD
export -f only_pl all_pl soname
check "only pl_* is exported" bash -c only_pl
check "all of the header is exported" bash -c all_pl
check "soname" bash -c soname

# The examples: two processes that find each other.
quick_start() {
	PEERLINK_INTERFACES=lo "$out/$1-phone1" &
	local phone1=$! answer
	answer=$(PEERLINK_INTERFACES=lo timeout 20 "$out/$1-phone2")
	kill $phone1
	wait $phone1 2>/dev/null
	echo "$answer"
	[ "$answer" = 42 ]
}
export out
export -f quick_start
for p in phone1 phone2; do
	check "build examples/c/$p" "$CC" -std=c99 "${warn[@]}" -I"$BUILD" -o "$out/c-$p" "examples/c/$p.c" "${so[@]}"
	check "build examples/cpp/$p" "$CXX" -std=c++17 "${warn[@]}" -I"$BUILD" -o "$out/cpp-$p" "examples/cpp/$p.cpp" "${so[@]}"
done
check "examples/c" bash -c 'quick_start c'
check "examples/cpp" bash -c 'quick_start cpp'

printf '%d passed, %d failed\n' $passed $failed
[ $failed -eq 0 ]

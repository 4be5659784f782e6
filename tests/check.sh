#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# `./run check`: every suite, one after the other; the last line sums them up.
#
# Each suite leaves its results in build/check: NAME.xml (pytest), NAME.json (meson's test log) or
# NAME.tsv (a line "passed|failed|skipped TAB test TAB why" each). tests/tally.py adds them up.

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.." || exit 1
results=$PWD/build/check
python=/usr/bin/python3
PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE

# note SUITE passed|failed|skipped TEST [WHY]
note() {
	printf '%s\t%s\t%s\n' "$2" "$3" "${4:-}" >>"$results/$1.tsv"
}

stage() {
	printf '%s  %s\n' "$(date +%H:%M:%S)" "$*"
}

# build FOLDER OPTION...: the build itself is a test.
build() {
	folder=$1
	shift
	stage "build $folder"
	if { [ -e "$folder/build.ninja" ] || meson setup "$folder" "$@"; } >"$results/$folder.log" 2>&1 &&
		ninja -C "$folder" >>"$results/$folder.log" 2>&1; then
		note build passed "$folder"
		return 0
	fi
	tail -n 30 "$results/$folder.log"
	note build failed "$folder" "see $results/$folder.log"
	return 1
}

# unit SUITE FOLDER SLOWER OPTION...: cmocka speaks TAP, so that single tests are counted.
unit() {
	suite=$1 folder=$2 slower=$3
	shift 3
	stage "$suite"
	rm -f "$folder/meson-logs/testlog"*
	CMOCKA_MESSAGE_OUTPUT=tap meson test -C "$folder" --no-rebuild --num-processes 2 \
		--timeout-multiplier "$slower" "$@" >"$results/$suite.log" 2>&1
	for log in "$folder"/meson-logs/testlog*.json; do
		[ -e "$log" ] && cp "$log" "$results/$suite.json" && return 0
	done
	note "$suite" failed "meson test" "left no log: $results/$suite.log"
}

# e2e SUITE OPTION...: pytest, on this machine's kernel.
e2e() {
	suite=$1
	shift
	stage "$suite"
	$python -m pytest -p no:cacheprovider -q --junitxml "$results/$suite.xml" "$@" \
		>"$results/$suite.log" 2>&1
	ended=$?
	# 5: nothing was selected, which is an error of ours.
	if [ ! -e "$results/$suite.xml" ] || [ $ended -eq 5 ]; then
		note "$suite" failed pytest "status $ended: $results/$suite.log"
	fi
}

# e2e_guest: the same tests on Debian's stock kernel, which has dm-crypt; those that depend on it.
e2e_guest() {
	stage e2e-guest
	mkdir -p "$results/guest"
	tests/vm/guest.sh --memory 3072 --timeout 3000 --share "$results/guest" \
		--env PYTHONDONTWRITEBYTECODE=1 --env "COFFER=$COFFER" --env COFFER_EXPECT_BACKEND=dm-crypt \
		--env "COFFER_CRASH_SHARE=$guest_crash_share" --env COFFER_SELECT=guest \
		$python -m pytest -p no:cacheprovider -q -m 'not slow' \
		--junitxml /run/coffer-test/share/e2e-guest.xml tests/e2e >"$results/e2e-guest.log" 2>&1
	ended=$?
	if [ -e "$results/guest/e2e-guest.xml" ]; then
		mv "$results/guest/e2e-guest.xml" "$results/e2e-guest.xml"
	else
		note e2e-guest failed guest "status $ended: $results/e2e-guest.log"
	fi
}

# The guests keep one core busy for minutes, so they run beside the other suites.
guests() {
	e2e_guest
	e2e reboot tests/vm
}

# Many tests wait more than they work. An option of pytest-xdist.
side_by_side=-n3
COFFER=$PWD/build/src/cli/coffer
# How much of the crash loops runs: every n-th point. A guest is slower by an order of magnitude.
quick=no
usual_share=6
[ "${1:-}" = --quick ] && quick=yes usual_share=12
COFFER_CRASH_SHARE=${COFFER_CRASH_SHARE:-$usual_share}
guest_crash_share=$((COFFER_CRASH_SHARE * 2))
export COFFER COFFER_CRASH_SHARE

# What a run starts beside itself.
case ${1:-} in
--guests)
	guests
	exit 0
	;;
--quick-unit)
	unit unit build 2 --no-suite argon2 --no-suite slow
	exit 0
	;;
esac

rm -rf "$results"
mkdir -p "$results"

stage style
$python tests/lint/style.py --results "$results/style.tsv" >"$results/style.log" 2>&1 ||
	cat "$results/style.log"
e2e style-checks tests/lint

beside=''
if build build -Dfaults=true; then
	if [ $quick = yes ]; then
		setsid sh "$here/check.sh" --quick-unit &
		beside=$!
		trap 'kill -- -$beside; exit 130' INT
		trap 'kill -- -$beside; exit 143' TERM
		(COFFER_SELECT=quick && export COFFER_SELECT &&
			e2e e2e-loop "$side_by_side" -m 'not slow' tests/e2e)
		wait "$beside"
		beside=''
	else
		unit unit build 2
		# A session of its own, so that Ctrl-C here can end all of it.
		setsid sh "$here/check.sh" --guests &
		beside=$!
		trap 'kill -- -$beside; exit 130' INT
		trap 'kill -- -$beside; exit 143' TERM
		# The guests take longest, so all else gives way to them.
		renice -n 10 -p $$ >/dev/null
		# Those take minutes each there; the leak checker of the next build sees them.
		unit unit-valgrind build 20 --no-suite argon2 --no-suite slow --wrapper \
			'valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,indirect'
		e2e e2e-loop "$side_by_side" tests/e2e
	fi
fi
if [ $quick = no ]; then
	# As `./run demo` and `./run install` build it: an optimiser of its own has warnings of its own.
	build build-optimised --buildtype=release -Dtests=false
	asan_options='-Db_sanitize=address,undefined -Db_lundef=false'
	# shellcheck disable=SC2086
	if build build-asan -Dfaults=true $asan_options; then
		unit unit-asan build-asan 4
		# The crash loops have run at these points already; here they look for leaks on the way.
		(COFFER=$PWD/build-asan/src/cli/coffer && COFFER_CRASH_SHARE=$((COFFER_CRASH_SHARE * 2)) &&
			e2e e2e-asan "$side_by_side" -m 'not slow' tests/e2e)
	fi
	# shellcheck disable=SC2086
	(export CC=clang && build build-fuzz -Dfuzz=true -Dtests=false \
		-Dc_args=-fsanitize=fuzzer-no-link $asan_options && stage fuzz &&
		sh "$here/fuzz/fuzz.sh" build-fuzz "$results" "${COFFER_FUZZ_SECONDS:-20}")
fi
if [ -n "$beside" ]; then
	stage "waiting for the guests"
	wait "$beside"
fi

stage "results in $results"
exec $python tests/tally.py "$results"

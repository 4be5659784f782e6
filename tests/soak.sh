#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# `./run soak [MINUTES]`: all end-to-end tests with every point of their crash, fault and full-disk
# loops, again and again until the time is over, then all of them in a guest, where dm-crypt is, and
# all power cuts, and long fuzzing. Every round that was run is counted.

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.." || exit 1
minutes=${1:-30}
results=$PWD/build/soak
python=/usr/bin/python3
rm -rf "$results"
mkdir -p "$results"

COFFER=$PWD/build/src/cli/coffer
COFFER_CRASH_SHARE=1
PYTHONDONTWRITEBYTECODE=1
export COFFER COFFER_CRASH_SHARE PYTHONDONTWRITEBYTECODE

end=$(($(date +%s) + minutes * 60))
pass=0
while :; do
	pass=$((pass + 1))
	$python -m pytest -p no:cacheprovider -q -n 3 --junitxml "$results/pass$pass.xml" \
		tests/e2e >"$results/pass$pass.log" 2>&1
	printf '%s  pass %s: %s\n' "$(date +%H:%M:%S)" "$pass" "$(tail -n 1 "$results/pass$pass.log")"
	[ "$(date +%s)" -lt "$end" ] || break
done
printf '%s  all of it in a guest\n' "$(date +%H:%M:%S)"
mkdir -p "$results/guest"
tests/vm/guest.sh --memory 3072 --timeout 36000 --share "$results/guest" \
	--env PYTHONDONTWRITEBYTECODE=1 --env "COFFER=$COFFER" --env COFFER_EXPECT_BACKEND=dm-crypt \
	--env COFFER_CRASH_SHARE=4 $python -m pytest -p no:cacheprovider -q \
	--junitxml /run/coffer-test/share/guest.xml tests/e2e >"$results/guest.log" 2>&1
mv "$results/guest/guest.xml" "$results/guest.xml"
printf '%s  power cuts in a guest\n' "$(date +%H:%M:%S)"
$python -m pytest -p no:cacheprovider -q --junitxml "$results/power.xml" \
	-k power tests/vm >"$results/power.log" 2>&1
printf '%s  fuzzing\n' "$(date +%H:%M:%S)"
CC=clang meson setup build-fuzz -Dfuzz=true -Dtests=false -Dc_args=-fsanitize=fuzzer-no-link \
	-Db_sanitize=address,undefined -Db_lundef=false >"$results/build-fuzz.log" 2>&1
ninja -C build-fuzz >>"$results/build-fuzz.log" 2>&1
# As long for each target as asked for all end-to-end tests, at most ten minutes: hours in all.
sh tests/fuzz/fuzz.sh build-fuzz "$results" $((minutes < 10 ? minutes * 60 : 600))

exec $python tests/tally.py --rounds "$results"

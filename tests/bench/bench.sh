#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# `./run bench`: every benchmark, one after the other, as tables; the figures as JSON in
# BUILD/bench/*.json.
#
# usage: bench.sh BUILD [unlock|crypttab|engine|sector|reencrypt]...

set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$1
shift
results=$build/bench
mkdir -p "$results"
python=/usr/bin/python3
[ $# -gt 0 ] || set -- sector unlock crypttab engine reencrypt

printf '%s, %s cores, %s\n' "$(uname -sr)" "$(nproc)" \
	"$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
load=$(cut -d ' ' -f 1 /proc/loadavg)
printf 'load before: %s (figures of a busy machine say little)\n' "$load"
for bench; do
	printf '\n%s\n' "$bench"
	case $bench in
	sector)
		"$build/tests/bench/bench_sector" 4096 | tee "$results/sector.json"
		"$build/tests/bench/bench_sector" 512 | tee "$results/sector-512.json"
		;;
	unlock) $python "$here/bench_unlock.py" "$build/src/cli/coffer" --json "$results/unlock.json" ;;
	crypttab)
		$python "$here/bench_crypttab.py" "$build/src/cli/coffer" \
			--json "$results/crypttab.json"
		;;
	engine) $python "$here/bench_engine.py" "$build/tests/bench/bench_carrier" \
		--json "$results/engine.json" ;;
	reencrypt)
		$python "$here/bench_reencrypt.py" "$build/src/cli/coffer" \
			--json "$results/reencrypt.json"
		;;
	*)
		printf 'bench: no such benchmark: %s\n' "$bench" >&2
		exit 2
		;;
	esac
done
printf '\nfigures in %s\n' "$results"

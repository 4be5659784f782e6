#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# fuzz.sh BUILD RESULTS SECONDS [TARGET]: every fuzz target of a build folder (or one) for so long,
# two at a time, from the corpus in the tree. What it finds and its logs go to RESULTS, where
# fuzz.tsv gets a line for each target.

here=$(cd "$(dirname "$0")" && pwd)
build=$1 results=$2 seconds=$3

run_target() {
	name=${1##*/}
	# What it finds goes to the first folder: the corpus in the tree stays as it is.
	found=$(mktemp -d)
	cp "$here/corpus/${name#fuzz-}"/* "$found" 2>/dev/null
	if "$1" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
		-artifact_prefix="$results/$name-" "$found" >"$results/$name.log" 2>&1; then
		printf 'passed\t%s\t\n' "$name" >>"$results/fuzz.tsv"
	else
		printf 'failed\t%s\tsee %s\n' "$name" "$results/$name.log" >>"$results/fuzz.tsv"
	fi
	rm -rf "$found"
}

if [ $# -eq 4 ]; then
	run_target "$4"
	exit 0
fi
find "$build/tests/fuzz" -maxdepth 1 -type f -name 'fuzz-*' -perm -u+x -print0 | sort -z |
	xargs -0 -P 2 -n 1 sh "$0" "$build" "$results" "$seconds"

#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The main job on real input: a vault, two disks, one passphrase. Run it with `./run demo`.
#
# Everything is made below one temporary folder and taken down at the end, also after Ctrl-C.

set -eu
top=$(cd "$(dirname "$0")/.." && pwd)

# Device-mapper, or FUSE with loop devices: one of them has to work here.
can_run_here() {
	[ -c /dev/loop-control ] && losetup --find >/dev/null 2>&1 || return 1
	[ -c /dev/fuse ] && return 0
	[ -c /dev/mapper/control ] && dmsetup version >/dev/null 2>&1
}

if [ "${1:-}" = --can-run-here ]; then
	can_run_here
	exit
fi
program=$(realpath "$1")
source=${2:-/usr/share/doc}

if ! can_run_here; then
	if [ -n "${COFFER_DEMO_GUEST:-}" ]; then
		echo "demo: there are no loop devices, even in the guest" >&2
		exit 9
	fi
	echo "This machine has no loop devices with dm-crypt or FUSE (a plain container has not):"
	echo "the demo runs in a qemu guest with Debian's own kernel instead. That takes a minute more."
	exec "$top/tests/vm/guest.sh" --memory 3072 --env COFFER_DEMO_GUEST=1 \
		sh "$top/demo/demo.sh" "$program" "$source"
fi

place=$(mktemp -d "${TMPDIR:-/tmp}/coffer-demo.XXXXXX")
vault=$place/vault
loops=''
opened=no

coffer() {
	"$program" --vault "$vault" --root "$place/root" "$@"
}

# Takes down whatever stands, from the top to the bottom; never stops half-way.
clean_up() {
	trap - EXIT INT TERM HUP
	set +e
	for mount in "$place"/mnt*; do
		mountpoint -q "$mount" && umount "$mount"
	done
	[ $opened = no ] || coffer disk close --all --force >/dev/null 2>&1
	coffer lock >/dev/null 2>&1
	for loop in $loops; do
		losetup --detach "$loop" 2>/dev/null
	done
	rm -rf "$place"
}
trap clean_up EXIT
trap 'clean_up; echo "demo: interrupted, and cleaned up"; exit 130' INT
trap 'clean_up; exit 143' TERM HUP

step=0
say() {
	step=$((step + 1))
	printf '\n%d. %s\n' "$step" "$*"
}

# Shows a command as a person would type it, then runs it.
show() {
	printf '   $ %s\n' "$*"
	"$@" 2>&1 | sed 's/^/     /'
}

# The same for coffer, whose options that only the demo needs are not shown.
show_coffer() {
	printf '   $ coffer %s\n' "$*"
	coffer "$@" >"$place/out" 2>&1 && status=0 || status=$?
	sed 's/^/     /' "$place/out"
	[ "$status" -eq 0 ] || { echo "demo: coffer $1 ended with status $status" >&2 && exit 1; }
}

# plain_of DEVICE: the block device with the plaintext.
plain_of() {
	coffer disk open "$1" --json | sed -n 's/.*"device" *: *"\([^"]*\)".*/\1/p' | head -n 1 |
		sed 's,\\/,/,g'
}

# Room for the tree's blocks, with as much again to spare.
size_mib=$(($(du -sm "$source" | cut -f 1) * 2 + 128))
mkdir -p "$place/root/etc" "$place/mnt1" "$place/mnt2"
echo 'one passphrase in mind' >"$place/passphrase"
chmod 600 "$place/passphrase"

echo "Coffer's main job: one vault, one passphrase, disks that stay readable to nobody else."
echo "All of it happens in $place and on two loop devices, and goes away at the end."

say "Two empty disks, $size_mib MiB each, on sparse files"
for number in 1 2; do
	truncate -s "${size_mib}M" "$place/disk$number-$$"
	loop=$(losetup --find --show "$place/disk$number-$$")
	loops="$loops $loop"
	printf '   $ losetup --find --show %s\n     %s\n' "$place/disk$number-$$" "$loop"
done
# shellcheck disable=SC2086
set -- $loops
first=$1 second=$2

say "A vault: one passphrase opens it, and so does a recovery key to keep in a safe"
show_coffer init --passphrase-file "$place/passphrase" --recovery-out "$place/recovery"

say "Unlock it once: the commands that follow ask for nothing"
show_coffer unlock --passphrase-file "$place/passphrase"

say "Encrypt both disks: a key each, kept in the vault before anything is written"
opened=yes
show_coffer disk format "$first" "$second" --yes-destroy "$first" --yes-destroy "$second"

say "ext4 on them, and a real tree: $source"
plain1=$(plain_of "$first")
plain2=$(plain_of "$second")
show mkfs.ext4 -q -T small "$plain1"
show mkfs.ext4 -q -T small "$plain2"
show mount "$plain1" "$place/mnt1"
show mount "$plain2" "$place/mnt2"
show cp -a "$source/." "$place/mnt1"
show cp -a "$source/." "$place/mnt2"
# A text that can be looked for on the raw disks afterwards.
text="known text of the demo $(od -An -N8 -tx8 /dev/urandom | tr -d ' ')"
for number in 1 2; do
	for _ in 1 2 3 4; do
		echo "$text"
	done >"$place/mnt$number/known-text"
done

say "How things are"
show_coffer status
show_coffer disk list

say "Lock and close everything"
show umount "$place/mnt1"
show umount "$place/mnt2"
show_coffer disk close --all
show_coffer lock

say "The text that was written to both is nowhere on the raw disks"
for number in 1 2; do
	printf '   $ grep -c "%s" %s\n' "$text" "$place/disk$number-$$"
	if grep -qaF "$text" "$place/disk$number-$$"; then
		echo "demo: the text is on the raw disk" >&2
		exit 1
	fi
	echo "     0"
done

say "One passphrase brings everything back"
show_coffer unlock --passphrase-file "$place/passphrase"
show_coffer disk open --all
show mount -o ro "$(plain_of "$first")" "$place/mnt1"
show mount -o ro "$(plain_of "$second")" "$place/mnt2"

say "Every file is what it was"
for number in 1 2; do
	printf '   $ diff -r --no-dereference %s %s\n' "$source" "$place/mnt$number"
	diff -r --no-dereference -x known-text -x lost+found "$source" "$place/mnt$number" || {
		echo "demo: the tree is not what it was" >&2
		exit 1
	}
	printf '     %s files are equal\n' "$(find "$place/mnt$number" -type f | wc -l)"
done

say "The headers are plain LUKS2: cryptsetup reads them"
printf '   $ cryptsetup luksDump %s\n' "$first"
cryptsetup luksDump "$first" | grep -E '^(Version|UUID|Label)|cipher:|sector:|Cipher key' |
	sed 's/^/     /'

printf '\nThat was all. Cleaning up: disks closed, loop devices detached, %s removed.\n' "$place"

#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs a command in a guest with Debian's stock kernel, which has device-mapper.
#
# The guest's root is this machine's own, read-only, with an overlay in memory: what is installed
# and built here runs there, and nothing that is written there gets out, except below the folder
# given with --share, which is /run/coffer-test/share inside.
#
# usage: guest.sh [--memory MIB] [--timeout SECONDS] [--disk FILE,SERIAL[,ro]]... [--share DIR]
#                 [--visible DIR]... [--env NAME=VALUE]... [--may-die] COMMAND [ARGUMENT...]
#
# Standard output carries the command's standard output and error; the exit status is the
# command's, or 124 when the time was over, 125 when the guest itself failed. With --may-die the
# guest may restart itself (a power cut that the command asked for): then the status is 0.

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/vm/parts.sh
. "$here/parts.sh"

memory=2048 timeout=600 share='' may_die=no
disks='' disk_number=0
session=$(mktemp -d) || exit 125
trap 'rm -rf "$session"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
printf '%s\n%s\n' "$here" "$PWD" >"$session/visible"

# quote TEXT: as one word for a shell.
quote() {
	printf "'"
	printf '%s' "$1" | sed "s/'/'\\\\''/g"
	printf "'"
}

add_disk() {
	file=${1%%,*} rest=${1#*,}
	serial=${rest%%,*} read_only=off
	[ "$rest" = "$serial" ] || read_only=on
	disks="$disks -drive file=$file,if=none,id=disk$disk_number,format=raw,cache=unsafe,discard=unmap"
	disks="$disks,read-only=$read_only -device virtio-blk-pci,drive=disk$disk_number,serial=$serial"
	disk_number=$((disk_number + 1))
}

: >"$session/environment"
while [ $# -gt 0 ]; do
	case $1 in
	--memory) memory=$2 && shift 2 ;;
	--timeout) timeout=$2 && shift 2 ;;
	--disk) add_disk "$2" && shift 2 ;;
	--share) share=$2 && shift 2 ;;
	--visible) printf '%s\n' "$2" >>"$session/visible" && shift 2 ;;
	--env)
		printf 'export %s=%s\n' "${2%%=*}" "$(quote "${2#*=}")" >>"$session/environment"
		shift 2
		;;
	--may-die) may_die=yes && shift ;;
	--) shift && break ;;
	-*) vm_die "no such option: $1" ;;
	*) break ;;
	esac
done
[ $# -gt 0 ] || vm_die "no command to run"

vm_kernel
vm_initramfs "$here/guest-init.sh" virtio_pci 9pnet_virtio 9p overlay

printf '%s\n' "$VM_CACHE/kernel/lib/modules" >"$session/modules"
cp "$here/guest-session.sh" "$session/session"
{
	printf 'cd %s || exit 125\n' "$(quote "$PWD")"
	cat "$session/environment"
	[ -z "$share" ] || printf 'export COFFER_TEST_SHARE=/run/coffer-test/share\n'
	printf 'exec'
	for word; do
		printf ' %s' "$(quote "$word")"
	done
	printf '\n'
} >"$session/command"

share_options=''
if [ -n "$share" ]; then
	# A second share: the session's own folder is private to the rig.
	mkdir -p "$session/share"
	share_options="-virtfs local,path=$share,mount_tag=results,security_model=none,multidevs=remap"
	# The session script mounts it before the command runs.
	sed -i '1a mount -t 9p -o trans=virtio,version=9p2000.L,msize=1048576,cache=none results /run/coffer-test/share' \
		"$session/session"
fi

# One processor: two take twice the time of the machine's, since an emulated one waits by turning.
# qemu's stdin is nothing: the guest asks nobody. $disks and $share_options are lists of words.
# shellcheck disable=SC2086
timeout -k 5 "$timeout" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 1 \
	-display none -nodefaults -no-reboot -net none -m "$memory" \
	-kernel "$VM_KERNEL" -initrd "$VM_INITRAMFS" \
	-append "console=ttyS0 quiet loglevel=3 panic=-1 sysrq_always_enabled" \
	-serial "file:$session/console" -serial stdio \
	-virtfs "local,path=/,mount_tag=rootfs,security_model=none,readonly=on,multidevs=remap" \
	-virtfs "local,path=$session,mount_tag=share,security_model=none,multidevs=remap" \
	$share_options $disks </dev/null &
qemu=$!
trap 'kill $qemu 2>/dev/null; exit 130' INT
trap 'kill $qemu 2>/dev/null; exit 143' TERM
wait $qemu
ended=$?

[ -s "$session/status" ] && exit "$(cat "$session/status")"
if [ $ended -eq 124 ]; then
	vm_say "the guest was stopped after $timeout s"
	exit 124
fi
[ $may_die = yes ] && [ $ended -eq 0 ] && exit 0
vm_say "the guest ended before the command did; its console's last lines:"
tail -n 20 "$session/console" >&2
exit 125

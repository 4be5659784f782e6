# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
# First process of the 9p guest once its root is in place: modules, udev, the command, power off.

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
HOME=/root
LANG=C.UTF-8
export PATH HOME LANG

hostname coffer-guest
ip link set lo up 2>/dev/null
modprobe -q -a dm_mod dm_crypt loop fuse virtio_blk ext4 xfs vfat md_mod raid1 dm_mirror \
	dm_snapshot nls_ascii nls_cp437

# An array is there when a test makes one: udev would assemble every disk that has the signature.
mkdir -p /run/udev/rules.d
ln -s /dev/null /run/udev/rules.d/64-md-raid-assembly.rules
/lib/systemd/systemd-udevd --daemon 2>/dev/null
udevadm trigger --action=add --subsystem-match=block --subsystem-match=misc
udevadm settle --timeout=60

# Through a pipe, so that programs do not take the serial line for a terminal.
stty -F /dev/ttyS1 raw -echo
{
	setsid sh /run/coffer-test/command </dev/null 2>&1
	echo $? >/run/coffer-test/status
} | cat >/dev/ttyS1
sync
busybox poweroff -f

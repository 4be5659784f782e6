#!/bin/busybox sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Init of the Debian guest's initramfs: the first disk is the root.

bb=/bin/busybox
$bb mount -t proc proc /proc
$bb mount -t sysfs sysfs /sys
$bb mount -t devtmpfs devtmpfs /dev
for module in /modules/*; do
	$bb insmod "$module"
done
$bb mkdir -p /root
$bb mount -t ext4 /dev/vda /root
$bb umount /proc /sys /dev
exec $bb switch_root /root /lib/systemd/systemd

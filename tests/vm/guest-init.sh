#!/bin/busybox sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Init of the 9p guest: the machine's own root, read-only, below an overlay in memory.

bb=/bin/busybox
$bb mount -t proc proc /proc
$bb mount -t sysfs sysfs /sys
$bb mount -t devtmpfs devtmpfs /dev
for module in /modules/*; do
	$bb insmod "$module"
done

options=trans=virtio,version=9p2000.L,msize=1048576
$bb mkdir -p /lower /upper /root /share
$bb mount -t 9p -o "$options,cache=loose,ro" rootfs /lower
$bb mount -t tmpfs -o mode=755 tmpfs /upper
$bb mkdir -p /upper/data /upper/work
$bb mount -t overlay -o lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work overlay /root
$bb mount -t 9p -o "$options,cache=none" share /share

for folder in proc sys dev run tmp; do
	$bb mkdir -p "/root/$folder"
done
$bb mount -t proc proc /root/proc
$bb mount -t sysfs sysfs /root/sys
$bb mount -t devtmpfs devtmpfs /root/dev
$bb mount -t tmpfs -o mode=755 tmpfs /root/run
$bb mount -t tmpfs -o mode=1777 tmpfs /root/tmp
$bb mkdir -p /root/dev/pts /root/dev/shm /root/run/lock /root/run/coffer-test
$bb mount -t devpts devpts /root/dev/pts
$bb mount -t tmpfs tmpfs /root/dev/shm
$bb mount --bind /share /root/run/coffer-test

# What the command needs from below /tmp or /run of the machine is bound in where it was.
while read -r path; do
	case $path in
	/tmp/* | /run/*)
		$bb mkdir -p "/root$path"
		$bb mount --bind "/lower$path" "/root$path"
		;;
	esac
done </share/visible

read -r modules </share/modules
$bb mkdir -p /root/lib/modules
$bb mount --bind "/lower$modules" /root/lib/modules

$bb umount /proc /sys
exec $bb switch_root /root /bin/sh /run/coffer-test/session </dev/null

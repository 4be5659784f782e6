#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Makes the parts of a guest that is a whole Debian with systemd as its first process.
#
# usage: image.sh BUILD FOLDER     (BUILD is a build folder; its program is installed in the image)
# leaves in FOLDER: image (raw ext4), initramfs, kernel

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/vm/parts.sh
. "$here/parts.sh"

build=$1 folder=$2
vm_kernel
vm_locked vm_make_debian
vm_initramfs "$here/boot-init.sh" virtio_pci virtio_blk ext4

tree=$folder/tree
rm -rf "$tree"
mkdir -p "$folder" || vm_die "cannot make $folder"
cp -a "$VM_CACHE/debian" "$tree" || vm_die "cannot copy the Debian tree"
vm_copy_modules "$tree" virtio_pci virtio_blk ext4 9p 9pnet_virtio dm_mod dm_crypt loop fuse xts \
	virtio_rng
DESTDIR=$tree meson install -C "$build" --no-rebuild --quiet >"$folder/install.log" 2>&1 ||
	vm_die "meson install: $(tail -n 3 "$folder/install.log")"

cp "$here/boot-session.sh" "$tree/usr/local/sbin/session"
chmod 755 "$tree/usr/local/sbin/session"
cp "$here/session.service" "$tree/etc/systemd/system/session.service"
mkdir -p "$tree/etc/systemd/system/multi-user.target.wants"
ln -sf ../session.service "$tree/etc/systemd/system/multi-user.target.wants/session.service"
echo coffer-guest >"$tree/etc/hostname"
echo uninitialized >"$tree/etc/machine-id"
printf '/dev/vda / ext4 defaults 0 1\n' >"$tree/etc/fstab"
for unit in apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer \
	systemd-networkd.service systemd-timesyncd.service e2scrub_reap.service getty@tty1.service; do
	ln -sf /dev/null "$tree/etc/systemd/system/$unit"
done

rm -f "$folder/image"
mke2fs -q -t ext4 -d "$tree" "$folder/image" 1200M >"$folder/mke2fs.log" 2>&1 ||
	vm_die "mke2fs: $(tail -n 3 "$folder/mke2fs.log")"
rm -rf "$tree"
ln -sf "$VM_KERNEL" "$folder/kernel"
ln -sf "$VM_INITRAMFS" "$folder/initramfs"

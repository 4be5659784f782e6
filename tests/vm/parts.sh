# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh disable=SC2034
# The parts that guests are made of, kept in a cache folder between runs. Sourced by the rigs.
#
# Debian's stock kernel is unpacked, not installed: installing it would rewrite the initramfs of
# the machine that runs the tests.

VM_CACHE=${COFFER_TEST_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/coffer-tests}
VM_KERNEL_WANTED=${COFFER_TEST_KERNEL:-}

vm_say() {
	printf 'vm: %s\n' "$*" >&2
}

vm_die() {
	vm_say "$@"
	exit 125
}

# Runs a function with the cache folder locked: two rigs may start at once.
vm_locked() {
	mkdir -p "$VM_CACHE" || vm_die "cannot make $VM_CACHE"
	(
		flock 9
		"$@"
	) 9>"$VM_CACHE/lock" || exit 125
}

# The package name of the kernel that Debian's linux-image-amd64 stands for today.
vm_kernel_package() {
	apt-cache depends linux-image-amd64 2>/dev/null |
		sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1
}

vm_fetch_kernel() {
	[ -e "$VM_CACHE/kernel/ready" ] && return 0
	package=${VM_KERNEL_WANTED:-$(vm_kernel_package)}
	[ -n "$package" ] || vm_die "apt knows no linux-image-amd64: run apt-get update"
	vm_say "fetching $package"
	rm -rf "$VM_CACHE/kernel" "$VM_CACHE/download"
	mkdir -p "$VM_CACHE/kernel" "$VM_CACHE/download"
	(cd "$VM_CACHE/download" && apt-get -q download "$package" >apt.log 2>&1) ||
		vm_die "apt-get download $package: $(tail -n 1 "$VM_CACHE/download/apt.log")"
	dpkg -x "$VM_CACHE"/download/*.deb "$VM_CACHE/kernel" || vm_die "cannot unpack $package"
	rm -rf "$VM_CACHE/download"
	release=$(ls "$VM_CACHE/kernel/lib/modules")
	depmod -b "$VM_CACHE/kernel" "$release" || vm_die "depmod failed for $release"
	printf '%s\n' "$release" >"$VM_CACHE/kernel/release"
	: >"$VM_CACHE/kernel/ready"
}

# vm_module_files MODULE...: their files with what they need, in the order to load them.
vm_module_files() {
	for module; do
		modprobe -d "$VM_CACHE/kernel" -S "$VM_RELEASE" --show-depends "$module" || exit 125
	done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++'
}

# vm_make_initramfs OUT INIT MODULE...: busybox, the modules and an init script.
vm_make_initramfs() {
	[ -e "$1" ] && return 0
	out=$1 init=$2
	shift 2
	tree=$(mktemp -d)
	mkdir -p "$tree/bin" "$tree/modules" "$tree/proc" "$tree/sys" "$tree/dev"
	cp "$(command -v busybox)" "$tree/bin/busybox"
	cp "$init" "$tree/init"
	chmod 755 "$tree/init"
	number=100
	for file in $(vm_module_files "$@"); do
		cp "$file" "$tree/modules/$number-${file##*/}"
		number=$((number + 1))
	done
	(cd "$tree" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$out.new" &&
		mv "$out.new" "$out"
	made=$?
	rm -rf "$tree"
	[ $made -eq 0 ] || vm_die "cannot make $out"
}

# vm_initramfs INIT MODULE...: sets VM_INITRAMFS; its name is of what it is made of.
vm_initramfs() {
	VM_INITRAMFS=$VM_CACHE/initramfs-$({ cat "$1" && echo "$VM_RELEASE" "$@"; } | md5sum | cut -c 1-12)
	vm_locked vm_make_initramfs "$VM_INITRAMFS" "$@"
}

# Sets VM_KERNEL and VM_RELEASE.
vm_kernel() {
	vm_locked vm_fetch_kernel
	VM_RELEASE=$(cat "$VM_CACHE/kernel/release")
	VM_KERNEL=$VM_CACHE/kernel/boot/vmlinuz-$VM_RELEASE
}


# Debian packages of the guest that boots systemd: what the program links to, and what tests use.
VM_DEBIAN_PACKAGES=systemd-sysv,udev,kmod,cryptsetup-bin,dmsetup,e2fsprogs,fuse3,util-linux,mount,\
procps,libcryptsetup12,libssl3,libsqlite3-0,libblkid1,libmount1,libsmartcols1,libudev1,libsystemd0,\
libfuse3-3,libjson-c5,libinih1,libsgutils2-1.46-2

# The machine's own Debian sources, so that the guest comes from where its packages come from.
# shellcheck disable=SC2016
vm_sources() {
	apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)' \
		'Identifier: Packages' | sort -u | sed -n 's/^\(deb .* bookworm.*\) Debian$/\1/p'
}

vm_make_debian() {
	[ -e "$VM_CACHE/debian.packages" ] &&
		[ "$(cat "$VM_CACHE/debian.packages")" = "$VM_DEBIAN_PACKAGES" ] && return 0
	vm_say "making a Debian tree for guests"
	rm -rf "$VM_CACHE/debian" "$VM_CACHE/debian.packages"
	vm_sources | mmdebstrap --quiet --mode=root --variant=minbase \
		--include="$VM_DEBIAN_PACKAGES" bookworm "$VM_CACHE/debian" - \
		>"$VM_CACHE/debian.log" 2>&1 || vm_die "mmdebstrap: $(tail -n 3 "$VM_CACHE/debian.log")"
	rm -rf "$VM_CACHE"/debian/var/cache/apt/* "$VM_CACHE"/debian/var/lib/apt/lists/* \
		"$VM_CACHE"/debian/usr/share/doc/* "$VM_CACHE"/debian/usr/share/locale/*
	printf '%s\n' "$VM_DEBIAN_PACKAGES" >"$VM_CACHE/debian.packages"
}

# vm_copy_modules TREE MODULE...: the modules named, with what they need, and the indexes.
vm_copy_modules() {
	tree=$1
	shift
	for file in $(vm_module_files "$@") "$VM_CACHE"/kernel/lib/modules/"$VM_RELEASE"/modules.*; do
		target=$tree/usr/${file#"$VM_CACHE/kernel/"}
		mkdir -p "${target%/*}"
		cp "$file" "$target"
	done
}

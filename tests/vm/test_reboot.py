# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reboots of a whole Debian: systemd opens the disks from crypttab, with the vault's keys."""

import os

TREE = "/usr/share/perl5"

SET_UP = f"""set -e
umask 077
echo 'one passphrase in mind' >/root/passphrase
coffer init --passphrase-file /root/passphrase --recovery-out /root/recovery
coffer unlock --passphrase-file /root/passphrase
for number in 1 2; do
	disk=/dev/disk/by-id/virtio-COFTEST$number
	coffer disk format $disk --yes-destroy $disk --json
	mkfs.ext4 -q /dev/mapper/enc-virtio-COFTEST$number
	mkdir -p /srv/data$number
	echo "/dev/mapper/enc-virtio-COFTEST$number /srv/data$number ext4 nofail 0 2" >>/etc/fstab
	mount /dev/mapper/enc-virtio-COFTEST$number /srv/data$number
	cp -a {TREE} /srv/data$number/tree
	echo "a text that must not be on the raw disk" >/srv/data$number/text
done
echo "--- crypttab"
cat /etc/crypttab
coffer disk list
sync
"""

# The disks must be held back while the vault is locked, and come without another word after it.
UNLOCK = f"""set -e
systemctl --no-pager --failed
! mountpoint -q /srv/data1
! mountpoint -q /srv/data2
coffer status || :
coffer unlock --passphrase-file /root/passphrase
for number in 1 2; do
	for _ in $(seq 60); do
		mountpoint -q /srv/data$number && break
		sleep 1
	done
	mountpoint /srv/data$number
	diff -r {TREE} /srv/data$number/tree
done
systemctl is-active systemd-cryptsetup@enc\\\\x2dvirtio\\\\x2dCOFTEST1.service
dmsetup table enc-virtio-COFTEST1 | grep crypt
coffer disk list
mkdir -m 700 /root/keys
coffer key relocate enc-virtio-COFTEST2 --to /root/keys
"""

# A disk whose key is in a file opens without the vault; the other one waits for it.
KEY_FILE = """
for _ in $(seq 60); do
	mountpoint -q /srv/data2 && break
	sleep 1
done
mountpoint /srv/data2 || exit 1
"""

WRONG_THEN_RIGHT = """
echo wrong >/root/wrong
coffer unlock --passphrase-file /root/wrong
[ $? -eq 4 ] || exit 1
! mountpoint -q /srv/data1 || exit 1
coffer unlock --passphrase-file /root/recovery || exit 1
for _ in $(seq 60); do
	mountpoint -q /srv/data1 && exit 0
	sleep 1
done
exit 1
"""


def test_disks_are_back_after_a_reboot_and_one_passphrase(machine):
    disks = [machine.add_disk(f"COFTEST{number}", 160) for number in (1, 2)]
    status, told = machine.boot(SET_UP)
    assert status == 0, told
    assert all(b"a text that must not be" not in disk.read_bytes() for disk in disks)
    status, told = machine.boot(UNLOCK)
    assert status == 0, told
    status, told = machine.boot(KEY_FILE + WRONG_THEN_RIGHT)
    assert status == 0, told


POWER_CUT = """
umask 077
[ -e /root/passphrase ] || {
	echo 'one passphrase in mind' >/root/passphrase
	coffer init --passphrase-file /root/passphrase --recovery-out /root/recovery || exit 1
}
sync
disk=/dev/disk/by-id/virtio-%(serial)s
COFFER_FAULT=%(fault)s coffer disk format $disk --yes-destroy $disk --passphrase-file /root/recovery
"""

AFTER_POWER_CUT = """set -e
disk=/dev/disk/by-id/virtio-%(serial)s
coffer disk format $disk --yes-destroy $disk --passphrase-file /root/recovery
coffer disk close $disk --passphrase-file /root/recovery
coffer disk open $disk --passphrase-file /root/recovery
coffer key list --passphrase-file /root/recovery
"""


def points(share):
    """Which points of `disk format` the power is cut at: some, or with share 1 all of them."""
    return range(2, 12, max(1, 2 * share))


def test_format_converges_after_power_cuts(machine, record_property):
    share = int(os.environ.get("COFFER_CRASH_SHARE", "3"))
    for point in points(share):
        # A disk of its own for each: the vault knows those of the rounds before.
        about = {"serial": f"COFCUT{point}", "fault": f"power:#{point}"}
        machine.add_disk(about["serial"], 64)
        machine.boot(POWER_CUT % about, may_die=True)
        status, told = machine.boot(AFTER_POWER_CUT % about)
        assert status == 0, f"{about['fault']}\n{told}"
    record_property("rounds", len(points(share)))

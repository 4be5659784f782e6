# SPDX-License-Identifier: LGPL-2.1-or-later
"""A server with twelve disks boots: the agent's socket gives systemd-cryptsetup each one's key, after
a wrong passphrase, with a disk missing, and with the vault on a disk that is read-only."""

COUNT = 12
MISSING = 7

SET_UP = f"""set -e
umask 077
echo 'one passphrase in mind' >/root/passphrase
echo 'another one' >/root/wrong
mkfs.ext4 -q /dev/disk/by-id/virtio-COFVAULT
mkdir -p /var/lib/coffer
echo '/dev/disk/by-id/virtio-COFVAULT /var/lib/coffer ext4 nofail 0 2' >>/etc/fstab
mount /var/lib/coffer
coffer init --passphrase-file /root/passphrase --recovery-out /root/recovery
coffer unlock --passphrase-file /root/passphrase
disks=$(seq -f /dev/disk/by-id/virtio-COFDISK%g {COUNT})
coffer disk format $disks $(printf -- '--yes-destroy %s ' $disks)
for number in $(seq {COUNT}); do
	volume=/dev/mapper/enc-virtio-COFDISK$number
	mkfs.ext4 -q -E lazy_itable_init=1,nodiscard $volume
	mkdir -p /srv/$number
	echo "$volume /srv/$number ext4 nofail 0 2" >>/etc/fstab
	mount $volume /srv/$number
	echo "data of disk $number" >/srv/$number/text
done
sync
"""

# All of it in the order in which people meet it: nothing opens, then all of it without another word.
WRONG_FIRST = f"""
for _ in $(seq 120); do
	mountpoint -q /var/lib/coffer && break
	sleep 1
done
coffer unlock --passphrase-file /root/wrong
[ $? -eq 4 ] || exit 1
sleep 3
for number in $(seq {COUNT}); do
	mountpoint -q /srv/$number && exit 1
done
coffer unlock --passphrase-file /root/passphrase || exit 1
%s
"""

WAIT = f"""
waited=0
for number in $(seq {COUNT}); do
	[ $number -eq %(missing)d ] && continue
	until mountpoint -q /srv/$number; do
		waited=$((waited + 1))
		[ $waited -lt 120 ] || {{ echo "/srv/$number is not mounted"; exit 1; }}
		sleep 1
	done
	[ "$(cat /srv/$number/text)" = "data of disk $number" ] || exit 1
done
systemctl --no-pager --failed
"""

MAKE_READ_ONLY = """
sed -i '/COFVAULT/s/nofail/nofail,ro/' /etc/fstab
"""

IS_READ_ONLY = f"""
touch /var/lib/coffer/file && exit 1
mountpoint -q /srv/{MISSING} && exit 1
coffer disk status
coffer disk close /dev/disk/by-id/virtio-COFDISK1 && exit 1
umount /srv/1
coffer disk close /dev/disk/by-id/virtio-COFDISK1 || exit 1
coffer disk open /dev/disk/by-id/virtio-COFDISK1 || exit 1
coffer disk open /dev/disk/by-id/virtio-COFDISK{MISSING} && exit 1
exit 0
"""


def test_twelve_disks_open_at_boot_also_with_one_missing_and_a_vault_that_is_read_only(machine):
    machine.add_disk("COFVAULT", 64)
    for number in range(1, COUNT + 1):
        machine.add_disk(f"COFDISK{number}", 64)
    status, told = machine.boot(SET_UP)
    assert status == 0, told
    status, told = machine.boot(WRONG_FIRST % (WAIT % {"missing": 0} + MAKE_READ_ONLY))
    assert status == 0, told
    machine.remove_disk(f"COFDISK{MISSING}")
    status, told = machine.boot(WRONG_FIRST % (WAIT % {"missing": MISSING} + IS_READ_ONLY))
    assert status == 0, told

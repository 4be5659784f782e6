# SPDX-License-Identifier: LGPL-2.1-or-later
"""Services that wait: a machine comes up with a locked vault, `coffer start` brings up everything in
order, `coffer stop` takes it down in reverse, and `coffer boot remove` leaves no trace."""

SET_UP = r"""set -e
umask 077
echo 'one passphrase in mind' >/root/passphrase
coffer init --passphrase-file /root/passphrase --recovery-out /root/recovery
coffer unlock --passphrase-file /root/passphrase
for number in 1 2; do
	disk=/dev/disk/by-id/virtio-COFBOOT$number
	coffer disk format $disk --yes-destroy $disk
	mkfs.ext4 -q /dev/mapper/enc-virtio-COFBOOT$number
done
mkdir -p /srv/data
mount /dev/mapper/enc-virtio-COFBOOT1 /srv/data
mkdir /srv/data/deep
umount /srv/data
echo '/dev/mapper/enc-virtio-COFBOOT2 /srv/data/deep ext4 noauto 0 2' >>/etc/fstab
echo '/dev/mapper/enc-virtio-COFBOOT1 /srv/data ext4 noauto 0 2' >>/etc/fstab
cat >/etc/systemd/system/db.service <<END
[Service]
ExecStart=/bin/sh -c 'echo db >>/srv/data/deep/log; exec sleep infinity'
[Install]
WantedBy=multi-user.target
END
cat >/etc/systemd/system/db.socket <<END
[Socket]
ListenStream=/run/db.sock
[Install]
WantedBy=sockets.target
END
mkdir -p /etc/init.d /etc/rc2.d /etc/rc3.d /etc/rc4.d /etc/rc5.d
cat >/etc/init.d/oldweb <<'END'
#!/bin/sh
### BEGIN INIT INFO
# Provides: oldweb
# Required-Start: $local_fs
# Required-Stop: $local_fs
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
### END INIT INFO
[ "$1" != start ] || echo oldweb >>/srv/data/deep/log
exit 0
END
chmod 755 /etc/init.d/oldweb
for level in 2 3 4 5; do ln -sf ../init.d/oldweb /etc/rc$level.d/S01oldweb; done
systemctl daemon-reload
systemctl enable db.service db.socket
find /etc/systemd /etc/rc*.d -type l | sort >/root/enabled
coffer boot add ssh && exit 1
coffer boot add nothing && exit 1
coffer boot add db oldweb
coffer boot status
sync
"""

WAITS_AND_STARTS = r"""
fail() { echo "FAILED: $*"; exit 1; }
down() {
	for unit in db.service db.socket oldweb.service; do
		[ "$(systemctl is-active $unit)" = inactive ] || fail "$unit is not down"
	done
	! mountpoint -q /srv/data || fail "/srv/data is mounted"
}
down
systemctl status db.service | grep -q 'ConditionPathIsMountPoint=/srv/data' || fail "no reason"
coffer boot status --json | grep -q 'the volume enc-virtio-COFBOOT1 is closed' || fail "no reason"
[ -z "$(systemctl --failed --no-legend)" ] || fail "units failed at boot"
# Neither by hand nor by a package's upgrade.
systemctl start db.service oldweb.service db.socket
down
[ -z "$(ls -A /srv/data)" ] || fail "something was written below the volume"
echo wrong >/root/wrong
coffer start --passphrase-file /root/wrong
[ $? -eq 4 ] || fail "a wrong passphrase"
down

coffer start --passphrase-file - </root/passphrase || fail "start"
mountpoint -q /srv/data/deep || fail "not mounted"
[ "$(cat /srv/data/deep/log | tr '\n' ' ')" = "db oldweb " ] || fail "$(cat /srv/data/deep/log)"
for unit in db.service db.socket oldweb.service coffer.target; do
	systemctl is-active $unit || fail "$unit is not up"
done
coffer status --json | grep -q '"state":"locked"' || fail "the vault is not locked again"
coffer start --dry-run || fail "again"
coffer start </dev/null || fail "again, without a passphrase"
find /etc/systemd /etc/rc*.d -type l | sort | diff - /root/enabled || fail "enabled"

cd /srv/data/deep
sleep 600 &
cd /
coffer stop
[ $? -eq 6 ] || fail "a busy file system"
coffer stop --kill || fail "stop"
down
[ ! -e /dev/mapper/enc-virtio-COFBOOT1 ] || fail "not closed"
coffer stop || fail "again"

# Unmounted through systemd alone, too, services go before what they use.
coffer start --passphrase-file /root/passphrase || fail "start after stop"
systemctl stop srv-data-deep.mount
[ "$(systemctl is-active db.service)" = inactive ] || fail "the service outlived its volume"
coffer stop || fail "stop"
coffer boot remove db oldweb || fail "remove"
[ ! -e /etc/coffer/boot.list ] || fail "a list is left"
systemctl cat db.service | grep -q coffer && fail "a drop-in is left"
find /etc/systemd /etc/rc*.d -type l | sort | diff - /root/enabled || fail "enabled"
exit 0
"""


def test_services_wait_through_boots_and_start_in_order(machine):
    for number in (1, 2):
        machine.add_disk(f"COFBOOT{number}", 64)
    status, told = machine.boot(SET_UP)
    assert status == 0, told
    status, told = machine.boot(WAITS_AND_STARTS)
    assert status == 0, told

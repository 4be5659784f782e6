# SPDX-License-Identifier: LGPL-2.1-or-later
"""Services: stacks of a file, an encrypted disk and a file system, on whichever backend is there."""

import json
import os
import pathlib
import subprocess

import pytest

import rig
from rig import BUSY, DONE, LOCKED, MIB, NO_DEVICE, REFUSED, USAGE, tool

SEED = """
[DEFAULT]
id = e60306f6-e429-4a02-bd8f-a537a918a217

[disk#0]
type = loop
file = {place}/opt/{{fqdn}}.img
size = 48M

[disk#1]
type = crypt
dev = {{disk#0.exposed_devs[0]}}
name = {{fqdn}}-crypt

[fs#0]
type = ext4
dev = {{disk#1.exposed_devs[0]}}
mnt = {place}/srv/{{svcname}}
"""
KEY = "disk_1_crypt_passphrase"


class Service:
    """One service of the seed's kind; names are the machine's, so that no two tests share one."""

    def __init__(self, coffer, place, text=SEED, create=True):
        self.coffer, self.place = coffer, place
        self.name = f"web{os.getpid()}n{next(rig.numbers)}"
        self.path = f"demo/svc/{self.name}"
        self.secret = f"demo/sec/{self.name}"
        self.fqdn = f"{self.name}.demo.svc.default"
        self.folder = place / "srv" / self.name
        self.file = place / "opt" / f"{self.fqdn}.img"
        self.config = place / f"{self.name}.conf"
        self.config.write_text(text.format(place=place))
        if create:
            self.create()

    def create(self, *options, **more):
        return self.coffer.run("service", "create", self.path, "--config", self.config, *options,
                               **more)

    def run(self, verb, *options, **more):
        return self.coffer.run("service", verb, self.path, *options, *self.coffer.secret(), **more)

    def look(self):
        return self.coffer.run("service", "status", self.path, "--json").json

    def words(self):
        return {rid: found["status"] for rid, found in self.look()["resources"].items()}

    def tree(self, columns=None):
        environment = dict(os.environ, LANG="C.UTF-8")
        if columns:
            environment["COLUMNS"] = str(columns)
        return subprocess.run(
            [rig.PROGRAM, *self.coffer.arguments("service", "status", self.path, "-r")],
            capture_output=True, text=True, check=True, env=environment).stdout

    def purge(self, **more):
        return self.run("purge", "--yes-destroy", self.path, **more)


@pytest.fixture
def service(coffer, place):
    return Service(coffer, place)


@pytest.fixture
def up(service):
    service.run("provision")
    (service.folder / "file").write_text("kept")
    return service


# ---- the seed's example, from its beginning to its end ----

@pytest.mark.guest
def test_service_goes_through_the_whole_life_of_the_seeds_example(coffer, service):
    assert service.words() == {"disk#0": "down", "disk#1": "down", "fs#0": "down"}
    assert not service.file.exists()
    service.run("provision")
    found = service.look()
    assert (found["avail"], found["overall"], found["provisioned"]) == ("up", "up", True)
    assert found["resources"]["disk#1"]["type"] == "disk.crypt"
    assert service.file.stat().st_size == 48 * MIB
    assert service.file.stat().st_mode & 0o777 == 0o600
    (service.folder / "file").write_text("kept")
    service.run("stop")
    assert not os.path.ismount(service.folder)
    assert str(service.file) not in tool("losetup", "--list").stdout
    assert b"kept" not in service.file.read_bytes()
    service.run("start")
    assert (service.folder / "file").read_text() == "kept"
    service.purge()
    assert not service.file.exists() and not service.folder.exists()
    coffer.run("service", "status", service.path, expect=NO_DEVICE)
    assert coffer.run("secret", "keys", service.secret, *coffer.secret()).out == ""


def test_status_shows_the_seeds_tree(service):
    node = os.uname().nodename
    lines = service.tree().splitlines()
    assert lines[0] == f"{service.path:<37}down"
    assert lines[1] == "`- instances"
    assert lines[2] == f"{'   `- ' + node:<37}down       not provisioned, idle"
    assert lines[3] == ("      |- disk#0             .....P.. down       "
                        f"loop {service.file}")
    assert lines[5].startswith("      `- fs#0               .....P.. down       ext4 /dev/")
    service.run("provision", "--rid", "disk#0")
    lines = service.tree().splitlines()
    assert lines[2].endswith("warn       warn, part-provisioned, idle")
    assert lines[3].startswith("      |- disk#0             ........ up         loop ")


def test_status_says_idle_started_and_frozen(up):
    assert "up         idle, started" in up.tree()
    up.run("stop")
    assert "down       frozen, idle\n" in up.tree()
    up.run("start")
    assert "up         idle, started" in up.tree()


def test_status_fits_a_narrow_screen(service):
    lines = service.tree(columns=60).splitlines()
    assert "" not in lines and "      |    loop" in lines
    for line in lines:
        assert len(line) <= 60 or " " not in line[11:], line


def test_devs_shows_the_seeds_tree(coffer, up):
    found = coffer.run("service", "devs", up.path, "--json").json["resources"]
    loop = found["disk#0"]["exposed"][0]
    assert found["disk#0"]["type"] == "disk.loop" and rig.is_block_device(loop)
    assert found["disk#1"]["sub"] == [loop]
    assert found["fs#0"]["sub"] == found["disk#1"]["exposed"]
    assert rig.is_block_device(found["disk#1"]["exposed"][0])
    assert found["fs#0"]["base"] == found["disk#1"]["base"] == found["disk#0"]["base"]
    tree = coffer.run("service", "devs", up.path).out
    assert f"|- disk#0 (disk.loop)\n" in tree
    assert f"|  |- sub\n|  |  `- {loop}\n|  `- exposed\n" in tree


def test_verbs_name_a_service_that_is_not_there(coffer):
    for verb in ("status", "devs", "log", "provision", "start", "stop", "restart", "unprovision",
                 "purge", "freeze", "thaw"):
        missing = coffer.run("service", verb, "demo/svc/nowhere", expect=NO_DEVICE)
        assert "coffer service list" in missing.err


def test_freeze_and_thaw_are_seen_in_the_status(coffer, service):
    coffer.run("service", "freeze", service.path)
    assert service.look()["frozen"] and "frozen" in service.tree()
    assert "already" in coffer.run("service", "freeze", service.path).out
    coffer.run("service", "thaw", service.path)
    assert service.look()["frozen"] is None


def test_log_has_what_was_done_and_what_failed(coffer, up):
    (pathlib.Path(up.folder) / "file").unlink()
    lines = coffer.run("service", "log", up.path, "--json").json["lines"]
    texts = [f"{line['rid']} {line['text']}" for line in lines]
    assert any(text.startswith("disk#1 opened /dev/loop") for text in texts)
    assert len({line["session"] for line in lines}) == 1
    coffer.run("secret", "remove", up.secret, "--key", KEY, *coffer.secret())
    up.run("stop", "--force")
    up.run("start", expect=NO_DEVICE)
    assert " E disk#1: " in coffer.run("service", "log", up.path).out


def test_list_shows_every_service(coffer, service, place):
    other = Service(coffer, place)
    out = coffer.run("service", "list").out
    assert service.path in out and other.path in out
    assert len(coffer.run("service", "list", "--json").json["services"]) == 2


# ---- loss protection ----

@pytest.mark.guest
def test_stop_is_refused_when_the_key_is_gone(coffer, up):
    coffer.run("secret", "remove", up.secret, "--key", KEY, *coffer.secret())
    assert coffer.run("secret", "keys", up.secret, *coffer.secret()).out == ""
    refused = up.run("stop", expect=REFUSED)
    assert f"has no {KEY} key" in refused.err and "secret restore" in refused.err
    # Nothing was touched, the file system above it neither.
    assert (up.folder / "file").read_text() == "kept"
    assert up.look()["avail"] == "up"
    up.run("restart", expect=REFUSED)
    up.run("stop", "--force")
    assert up.look()["avail"] == "down"
    up.run("start", expect=NO_DEVICE)
    assert up.look()["resources"]["disk#0"]["status"] == "down"
    coffer.run("secret", "restore", up.secret, "--key", KEY, *coffer.secret())
    up.run("start")
    assert (up.folder / "file").read_text() == "kept"


def test_stop_is_refused_when_the_key_is_another_one(coffer, up, place):
    (place / "other").write_text("x" * 40)
    coffer.run("secret", "change", up.secret, "--key", KEY, "--from", place / "other",
               *coffer.secret())
    refused = up.run("stop", expect=REFUSED)
    assert "could not be opened again" in refused.err
    assert up.look()["avail"] == "up"


def test_stop_is_refused_when_the_header_is_gone(up):
    with open(up.file, "r+b") as backing:
        backing.write(bytes(8 * MIB))
    refused = up.run("stop", expect=REFUSED)
    assert "could not be opened again" in refused.err
    assert (up.folder / "file").read_text() == "kept"
    up.run("stop", "--force")


def test_stop_needs_the_vault_unless_it_is_forced(coffer, up):
    coffer.run("service", "stop", up.path, expect=LOCKED)
    assert up.look()["avail"] == "up"
    coffer.run("service", "stop", up.path, "--force")
    assert up.look()["avail"] == "down"


def test_disk_close_leaves_a_services_volume_to_the_service(coffer, up):
    tool("umount", up.folder)
    volume = f"{up.fqdn}-crypt"
    refused = coffer.run("disk", "close", volume, *coffer.secret(), expect=REFUSED)
    assert f"coffer service stop {up.path}" in refused.err
    coffer.run("disk", "close", volume, "--dry-run", *coffer.secret(), expect=REFUSED)
    assert up.words()["disk#1"] == "up"
    up.run("stop")
    up.run("start")
    tool("umount", up.folder)
    coffer.run("disk", "close", volume, "--force")
    assert up.words()["disk#1"] == "down"
    up.run("stop")


# ---- passphrases ----

def test_passphrase_has_the_seeds_form_and_opens_with_cryptsetup(coffer, up, place):
    value = coffer.run("secret", "decode", up.secret, "--key", KEY, *coffer.secret()).out
    assert len(value) == 256 and not set(value) & set("'\\ \n")
    (place / "pass").write_text(value)
    tool("cryptsetup", "open", "--test-passphrase", "--key-file", place / "pass", up.file)


def test_provision_uses_the_key_that_is_there(coffer, service, place):
    (place / "mine").write_text("my own passphrase")
    coffer.run("secret", "add", service.secret, "--key", KEY, "--from", place / "mine",
               *coffer.secret())
    service.run("provision")
    tool("cryptsetup", "open", "--test-passphrase", "--key-file", place / "mine", service.file)


def test_provision_makes_no_key_that_somebody_else_manages(coffer, place):
    service = Service(coffer, place, SEED.replace("type = crypt",
                                                  "type = crypt\nmanage_passphrase = false"))
    refused = service.run("provision", expect=REFUSED)
    assert "manage_passphrase = false" in refused.err and not service.file.exists()
    (place / "mine").write_text("my own passphrase")
    coffer.run("secret", "add", service.secret, "--key", KEY, "--from", place / "mine",
               *coffer.secret())
    service.run("provision")
    service.purge()
    # What coffer has not made it does not destroy.
    assert coffer.run("secret", "keys", service.secret, *coffer.secret()).out == KEY + "\n"


# ---- plans, refusals ----

def test_dry_run_shows_the_plan_and_touches_nothing(service):
    planned = service.run("provision", "--dry-run", "--json").json["steps"]
    assert [step["rid"] for step in planned] == ["disk#0", "disk#1", "fs#0"]
    assert all(step["does"] for step in planned)
    assert not service.file.exists()
    assert "48M" in service.run("provision", "--dry-run").out


def with_disk(coffer, place, disk, kind="ext4"):
    return Service(coffer, place, f"""
[disk#1]
type = crypt
dev = {disk}
name = {{fqdn}}-crypt
[fs#0]
type = {kind}
dev = {{disk#1.exposed_devs[0]}}
mnt = {{place}}/srv/{{svcname}}
""".replace("{fqdn}", "{{fqdn}}").replace("{disk#1.", "{{disk#1.").replace("[0]}", "[0]}}")
                   .replace("{svcname}", "{{svcname}}"))


def test_provision_refuses_device_that_holds_data(coffer, place, disk):
    tool("mkfs.ext4", "-q", disk)
    before = disk.digest()
    service = with_disk(coffer, place, disk)
    refused = service.run("provision", expect=REFUSED)
    assert "holds data" in refused.err and "ext4" in refused.err
    refused = service.run("provision", "--force", expect=REFUSED)
    assert "--yes-destroy" in refused.err and disk.digest() == before
    planned = service.run("provision", "--force", "--dry-run", "--json").json["steps"]
    assert planned[0]["verdict"] == "holds-data" and planned[0]["overwrites"]
    service.run("provision", "--force", "--yes-destroy", disk)
    assert service.look()["avail"] == "up"
    service.run("stop")


def test_provision_refuses_device_that_is_mounted(coffer, place, disk):
    tool("mkfs.ext4", "-q", disk)
    service = with_disk(coffer, place, disk)
    with rig.mounted(disk.node, place / "mnt"):
        refused = service.run("provision", "--force", "--yes-destroy", disk, expect=REFUSED)
        assert f"mounted at {place}/mnt" in refused.err


def test_provision_refuses_header_that_no_key_of_ours_opens(coffer, place, disk):
    (place / "key").write_text("somebody's")
    tool("cryptsetup", "luksFormat", "-q", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000",
         disk, place / "key")
    before = disk.digest()
    assert "crypto_LUKS" in with_disk(coffer, place, disk).run("provision", expect=REFUSED).err
    assert disk.digest() == before


@pytest.mark.parametrize("kind", ["xfs", "btrfs"])
def test_service_has_other_file_systems(coffer, make_disk, place, kind):
    service = with_disk(coffer, place, make_disk(size_mib=400), kind)
    service.run("provision")
    (service.folder / "file").write_text("kept")
    service.run("stop")
    service.run("start")
    assert (service.folder / "file").read_text() == "kept"
    service.run("stop")


def test_start_refuses_what_is_not_provisioned(service):
    refused = service.run("start", expect=REFUSED)
    assert "coffer service provision" in refused.err and not service.file.exists()


def test_start_refuses_folder_that_is_not_empty(up):
    up.run("stop")
    (up.folder / "hidden").write_text("x")
    refused = up.run("start", expect=REFUSED)
    assert "is not empty" in refused.err
    # What was started before that step is down again.
    assert up.words() == {"disk#0": "down", "disk#1": "down", "fs#0": "down"}
    up.run("start", "--force")
    assert (up.folder / "file").read_text() == "kept"


def test_start_rolls_nothing_back_when_the_service_says_so(coffer, place):
    service = Service(coffer, place, SEED.replace("[DEFAULT]", "[DEFAULT]\nrollback = false"))
    service.run("provision")
    service.run("stop")
    (service.folder / "hidden").write_text("x")
    service.run("start", expect=REFUSED)
    assert service.words() == {"disk#0": "up", "disk#1": "up", "fs#0": "down"}
    service.run("stop")


def test_stop_names_who_keeps_the_file_system_busy(up):
    with open(up.folder / "file", encoding="utf-8"):
        busy = up.run("stop", expect=BUSY)
        assert f"process {os.getpid()}" in busy.err
        assert up.words() == {"disk#0": "up", "disk#1": "up", "fs#0": "up"}
    up.run("stop")


def test_verbs_do_nothing_twice(up):
    assert "nothing to do" in up.run("provision").out
    assert "nothing to do" in up.run("start").out
    up.run("stop")
    assert "nothing to do" in up.run("stop").out


def test_rid_chooses_and_must_be_there(up):
    up.run("stop", "--rid", "fs#0")
    assert up.words() == {"disk#0": "up", "disk#1": "up", "fs#0": "down"}
    up.run("stop", "--rid", "disk#0", expect=BUSY)
    assert "has no resource" in up.run("stop", "--rid", "disk#7", expect=NO_DEVICE).err
    up.run("start", "--rid", "fs")
    assert up.words()["fs#0"] == "up"


def test_two_commands_on_one_service_wait_for_each_other(up):
    runs = [up.coffer.start("service", "restart", up.path, *up.coffer.secret())
            for _ in range(2)]
    statuses = [run.wait(timeout=60) for run in runs]
    for run in runs:
        run.stdout.close()
        run.stderr.close()
    assert DONE in statuses and set(statuses) <= {DONE, BUSY}
    assert up.look()["avail"] == "up"


def test_purge_asks_and_keeps_what_it_did_not_make(coffer, place):
    service = Service(coffer, place)
    service.file.parent.mkdir()
    with open(service.file, "wb") as backing:
        backing.truncate(48 * MIB)
    service.run("provision")
    refused = service.run("purge", expect=REFUSED)
    assert f"--yes-destroy {service.path}" in refused.err and service.look()["avail"] == "up"
    service.purge()
    assert service.file.exists()
    tool("cryptsetup", "isLuks", service.file, check=False)
    assert tool("cryptsetup", "isLuks", service.file, check=False).returncode == 1


def test_purge_of_what_was_never_provisioned_asks_nothing(coffer, service):
    coffer.run("service", "purge", service.path)
    coffer.run("service", "status", service.path, expect=NO_DEVICE)


def test_purge_of_a_stopped_service_erases_its_header(coffer, place, disk):
    service = with_disk(coffer, place, disk)
    service.run("provision")
    service.run("stop")
    service.purge()
    assert tool("cryptsetup", "isLuks", disk, check=False).returncode == 1


# ---- configurations ----

def test_create_names_every_mistake(coffer, place):
    service = Service(coffer, place, """
[disk#0]
type = loop
fil = /x
size = 3X
[disk#1]
type = crypt
dev = {{disk#0.exposed_devs[0]}} {{nothing}}
[disk#2]
type = crpyt
[fs#0]
type = ext4
dev = {{disk#9.exposed_devs[0]}}
mnt = srv
pre_start = /bin/true
[app#0]
type = simple
""", create=False)
    wrong = service.create("--json", expect=USAGE).json
    found = {(item["line"], item["section"], item["keyword"]): item for item in wrong["mistakes"]}
    assert found[4, "disk#0", "fil"]["remedy"] == "file"
    assert "is not a size" in found[5, "disk#0", "size"]["text"]
    assert "is missing" in found[2, "disk#0", "file"]["text"]
    assert "nothing is called so" in found[8, "disk#1", "dev"]["text"]
    assert "loop, crypt" in found[10, "disk#2", "type"]["remedy"]
    assert "no such section" in found[13, "fs#0", "dev"]["text"]
    assert "absolute" in found[14, "fs#0", "mnt"]["text"]
    assert "runs no commands" in found[15, "fs#0", "pre_start"]["text"]
    assert (16, "app#0", None) in found
    told = service.create(expect=USAGE).err
    assert "line 4: [disk#0] fil" in told and "line 15: [fs#0] pre_start" in told
    coffer.run("service", "status", service.path, expect=NO_DEVICE)


def test_create_needs_a_configuration(coffer):
    assert "--config" in coffer.run("service", "create", "demo/svc/none", expect=USAGE).err


def test_create_refuses_circles(coffer, place):
    service = Service(coffer, place, """
[disk#0]
type = crypt
dev = {{disk#1.exposed_devs[0]}}
name = a
[disk#1]
type = crypt
dev = {{disk#0.exposed_devs[0]}}
name = b
""", create=False)
    assert "its own devices" in service.create(expect=USAGE).err


def test_create_takes_keywords_from_the_command_line(coffer, place):
    service = Service(coffer, place, create=False)
    assert "is not a size" in service.create("--kw", "disk#0.size=huge", expect=USAGE).err
    service.create("--kw", "disk#0.size=40M", "--kw", f"fs#0.mnt@{os.uname().nodename}=/nowhere")
    assert "40M" in service.run("provision", "--dry-run").out
    assert service.look()["resources"]["fs#0"]["label"].endswith("@/nowhere")


def test_create_refuses_a_service_that_is_there(service):
    assert "is there already" in service.create(expect=REFUSED).err


def test_create_takes_names_that_begin_alike_for_different_ones(coffer, place):
    first, second = Service(coffer, place), Service(coffer, place, create=False)
    second.path = first.path + "2"
    second.create()
    first.run("provision")
    assert json.loads(json.dumps(
        coffer.run("service", "status", second.path, "--json").json))["provisioned"] is False
    first.purge()
    assert coffer.run("service", "list", "--json").json["services"][0]["path"] == second.path


def test_damaged_configuration_is_named_with_its_line(coffer, service):
    kept = coffer.root / "etc/coffer/services" / f"{service.path}.conf"
    kept.write_text(kept.read_text() + "[fs#1]\ntype = ext4\n")
    told = coffer.run("service", "status", service.path, expect=USAGE).err
    assert "[fs#1] dev is missing" in told


def test_service_never_takes_the_volume_of_another_for_its_own(coffer, place, up):
    other = Service(coffer, place, SEED.replace("{{fqdn}}-crypt", f"{up.fqdn}-crypt"))
    assert other.words()["disk#1"] == "warn"
    failed = other.run("provision", expect=BUSY)
    assert f"{up.fqdn}-crypt" in failed.err
    assert (up.folder / "file").read_text() == "kept" and up.look()["avail"] == "up"
    up.run("stop")
    other.run("provision")
    assert not (other.folder / "file").exists()


# ---- what a crash leaves ----

def test_start_gives_a_volume_its_name_back(service):
    service.run("provision", fault="kill:engine-open/attached", expect=None)
    if service.words()["disk#1"] == "down":
        pytest.skip("dm-crypt serves it: there is no name to lose")
    found = service.look()["resources"]["disk#1"]
    assert found["status"] == "warn" and "is missing" in found["note"]
    service.run("provision")
    assert service.look()["avail"] == "up"


def test_stop_goes_on_with_a_volume_that_has_lost_its_name(up):
    up.run("stop", fault="kill:engine-close/unlinked", expect=None)
    if up.words()["disk#1"] == "down":
        pytest.skip("dm-crypt serves it: there is no name to lose")
    up.run("stop")
    assert up.words() == {"disk#0": "down", "disk#1": "down", "fs#0": "down"}

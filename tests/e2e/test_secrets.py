# SPDX-License-Identifier: LGPL-2.1-or-later
"""Secrets of services in the vault."""

import pytest

from rig import NO_DEVICE, REFUSED, USAGE

PATH = "demo/sec/web"


@pytest.fixture
def secret(coffer, place):
    def run(verb, *options, path=PATH, value=None, **more):
        if value is not None:
            (place / "value").write_bytes(value)
            options += ("--from", place / "value")
        return coffer.run("secret", verb, path, *options, *coffer.secret(), **more)
    return run


def test_secret_goes_through_its_life(secret):
    secret("create")
    assert secret("keys").out == ""
    secret("add", "--key", "token", value=b"one\n\n")
    secret("add", "--key", "other", value=b"x")
    assert secret("keys").out == "other\ntoken\n"
    assert secret("keys", "--json").json["keys"] == ["other", "token"]
    assert secret("decode", "--key", "token").out == "one\n\n"
    secret("change", "--key", "token", value=b"two")
    assert secret("decode", "--key", "token").out == "two"
    secret("remove", "--key", "token")
    assert secret("keys").out == "other\n"
    secret("restore", "--key", "token")
    assert secret("decode", "--key", "token").out == "two"


def test_secret_history_is_kept(secret, coffer, place):
    secret("add", "--key", "token", value=b"one")
    secret("change", "--key", "token", value=b"two")
    coffer.run("key", "export", "secret/demo:web:token", "--generation", "1", "--out",
               place / "old", *coffer.secret())
    assert (place / "old").read_bytes() == b"one"


def test_secret_verbs_refuse_what_does_not_fit(secret):
    secret("keys", expect=NO_DEVICE)
    secret("add", "--key", "token", value=b"one")
    assert "already" in secret("add", "--key", "token", value=b"two", expect=REFUSED).err
    secret("change", "--key", "other", value=b"two", expect=NO_DEVICE)
    secret("remove", "--key", "other", expect=NO_DEVICE)
    secret("restore", "--key", "token", expect=REFUSED)
    secret("decode", "--key", "other", expect=NO_DEVICE)
    secret("decode", expect=USAGE)
    secret("decode", "--key", "a/b", expect=USAGE)
    secret("keys", path="demo/svc/web", expect=USAGE)
    assert "--from" in secret("add", "--key", "third", expect=USAGE).err
    secret("remove", "--key", "token")
    assert "secret restore" in secret("decode", "--key", "token", expect=NO_DEVICE).err
    assert secret("decode", "--key", "token", expect=NO_DEVICE).out == ""


def test_secret_dry_runs_change_nothing(secret):
    secret("create", "--dry-run")
    secret("add", "--key", "token", "--dry-run", value=b"one")
    secret("keys", expect=NO_DEVICE)
    secret("add", "--key", "token", value=b"one")
    secret("change", "--key", "token", "--dry-run", value=b"two")
    secret("remove", "--key", "token", "--dry-run")
    assert secret("decode", "--key", "token").out == "one"


def test_secret_names_that_begin_alike_are_different(secret):
    secret("add", "--key", "token", value=b"one")
    secret("add", "--key", "token", path=PATH + "2", value=b"two")
    secret("remove", "--key", "token", path=PATH + "2")
    assert secret("keys").out == "token\n"
    assert secret("keys", path=PATH + "2").out == ""


def test_secret_value_is_never_in_the_log(secret, coffer):
    secret("add", "--key", "token", value=b"do-not-write-me-down")
    secret("decode", "--key", "token")
    log = coffer.run("audit", "--json", *coffer.secret()).out
    assert "do-not-write" not in log and "demo/sec/web token" in log

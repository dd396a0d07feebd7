"""The master key of a store lost, or another one: nothing starts that would serve nobody, and no new key is made beside
what the old one sealed."""

import os
import subprocess

import pytest
from control_plane_test import CANARY, Site
from harness import databases, processes, raw, waiting

pytestmark = pytest.mark.xdist_group("master-key")

OTHER_KEY = "11" * 32


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path, {"url": "sqlite"})
    site.key = site.furnish()
    yield site
    site.stop()


def refused(site):
    """What a start says that is refused."""
    command = [processes.binary(), "serve", "--config", str(site.config_file)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=site.directory)
    assert ended.returncode == 1, ended.stderr
    return ended.stderr


@pytest.mark.parametrize("trouble", ["lost", "another"])
def test_a_start_without_the_master_key_is_refused(site, trouble):
    assert not site.gateway.stop()
    master = site.directory / "data" / "master.key"
    kept = master.read_text()
    if trouble == "lost":
        master.unlink()
    else:
        master.write_text(OTHER_KEY + "\n")
    said = refused(site)
    assert str(master) in said and "put the copy back" in said, said
    assert ("is not there" if trouble == "lost" else "another master key") in said
    for arguments in (["vkey", "list"], ["vkey", "add", "--name", "new"], ["secrets", "rotate"]):
        told = site.run(*arguments)
        assert told.returncode == 1 and "put the copy back" in told.stderr, told.stderr
    if trouble == "lost":
        assert not master.exists(), "a new key would open nothing, and hide that the old one is lost"
    else:
        assert master.read_text() == OTHER_KEY + "\n"
    master.write_text(kept)
    master.chmod(0o600)
    site.start()
    assert site.call(site.key, "m").status == 200


def test_a_file_that_serves_alone_starts_and_says_what_is_wrong(site):
    assert not site.gateway.stop()
    whole = site.config_file.read_text()
    own = f"""
[[connections]]
name = "of-the-file"
provider = "openai"
endpoint = "{site.simulator.url}"
api_key = "{CANARY}"
[[models]]
name = "file-model"
connection = "of-the-file"
[[keys]]
name = "of-the-file"
key = "the-key-of-the-file"
"""
    site.config_file.write_text(whole + own)
    master = site.directory / "data" / "master.key"
    kept = master.with_name("kept")
    master.rename(kept)
    site.start()
    assert site.call("the-key-of-the-file", "file-model").status == 200
    assert site.call(site.key, "m").status == 401
    site.gateway.said("the objects of the store cannot be read")
    assert "put the copy back" in site.cli("status")
    ready = raw.call(site.address, "GET", "/ready")
    assert ready.status == 200 and ready.json()["warning"] == "the objects of the store cannot be read"
    kept.rename(master)
    waiting.until(lambda: site.call(site.key, "m").status == 200, "the objects serve without a restart")
    waiting.until(lambda: "warning" not in raw.call(site.address, "GET", "/ready").json(), "nothing is missing")
    assert site.gateway.text().count("the objects of the store cannot be read") == 1, "said once, however often tried"


def test_a_master_key_that_goes_while_the_gateway_runs_is_noticed(site):
    master = site.directory / "data" / "master.key"
    kept = master.with_name("kept")
    master.rename(kept)
    site.gateway.said("master key's file is gone")
    assert "put the copy back" in site.cli("status")
    assert raw.call(site.address, "GET", "/ready").json()["warning"] == "the store's master key is gone"
    assert site.call(site.key, "m").status == 200, "what is loaded serves on"
    assert site.run("vkey", "add", "--name", "new").returncode == 1 and not master.exists()
    kept.rename(master)
    waiting.until(lambda: "warning" not in raw.call(site.address, "GET", "/ready").json(), "it is back")
    site.cli("vkey", "add", "--name", "new")


def test_secrets_are_not_rotated_to_a_key_that_the_gateway_lacks(tmp_path):
    site = Site(tmp_path, {"url": "sqlite", "master_key": "00" * 32})
    key = site.furnish()
    whole = site.config_file.read_text()
    site.config_file.write_text(whole.replace("00" * 32, OTHER_KEY + "," + "00" * 32))
    told = site.run("secrets", "rotate")
    assert told.returncode == 1 and "nothing was sealed anew" in told.stderr and "upgrade" in told.stderr, told.stderr
    site.cli("vkey", "add", "--name", "as-before")
    assert site.call(key, "m").status == 200
    assert not site.gateway.stop()
    site.start()
    assert "resealed" in site.cli("secrets", "rotate")
    site.cli("vkey", "block", "k")
    assert site.call(key, "m").status == 401, "what is changed from now on serves"
    assert not site.gateway.stop()
    # Nothing needs the old one any more.
    site.config_file.write_text(whole.replace("00" * 32, OTHER_KEY))
    site.start()
    site.cli("vkey", "unblock", "k")
    assert site.call(key, "m").status == 200
    site.stop()


def test_a_first_start_makes_one(tmp_path):
    site = Site(tmp_path, {"url": "sqlite"})
    master = tmp_path / "data" / "master.key"
    assert master.stat().st_mode & 0o777 == 0o600
    site.stop()


def test_another_master_key_than_the_databases(tmp_path):
    postgres = databases.Postgres()
    try:
        store = {"url": postgres.new_database(), "master_key": "00" * 32}
        site = Site(tmp_path, store)
        key = site.furnish()
        assert not site.gateway.stop()
        right = site.config_file.read_text()
        site.config_file.write_text(right.replace("00" * 32, OTHER_KEY))
        said = refused(site)
        assert "store.master_key" in said and OTHER_KEY not in said, said
        told = site.run("vkey", "list")
        assert told.returncode == 1 and "store.master_key" in told.stderr
        # A gateway of its own data directory must not make up a key for a database that others share.
        (tmp_path / "elsewhere").mkdir()
        lines = [line for line in right.splitlines() if "master_key" not in line]
        site.config_file.write_text("\n".join(lines).replace(str(tmp_path / "data"), str(tmp_path / "elsewhere")))
        said = refused(site)
        assert "store.master_key" in said and "move the store away" not in said, said
        assert not os.path.exists(tmp_path / "elsewhere" / "master.key")
        site.config_file.write_text(right)
        site.start()
        assert site.call(key, "m").status == 200
        site.stop()
    finally:
        postgres.stop()


@pytest.fixture
def database():
    postgres = databases.Postgres()
    yield postgres.new_database()
    postgres.stop()


def rotate(site):
    return site.run("secrets", "rotate")


def rotate_in_time(site):
    """A gateway that ended beside a database under load may have left without a word, and counts for a minute."""
    waiting.until(lambda: "resealed" in rotate(site).stdout, "its secrets are rotated", 120)


def test_secrets_are_not_rotated_to_a_key_that_a_gateway_elsewhere_lacks(tmp_path, database):
    """Two gateways, and what either says: by the command line, and over HTTP."""
    sites = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        sites.append(Site(tmp_path / name, {"url": database, "master_key": "00" * 32}))
    first, second = sites
    key = first.furnish()
    owner = {"Authorization": "Bearer " + first.add("admin-key", "add", "--name", "o", "--role", "owner")["key"]}
    waiting.until(lambda: second.call(key, "m").status == 200, "the other gateway serves it")

    def with_new_key(site):
        site.config_file.write_text(site.config_file.read_text().replace("00" * 32, OTHER_KEY + "," + "00" * 32))
        assert not site.gateway.stop()
        site.start()

    with_new_key(first)
    told = rotate(first)
    assert told.returncode == 1 and "nothing was sealed anew" in told.stderr, told.stderr
    assert f"(process {second.gateway.process.pid})" in told.stderr
    assert f"(process {first.gateway.process.pid})" not in told.stderr, "it has the key"
    over_http = raw.call(first.address, "POST", "/admin/v1/secrets/rotate", owner)
    assert over_http.status == 409 and over_http.json()["error"]["type"] == "gateways_left_behind", over_http.body
    first.cli("vkey", "block", "k")
    waiting.until(lambda: second.call(key, "m").status == 401, "it still reads the store")
    with_new_key(second)
    rotate_in_time(first)
    first.cli("vkey", "unblock", "k")
    waiting.until(lambda: second.call(key, "m").status == 200, "and goes on reading it")
    for site in sites:
        site.stop()


def test_a_master_key_in_a_file_is_not_rotated_beside_gateways_of_other_files(tmp_path, database):
    (tmp_path / "a").mkdir()
    first = Site(tmp_path / "a", {"url": database})
    key = first.furnish()
    copy = tmp_path / "b" / "data" / "master.key"
    copy.parent.mkdir(parents=True)
    copy.write_text((tmp_path / "a" / "data" / "master.key").read_text())
    copy.chmod(0o600)
    second = Site(tmp_path / "b", {"url": database})
    waiting.until(lambda: second.call(key, "m").status == 200, "the copy of the key opens the store")
    told = rotate(first)
    assert told.returncode == 1 and "store.master_key" in told.stderr, told.stderr
    assert f"(process {second.gateway.process.pid})" in told.stderr and second.call(key, "m").status == 200
    second.stop()
    rotate_in_time(first)
    assert first.call(key, "m").status == 200
    first.stop()

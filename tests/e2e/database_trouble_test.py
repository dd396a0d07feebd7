"""The database of a gateway killed, frozen, slow, missing at the start, and its disk full: no call fails for it."""

import os
import pathlib
import subprocess
import threading

import pytest
from control_plane_test import CANARY, Site
from harness import databases, waiting

pytestmark = pytest.mark.xdist_group("database-trouble")


class Load:
    """Calls, one after the other on two threads, until it is stopped; what did not answer 200."""

    def __init__(self, site, key):
        self.site, self.key = site, key
        self.answers, self.failures = 0, []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(2)]

    def _run(self):
        while not self._stop.is_set():
            try:
                status = self.site.call(self.key, "m").status
            except OSError as error:
                status = error
            if status != 200:
                self.failures.append(status)
            self.answers += 1

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        waiting.until(lambda: self.answers >= 10, "calls are answered")
        return self

    def more(self, count=20):
        wanted = self.answers + count
        waiting.until(lambda: self.answers >= wanted, "calls go on")

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()
        assert not self.failures, self.failures[:5]


@pytest.fixture
def postgres():
    server = databases.Postgres()
    yield server
    server.stop()


def furnish(site):
    site.cli(
        *("connection", "add", "--name", "c", "--provider", "openai", "--endpoint", site.simulator.url),
        *("--api-key", CANARY),
    )
    site.cli("model", "add", "--conn-id", "c", "--name", "m")
    return site.add("vkey", "add", "--name", "k")["key"]


@pytest.fixture
def site(postgres, tmp_path):
    site = Site(tmp_path, {"url": postgres.new_database()})
    yield site
    if postgres.process.poll() is None:
        postgres.freeze(False)
    site.stop()


def said(site, text):
    return waiting.until(lambda: text in site.gateway.text(), f"the log says {text}", 60)


def test_killed_and_back(site, postgres):
    key = furnish(site)
    with Load(site, key) as load:
        postgres.kill()
        said(site, "the database is away")
        assert "database away" in site.cli("status")
        load.more()
        refused = site.run("vkey", "add", "--name", "later")
        assert refused.returncode != 0 and "store" in refused.stderr
        postgres.start()
        said(site, "the database is back")
        load.more()
        later = site.add("vkey", "add", "--name", "later")["key"]
        assert site.call(later, "m").status == 200


def test_frozen(site, postgres):
    key = furnish(site)
    with Load(site, key) as load:
        postgres.freeze(True)
        load.more(50)
        said(site, "the database is away")
        load.more(50)
        postgres.freeze(False)
        said(site, "the database is back")


def test_missing_at_the_start(site, postgres):
    key = furnish(site)
    assert not site.gateway.stop()
    postgres.kill()
    site.start()
    assert site.call(key, "m").status == 200
    postgres.start()
    said(site, "the database is back")
    assert site.call(site.add("vkey", "add", "--name", "new")["key"], "m").status == 200


def test_two_gateways_on_one_database(postgres, tmp_path):
    url = postgres.new_database()
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    master = "00" * 32
    first = Site(tmp_path / "a", {"url": url, "master_key": master})
    second = Site(tmp_path / "b", {"url": url, "master_key": master})
    try:
        key = furnish(first)
        waiting.until(lambda: second.call(key, "m").status == 200, "the other gateway serves it", 1)
        second.cli("vkey", "block", "k")
        waiting.until(lambda: first.call(key, "m").status == 401, "and the other way round", 1)
    finally:
        first.stop()
        second.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", str(data)]
    mounted = subprocess.run(mount, capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("mounting is not allowed here")
    try:
        site = Site(tmp_path, {"url": "sqlite"})
        key = furnish(site)
        with Load(site, key) as load:
            filler = data / "filler"
            with open(filler, "wb", buffering=0) as file:
                try:
                    while file.write(b"x" * 4096):
                        pass
                except OSError:
                    pass
            refused = [site.run("vkey", "add", "--name", f"n{number}") for number in range(3)]
            assert any(each.returncode != 0 for each in refused)
            load.more()
            filler.unlink()
            site.cli("vkey", "add", "--name", "after")
        site.stop()
    finally:
        subprocess.run(["umount", str(data)], check=False)


def test_a_corrupt_database_does_not_stop_what_was_saved(tmp_path):
    site = Site(tmp_path, {"url": "sqlite"})
    key = furnish(site)
    assert not site.gateway.stop()
    for path in pathlib.Path(tmp_path / "data").glob("objects.sqlite*"):
        path.write_bytes(b"this is no database" * 1000)
    site.start()
    assert site.call(key, "m").status == 200
    waiting.until(lambda: "the database is away" in site.gateway.text(), "the log says so")
    site.stop()

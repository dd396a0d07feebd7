"""A store that is emptied, taken away or made read-only under a gateway that runs: nothing is made in its place, what
was loaded serves on, and a copy that is put back is taken by itself."""

import json
import sqlite3
import subprocess

import pytest
from control_plane_test import Site
from database_trouble_test import calls, config_url
from harness import databases, raw, waiting

pytestmark = pytest.mark.xdist_group("lost-store")

REFUSED = "the store is not taken over"


@pytest.fixture(scope="module")
def postgres():
    server = databases.Postgres()
    yield server
    server.stop()


@pytest.fixture
def site(request, tmp_path):
    url = request.param if hasattr(request, "param") else request.getfixturevalue("postgres").new_database()
    site = Site(tmp_path, {"url": url})
    site.key = site.furnish()
    assert site.call(site.key, "m").status == 200
    waiting.until(lambda: calls(site) >= 1, "the ledger's tables are there")
    yield site
    site.stop()


def trouble(site):
    metrics = raw.call(site.address, "GET", "/metrics").body.decode()
    return "llm_gateway_store_trouble 1" in metrics.splitlines()


def warning(site):
    return raw.call(site.address, "GET", "/ready").json().get("warning")


def refuses_and_serves(site):
    waiting.until(lambda: warning(site), "/ready warns")
    assert "emptied or replaced" in warning(site) and trouble(site)
    assert "reload --force" in site.cli("status") and "store trouble" in site.cli("status")
    assert site.call(site.key, "m").status == 200
    told = site.run("vkey", "add", "--name", "lost")
    assert told.returncode == 1 and "Put the copy back" in told.stderr, told.stderr


def works_again(site):
    waiting.until(lambda: not warning(site) and not trouble(site), "it is taken")
    assert site.call(site.key, "m").status == 200
    assert site.call(site.add("vkey", "add", "--name", "after")["key"], "m").status == 200


def database_of(postgres, site):
    """Its name, and the server's own address."""
    name = config_url(site).split("/")[3].split("?")[0]
    return name, f"postgresql://test@/postgres?host={postgres.directory}"


def test_an_emptied_postgres_is_left_alone_until_a_copy_is_back(site, postgres, tmp_path):
    name, server = database_of(postgres, site)
    url, copy = config_url(site), tmp_path / "copy"
    subprocess.run([databases.BINARIES / "pg_dump", "-Fc", "-f", copy, url], check=True)
    postgres.query(server, f"DROP DATABASE {name} WITH (FORCE)")
    postgres.query(server, f"CREATE DATABASE {name}")
    site.gateway.said(REFUSED)
    refuses_and_serves(site)
    assert not site.gateway.stop()
    site.start()
    site.gateway.said(REFUSED)
    refuses_and_serves(site)
    site.gateway.said("records wait in their files")
    assert site.run("ledger", "report").returncode == 1
    assert postgres.query(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == ""
    subprocess.run([databases.BINARIES / "pg_restore", "--single-transaction", "-d", url, copy], check=True)
    works_again(site)
    # What was called while the copy was not there yet is summed up, too.
    waiting.until(lambda: calls(site) >= 5, "all calls are summed up")
    assert calls(site) == 5 and "no fault found" in site.cli("ledger", "verify")


def price_and_budget(site):
    """A key that has money for five calls."""
    price = ("--input", "0", "--output", "0", "--request", "0.01")
    site.cli("price", "add", "--provider", "openai", "--model", "m", *price)
    return site.add("vkey", "add", "--name", "poor", "--budget", "0.05")["key"]


@pytest.mark.parametrize("options", [["--clean", "--if-exists"], []], ids=["over-the-tables", "into-an-empty-database"])
def test_an_older_copy_loses_no_record(site, postgres, tmp_path, options):
    """Also where nobody calls until it is there: then no transaction fails, and nothing tells of it but the marks."""
    key = price_and_budget(site)
    url, copy = config_url(site), tmp_path / "copy"
    assert [site.call(key, "m").status for _ in range(2)] == [200] * 2
    waiting.until(lambda: calls(site) == 3, "they are in the copy")
    subprocess.run([databases.BINARIES / "pg_dump", "-Fc", "-f", copy, url], check=True)
    assert [site.call(key, "m").status for _ in range(2)] == [200] * 2
    waiting.until(lambda: calls(site) == 5, "they are younger than the copy")
    if not options:
        postgres.query(url, "DROP SCHEMA public CASCADE")
        postgres.query(url, "CREATE SCHEMA public")
    restore = [databases.BINARIES / "pg_restore", *options, "--single-transaction", "-d", url, copy]
    subprocess.run(restore, check=True)
    waiting.until(lambda: calls(site) == 5, "they are summed up again without another call")
    assert site.call(key, "m").status == 200
    waiting.until(lambda: calls(site) == 6, "and so are later ones")
    subprocess.run([restore[0], "--clean", "--if-exists", *restore[-4:]], check=True)
    assert not site.gateway.stop()
    site.start()
    assert site.call(key, "m").status == 429, "the budget knows what was spent"
    assert calls(site) == 6 and "no fault found" in site.cli("ledger", "verify")
    postgres.query(url, "UPDATE ledger_sums SET nano_dollars = nano_dollars / 2")
    told = site.run("ledger", "verify")
    assert told.returncode == 1 and "$0.05 were summed up" in told.stdout, told.stdout


def test_a_dropped_schema(site, postgres):
    url = config_url(site)
    postgres.query(url, "DROP SCHEMA public CASCADE")
    postgres.query(url, "CREATE SCHEMA public")
    site.gateway.said(REFUSED)
    refuses_and_serves(site)
    assert "taken as it is" in site.cli("reload", "--force")
    waiting.until(lambda: not warning(site) and not trouble(site), "the empty store is taken")
    assert site.call(site.key, "m").status == 401
    assert site.call(site.furnish(), "m").status == 200


def test_one_order_is_enough_for_two_gateways(postgres, tmp_path):
    url = postgres.new_database()
    sites = []
    try:
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            sites.append(Site(tmp_path / name, {"url": url, "master_key": "00" * 32}))
        key = sites[0].furnish()
        waiting.until(lambda: sites[1].call(key, "m").status == 200, "the other gateway serves it")
        postgres.query(url, "DROP SCHEMA public CASCADE")
        postgres.query(url, "CREATE SCHEMA public")
        for site in sites:
            site.key = key
            refuses_and_serves(site)
        assert "taken as it is" in sites[0].cli("reload", "--force")
        for site in sites:
            waiting.until(lambda at=site: not warning(at) and not trouble(at), "the empty store is taken")
            waiting.until(lambda at=site: at.call(key, "m").status == 401, "nothing of the old one serves")
        key = sites[1].furnish()
        for site in sites:
            waiting.until(lambda at=site: at.call(key, "m").status == 200, "the new store serves")
        taken = [each for each in json.loads(sites[0].cli("audit", "--json"))["data"] if each["action"] == "take"]
        assert len(taken) == 1 and taken[0]["kind"] == "store", taken
    finally:
        for site in sites:
            site.stop()


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_a_file_that_is_taken_away(site):
    file = site.directory / "data" / "objects.sqlite"
    kept = file.with_name("kept")
    with sqlite3.connect(file) as source, sqlite3.connect(kept) as target:
        source.backup(target)
    source.close()
    target.close()
    file.unlink()
    refuses_and_serves(site)
    assert not file.exists()
    # An empty file in its place is no store either.
    file.touch()
    refuses_and_serves(site)
    kept.rename(file)
    works_again(site)
    file.unlink()
    refuses_and_serves(site)
    assert "taken as it is" in site.cli("reload", "--force")
    waiting.until(lambda: not warning(site), "a new store is made")
    assert file.exists() and site.call(site.key, "m").status == 401
    assert site.call(site.furnish(), "m").status == 200


def test_a_read_only_database_is_named_and_its_end_is_seen(site, postgres):
    name, server = database_of(postgres, site)

    def set_read_only(value):
        postgres.query(server, f"ALTER DATABASE {name} SET default_transaction_read_only = {value}")

    def end_sessions():
        postgres.query(server, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")

    set_read_only("on")
    end_sessions()
    site.gateway.said("the database takes no changes")
    waiting.until(lambda: warning(site) == "the store's database is read-only", "/ready says it")
    assert trouble(site) and "read-only" in site.cli("status")
    refused = site.run("vkey", "add", "--name", "no")
    assert refused.returncode == 1 and "read-only" in refused.stderr, refused.stderr
    assert site.call(site.key, "m").status == 200
    site.cli("vkey", "list")
    before = calls(site)
    assert before >= 1, "what is there can be read"
    set_read_only("off")
    works_again(site)
    waiting.until(lambda: calls(site) > before, "what waited is summed up")

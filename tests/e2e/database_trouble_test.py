"""The database of a gateway killed, frozen, slow, missing at the start, and its disk full: no call fails for it, and
every call is in the ledger's sums once when the database is back."""

import csv
import io
import itertools
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import tempfile
import threading
import time
import tomllib
import uuid

import openai
import pytest
from control_plane_test import CANARY, Site
from harness import databases, files, waiting

pytestmark = pytest.mark.xdist_group("database-trouble")

QUERY_SECONDS = 10  # how long the gateway waits for an answer of its database


class Load:
    """Calls, one after the other on two threads, until it is stopped; what did not answer 200."""

    def __init__(self, site, key, tagged=False):
        self.site, self.key, self.tagged = site, key, tagged
        self.answers, self.failures = 0, []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(2)]

    def _run(self):
        while not self._stop.is_set():
            try:
                status = self.site.call(self.key, "m", self._tags()).status
            except OSError as error:
                status = error
            if status != 200:
                self.failures.append(status)
            self.answers += 1

    def _tags(self):
        # Of every call others: so each is a row of the ledger's sums by itself.
        tags = ",".join(f"{uuid.uuid4()}-{uuid.uuid4().hex[:20]}" for _ in range(8))
        return {"X-LLM-Gateway-Tags": tags} if self.tagged else {}

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


def calls(site):
    """How many calls the ledger's sums have."""
    result = site.run("ledger", "report", "--by", "", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout))) if result.returncode == 0 else []
    return int(rows[0]["calls"]) if rows else 0


def settled(site, answered):
    """Every answered call has its record, and every record is summed up once."""
    assert len(site.cli("ledger", "export", "--format", "json").splitlines()) == answered
    waiting.until(lambda: calls(site) >= answered, "all calls are summed up", 60)
    assert calls(site) == answered
    assert "no fault found" in site.cli("ledger", "verify")


@pytest.fixture
def postgres():
    server = databases.Postgres()
    yield server
    server.stop()


@pytest.fixture
def site(postgres, tmp_path):
    site = Site(tmp_path, {"url": postgres.new_database()})
    yield site
    if postgres.process.poll() is None:
        postgres.freeze(False)
    site.stop()


def test_killed_and_back(site, postgres):
    key = site.furnish()
    with Load(site, key) as load:
        postgres.kill()
        site.gateway.said("the database is away")
        waiting.until(lambda: "database away" in site.cli("status"), "the status says so, too")
        load.more()
        refused = site.run("vkey", "add", "--name", "later")
        assert refused.returncode != 0 and "store" in refused.stderr
        postgres.start()
        site.gateway.said("the database is back")
        load.more()
        later = site.add("vkey", "add", "--name", "later")["key"]
    assert site.call(later, "m").status == 200
    settled(site, load.answers + 1)


def test_frozen(site, postgres):
    key = site.furnish()
    with Load(site, key) as load:
        postgres.freeze(True)
        load.more(50)
        site.gateway.said("the database is away")
        load.more(50)
        postgres.freeze(False)
        site.gateway.said("the database is back")
    settled(site, load.answers)


def test_frozen_at_the_end_and_at_the_start(site, postgres):
    """Neither waits for one database as often as there is something to ask it."""
    key, calls_made = site.furnish(), 0
    postgres.freeze(True)

    def in_time():
        nonlocal calls_made
        assert site.call(key, "m").status == 200
        calls_made += 1
        times = [time.monotonic()]
        assert not site.gateway.stop()
        times.append(time.monotonic())
        site.gateway.said("they wait in their files")
        times.append(time.monotonic())
        site.start()
        times.append(time.monotonic())
        assert times[1] - times[0] < 6, "the end waits at most three seconds"
        assert times[3] - times[2] < 10, "the start waits at most seven seconds"

    waiting.undisturbed(in_time, 3)
    assert site.call(key, "m").status == 200
    site.gateway.said("the database is away")
    postgres.freeze(False)
    site.gateway.said("the database is back")
    settled(site, calls_made + 1)


def test_slow(postgres, tmp_path):
    way = databases.SlowWay(postgres)
    site = Site(tmp_path, {"url": way.url(postgres.new_database())})
    try:
        key = site.furnish()
        way.delay = 1
        with Load(site, key) as load:
            load.more(50)
            made = site.add("vkey", "add", "--name", "slowly")["key"]
            load.more(50)
        assert site.call(made, "m").status == 200
        way.delay = 0
        settled(site, load.answers + 1)
    finally:
        way.delay = 0
        site.stop()
        way.stop()


def test_missing_at_the_start(site, postgres):
    key = site.furnish()
    assert not site.gateway.stop()
    postgres.kill()
    site.start()
    with Load(site, key) as load:
        load.more()
        postgres.start()
        site.gateway.said("the database is back")
    assert site.call(site.add("vkey", "add", "--name", "new")["key"], "m").status == 200
    settled(site, load.answers + 1)


def test_a_budget_is_remembered_by_the_database(site, postgres):
    """Also where it was away when the gateway started: then the budget hears of it later."""
    site.furnish()
    price = ("--input", "0", "--output", "0", "--request", "0.01")
    site.cli("price", "add", "--provider", "openai", "--model", "m", *price)
    key = site.add("vkey", "add", "--name", "rich", "--budget", "0.035")["key"]
    assert [site.call(key, "m").status for _ in range(2)] == [200] * 2
    settled(site, 2)
    assert not site.gateway.stop()
    postgres.kill()
    site.start()
    assert site.call(key, "m").status == 200, "nobody can know yet"
    postgres.start()
    site.gateway.said("the database is back")
    settled(site, 3)
    assert site.call(key, "m").status == 429


def test_killed_gateway_leaves_nothing_out(site, postgres):
    key = site.furnish()
    with Load(site, key) as load:
        postgres.kill()
        load.more()
    site.gateway.kill()
    postgres.start()
    site.start()
    settled(site, load.answers)


def test_two_gateways_on_one_database(postgres, tmp_path):
    url = postgres.new_database()
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    master = "00" * 32
    first = Site(tmp_path / "a", {"url": url, "master_key": master})
    second = Site(tmp_path / "b", {"url": url, "master_key": master})
    try:
        key = first.furnish()
        waiting.until(lambda: second.call(key, "m").status == 200, "the other gateway serves it")
        for site in (first, second):
            assert [site.call(key, "m").status for _ in range(3)] == [200] * 3
        waiting.until(lambda: calls(first) >= 7 and calls(second) == calls(first), "both have one ledger")
        assert all("no fault found" in each.cli("ledger", "verify") for each in (first, second))

        def blocked_within_a_second():
            second.cli("vkey", "unblock", "k")
            waiting.until(lambda: first.call(key, "m").status == 200, "it is good")
            second.cli("vkey", "block", "k")
            waiting.until(lambda: first.call(key, "m").status == 401, "and the other way round", 1)

        waiting.undisturbed(blocked_within_a_second)
    finally:
        first.stop()
        second.stop()


def test_responses_are_remembered_by_all_gateways(postgres, tmp_path):
    url = postgres.new_database()
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    master = "00" * 32
    sites = [Site(tmp_path / name, {"url": url, "master_key": master}) for name in ("a", "b")]
    try:
        endpoint = ["--endpoint", sites[0].simulator.url, "--api-key", CANARY]
        sites[0].cli("connection", "add", "--name", "anthropic", "--provider", "anthropic", *endpoint)
        sites[0].cli("model", "add", "--conn-id", "anthropic", "--name", "claude")
        key = sites[0].add("vkey", "add", "--name", "k")["key"]
        waiting.until(lambda: sites[1].call(key, "claude").status == 200, "the other gateway serves it")
        first, second = (openai.OpenAI(base_url=f"{site.url}/v1", api_key=key, max_retries=0) for site in sites)
        made = first.responses.create(model="claude", input="Remember this.")
        assert second.responses.retrieve(made.id).output_text == made.output_text
        after = second.responses.create(model="claude", input="Go on.", previous_response_id=made.id)
        assert first.responses.retrieve(after.id).previous_response_id == made.id
        conversation = first.conversations.create(items=[{"type": "message", "role": "user", "content": "Hello."}])
        second.responses.create(model="claude", input="What did I say?", conversation=conversation.id)
        assert len(first.conversations.items.list(conversation.id).data) >= 3
        # While the database is away a new response is answered, but none can be continued.
        postgres.kill()
        assert first.responses.create(model="claude", input="Hello?").output_text
        with pytest.raises(openai.InternalServerError) as away:
            second.responses.create(model="claude", input="Go on.", previous_response_id=made.id)
        assert "database" in str(away.value)
        postgres.start()
        waiting.until(lambda: _found(second, made.id), "the memory is back")
    finally:
        for site in sites:
            site.stop()


def _found(client, response_id):
    try:
        return client.responses.retrieve(response_id).id == response_id
    except openai.InternalServerError:
        return False


def test_responses_do_not_wait_for_a_frozen_database(site, postgres):
    client = claude(site)
    client.responses.create(model="claude", input="Before.")
    postgres.freeze(True)
    made, took = [], []
    for number in range(5):
        began = time.monotonic()
        made.append(client.responses.create(model="claude", input=f"Remember {number}.").id)
        took.append(time.monotonic() - began)
    assert max(took) < QUERY_SECONDS and statistics.median(took) < 2, "an answer waited for the database"
    postgres.freeze(False)
    for each in made:
        waiting.until(lambda: _found(client, each), "what was made meanwhile is remembered")


def claude(site):
    site.cli("connection", "add", "--name", "a", "--provider", "anthropic", "--endpoint", site.simulator.url,
             "--api-key", CANARY)  # fmt: skip
    site.cli("model", "add", "--conn-id", "a", "--name", "claude")
    key = site.add("vkey", "add", "--name", "r")["key"]
    return openai.OpenAI(base_url=f"{site.url}/v1", api_key=key, max_retries=0)


@pytest.mark.parametrize("trouble", ["frozen", "killed"])
def test_a_killed_gateway_forgets_no_response(site, postgres, trouble):
    """Responses that the database could not take survive kill -9, are there after another start, and only once."""
    client = claude(site)
    conversation = client.conversations.create()
    before = client.responses.create(model="claude", input="Before.", conversation=conversation.id).id
    postgres.freeze(True) if trouble == "frozen" else postgres.kill()
    # What goes on in the conversation has to be read first; these begin their own.
    made = [client.responses.create(model="claude", input=f"Remember {number}.").id for number in range(5)]
    site.gateway.kill()
    spooled = list((site.directory / "data" / "responses").glob("*.spool"))
    assert len(spooled) == 1 and spooled[0].stat().st_mode & 0o777 == 0o600
    postgres.freeze(False) if trouble == "frozen" else postgres.start()
    site.start()
    for each in [before, *made]:
        waiting.until(lambda: _found(client, each), "what was made is remembered")
    waiting.until(lambda: not waits_in_files(site), "nothing waits any more")
    url = config_url(site)
    assert postgres.query(url, "SELECT COUNT(*) FROM responses").strip() == str(len(made) + 1)
    assert postgres.query(url, "SELECT COUNT(*) FROM response_items").strip() == str(2 * (len(made) + 1))
    after = client.responses.create(model="claude", input="Go on.", previous_response_id=made[-1])
    assert after.previous_response_id == made[-1]


SPOOL_HEAD_BYTES = 16


def waits_in_files(site):
    """The files with responses that the database has not taken yet."""
    found = files.contents(site.directory / "data" / "responses", "*.spool")
    return [path for path, data in found if len(data) > SPOOL_HEAD_BYTES]


FULL_BY_TRIGGER = """
CREATE FUNCTION disk_full() RETURNS trigger AS $$ BEGIN
  RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100';
END $$ LANGUAGE plpgsql;
"""


def test_a_full_disk_of_the_database(site, postgres):
    """PostgreSQL refuses every row with 53100: no call fails, and when there is room again each is summed up once."""
    key = site.furnish()
    url = config_url(site)
    waiting.until(lambda: site.call(key, "m").status == 200 and calls(site) >= 1, "the ledger's tables are there")
    before = len(site.cli("ledger", "export", "--format", "json").splitlines())
    tables = postgres.query(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'").split()
    postgres.query(url, FULL_BY_TRIGGER)
    for table in tables:
        trigger = f"CREATE TRIGGER full_{table} BEFORE INSERT OR UPDATE ON {table} EXECUTE FUNCTION disk_full()"
        postgres.query(url, trigger)
    with Load(site, key) as load:
        site.gateway.said("records; they wait in their files")
        load.more(50)
        refused = site.run("vkey", "add", "--name", "no-room")
        assert refused.returncode == 1 and "no room left" in refused.stderr, refused.stderr
        for table in tables:
            postgres.query(url, f"DROP TRIGGER full_{table} ON {table}")
        load.more()
        site.cli("vkey", "add", "--name", "room-again")
    settled(site, load.answers + before)


@pytest.fixture
def small_disk():
    """A function that mounts a file system of so many megabytes; skips where that is not allowed."""
    mounted = []

    def mount(path, megabytes, mode="700"):
        path.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode={mode}", "tmpfs", str(path)]
        if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
            pytest.skip("mounting a small disk is not allowed here")
        mounted.append(path)
        return path

    yield mount
    for path in mounted:
        subprocess.run(["umount", "-l", str(path)], check=False)
        shutil.rmtree(path, ignore_errors=True)


def fill(directory):
    """Takes all the room there is; the file to remove."""
    filler = directory / "filler"
    with open(filler, "ab", buffering=0) as file:
        for size in (1 << 20, 4096):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                pass
    return filler


def test_a_full_disk_under_the_database(postgres, small_disk, tmp_path):
    """PostgreSQL's own disk, really full: no call fails, and when there is room again each is summed up once."""
    # Not below pytest's own directories, which the server's user may not enter.
    disk = small_disk(pathlib.Path(tempfile.mkdtemp(prefix="llmgw-disk-", dir="/tmp")), 24, "777")
    space = disk / "space"
    space.mkdir()
    postgres.own(space)
    url = postgres.new_database(space)
    (tmp_path / "site").mkdir()
    site = Site(tmp_path / "site", {"url": url})
    try:
        key = site.furnish()
        with Load(site, key, tagged=True) as load:
            waiting.until(lambda: calls(site) >= 1, "the ledger's tables are there")
            filler = fill(disk)
            site.gateway.said("records; they wait in their files")
            load.more(100)
            filler.unlink()
            load.more()
        settled(site, load.answers)
    finally:
        site.stop()
        postgres.kill()


def test_an_unreachable_database_is_named_without_its_password(tmp_path):
    site = Site(tmp_path, {"url": "sqlite"})
    try:
        for url, says in [
            ("postgresql://me:the-password@127.0.0.1:1/none", "it cannot be reached: connection to server at"),
            ("postgresql://me:the-password@[nonsense/none", "its URL cannot be read"),
        ]:
            other = tmp_path / "other.toml"
            other.write_text(site.config_file.read_text().replace('"sqlite"', f'"{url}"'))
            refused = site.run("vkey", "list", "--config", str(other))
            assert refused.returncode == 1 and says in refused.stderr, refused.stderr
            assert "the-password" not in refused.stderr
    finally:
        site.stop()


def config_url(site):
    return tomllib.loads(site.config_file.read_text())["store"]["url"]


def test_a_full_disk(small_disk, tmp_path):
    """The data directory's disk, with the database, the ledger's files and the responses' on it."""
    data = small_disk(tmp_path / "data", 48)
    site = Site(tmp_path, {"url": "sqlite"})
    client = claude(site)
    key = site.furnish()
    with Load(site, key) as load:
        filler = fill(data)
        numbers = itertools.count()

        def refused():
            fill(data)  # what was written meanwhile may have made room
            return site.run("vkey", "add", "--name", f"n{next(numbers)}").returncode != 0

        waiting.until(refused, "a change is refused")
        made = [client.responses.create(model="claude", input="x" * 50_000).id for _ in range(3)]
        load.more(200)
        filler.unlink()
        site.cli("vkey", "add", "--name", "after")
        for each in made:
            waiting.until(lambda: _found(client, each), "what was made meanwhile is remembered")
    settled(site, load.answers + len(made))
    site.stop()


def test_an_end_waits_for_room_for_what_is_in_memory(small_disk, tmp_path):
    """With no room for a segment, records are in memory alone; a process that ends keeps them."""
    data = small_disk(tmp_path / "data", 7)
    site = Site(tmp_path, {"url": "sqlite"})
    key = site.furnish()
    site.gateway.said("no segment can be made")
    filler = fill(data)
    with Load(site, key) as load:
        load.more(60)
    site.gateway.process.send_signal(signal.SIGTERM)
    site.gateway.said("the end waits for room")
    assert site.gateway.alive()
    filler.unlink()
    waiting.until(lambda: not site.gateway.alive(), "it ends when there is room")
    assert "lost" not in site.gateway.text()
    site.start()
    settled(site, load.answers)
    site.stop()


def test_a_corrupt_database_does_not_stop_what_was_saved(tmp_path):
    site = Site(tmp_path, {"url": "sqlite"})
    key = site.furnish()
    assert not site.gateway.stop()
    for path in pathlib.Path(tmp_path / "data").glob("objects.sqlite*"):
        path.write_bytes(b"this is no database" * 1000)
    site.start()
    assert site.call(key, "m").status == 200
    site.gateway.said("the database is away")
    site.stop()

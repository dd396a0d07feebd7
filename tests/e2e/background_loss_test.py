"""Responses in the background whose gateway is killed: whoever reads them is told that they have failed."""

import contextlib
import sqlite3
import threading

import openai
import pytest

from harness import canned, databases, governed, waiting

pytestmark = pytest.mark.xdist_group("database-trouble")

KEY = "canary-client-key-of-background-loss"
# Sanitizer builds on two busy cores are slow, and a gateway listens for ten seconds first.
SECONDS = 60


@pytest.fixture(params=["sqlite", "postgres"])
def database(request):
    """The settings of a store, and what carries out a statement in that of a gateway."""
    if request.param == "sqlite":

        def run(gateway, sql):
            with contextlib.closing(sqlite3.connect(gateway.data_dir / "responses.sqlite")) as opened, opened:
                opened.execute(sql)

        yield {"url": "sqlite"}, run
        return
    server = databases.Postgres()
    url = server.new_database()
    yield {"url": url}, lambda gateway, sql: server.query(url, sql)
    server.stop()


@pytest.fixture
def upstream():
    gate = threading.Event()
    begun = canned.chat_events([{"index": 0, "delta": {"role": "assistant", "content": "ping"}}], done=False)

    def answer(request):
        def pieces():
            yield begun
            gate.wait(SECONDS)

        if request.json().get("stream"):
            return 200, pieces()
        gate.wait(SECONDS)
        return 503, {}

    server = canned.Canned(answer)
    yield server
    gate.set()
    server.stop()


def status_of(client, name):
    return client.responses.retrieve(name).status


def test_a_killed_gateway_takes_its_responses_with_it(tmp_path, database, upstream):
    store, run = database
    connection = {"name": "c", "provider": "openai", "api": "chat", "endpoint": upstream.url, "api_key": "canary"}
    sections = {
        "connections": [connection],
        "models": [{"name": "m", "connection": "c"}],
        "keys": [{"name": "client", "key": KEY}],
        "prices": [],
        "store": store,
    }
    with governed.running(tmp_path) as site:
        maker = site.gateway("maker", **sections)
        # The others of a database go on; what a file's gateway has made is found when it is started again.
        other = None if store["url"] == "sqlite" else site.gateway("other", **sections)
        with contextlib.closing(openai.OpenAI(base_url=maker.url + "/v1", api_key=KEY, max_retries=0)) as client:
            plain = client.responses.create(model="m", input="x", background=True).id
            stream = client.responses.create(model="m", input="x", background=True, stream=True)
            streamed = next(event for event in stream if event.type == "response.created").response.id
            next(event for event in stream if event.type == "response.output_text.delta")
            waiting.until(lambda: status_of(client, plain) == "in_progress", "it goes on")
        site.kill(maker)
        reader = other or site.again(maker)
        with contextlib.closing(openai.OpenAI(base_url=reader.url + "/v1", api_key=KEY, max_retries=0)) as client:
            assert status_of(client, plain) == "in_progress", "it may still be made"
            run(reader, "UPDATE response_heartbeats SET heard_at = heard_at - 61")
            for name in (plain, streamed):
                waiting.until(lambda name=name: status_of(client, name) == "failed", "it is lost", SECONDS)
                found = client.responses.retrieve(name)
                assert (found.error.code, found.error.message) == (
                    "server_error",
                    "The gateway that made this response has ended.",
                )
            events = list(client.responses.retrieve(streamed, stream=True))
            assert [event.sequence_number for event in events] == list(range(len(events)))
            assert events[0].type == "response.created" and events[-1].type == "response.failed"

"""How a call that did not end well is told of: in the log, in the metrics and in the ledger, all the same."""

import asyncio
import datetime
import json
import os
import signal
import socket
import subprocess
import time

import h2.config
import h2.connection
import h2.events
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK
from websockets.frames import CloseCode

from harness import config, governed, metrics, processes, raw, waiting, world
from harness.upstream import Upstream, begin_websocket, chat_chunk, echo_frame, script, sse

pytestmark = pytest.mark.xdist_group("endings")

KEY = world.canary("endings")
PIECE = "word " * 2000
LONG_BYTES = 12 << 20  # more than all buffers between two sockets hold


async def flood(connection, event):
    """More than any socket's buffers hold, until nobody takes it any more."""
    await connection.begin_stream()
    for _ in range(20_000):
        await connection.chunk(event)


@script("floods")
async def floods(connection, request):
    await flood(connection, sse(chat_chunk(PIECE), done=False)[0])


@script("floods-messages")
async def floods_messages(connection, request):
    await connection.begin_stream()
    start, block, delta = sse(
        {"type": "message_start", "message": {"id": "m", "content": [], "usage": {"input_tokens": 3}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": PIECE}},
        done=False,
    )
    await connection.chunk(start + block)
    for _ in range(20_000):
        await connection.chunk(delta)


@script("aborts-websocket")
async def aborts_websocket(connection, request):
    await begin_websocket(connection, request)
    await echo_frame(connection)
    await connection.upstream.released(request)
    connection.reset()


@script("cuts-websocket")
async def cuts_websocket(connection, request):
    """Ends in order as far as TCP knows, and without a Close frame."""
    await begin_websocket(connection, request)
    await echo_frame(connection)
    await connection.upstream.released(request)
    connection.writer.close()


@script("floods-websocket")
async def floods_websocket(connection, request):
    await begin_websocket(connection, request)
    for _ in range(20_000):
        await connection.write(b"\x82\x7e\x27\x10" + b"x" * 10_000)


@script("long-message")
async def long_message(connection, request):
    text = [{"type": "text", "text": "word " * (LONG_BYTES // 5)}]
    usage = {"input_tokens": 3, "output_tokens": 5}
    message = {"id": "m", "type": "message", "role": "assistant", "model": "claude", "content": text}
    await connection.answer(json.dumps(message | {"stop_reason": "end_turn", "usage": usage}).encode())


class Site:
    def __init__(self, directory, server, ready_port=None):
        self.directory = directory
        [port] = processes.free_ports(1)
        self.upstream = Upstream()
        (directory / "data").mkdir(mode=0o700)
        self.file = directory / "gateway.toml"
        plain = {"name": "plain", "provider": "openai", "endpoint": self.upstream.url, "api_key": "any"}
        claude = {"name": "claude", "provider": "anthropic", "endpoint": self.upstream.url, "api_key": "any"}
        self.file.write_text(
            config.toml(
                {
                    "server": {"listen": f"127.0.0.1:{port}", "data_dir": str(directory / "data")} | server,
                    "connections": [
                        plain,
                        claude | {"headers": {"x-script": "floods-messages"}},
                        claude | {"name": "long", "headers": {"x-script": "long-message"}},
                        plain | {"name": "hanging", "headers": {"x-script": "hang"}},
                    ],
                    "models": [{"name": name, "connection": name} for name in ("plain", "claude", "long", "hanging")],
                    "keys": [{"name": "endings", "key": KEY}],
                }
            )
        )
        serve = ["serve", "--config", str(self.file)]
        self.gateway = processes.Process("gateway", serve, port, "/ready", directory, ready_port=ready_port)

    def stop(self):
        problems = self.gateway.stop() if self.gateway.alive() else []
        self.upstream.stop()
        assert not problems, "\n".join(problems)

    def lines(self, message):
        return [line for line in self.gateway.records() if line["msg"] == message]

    def ended(self, request_id):
        """The line of a request that has ended."""
        return waiting.until(
            lambda: [line for line in self.lines("request") if line["request_id"] == request_id], "the call has ended"
        )[0]

    def outcome(self, request_id):
        def found():
            done = subprocess.run(
                [processes.binary(), "ledger", "export", "--format", "json", "--config", str(self.file)],
                capture_output=True,
                check=True,
                timeout=60,
            )
            records = [json.loads(line) for line in done.stdout.splitlines()]
            return [record["outcome"] for record in records if record["id"] == request_id]

        return waiting.until(found, "the ledger has it")

    def headers(self, request_id, how=None):
        own = [("Authorization", f"Bearer {KEY}"), ("X-Request-ID", request_id)]
        return [*own, ("x-script", how)] if how else own

    def connect(self, receive_bytes=4096):
        sock = socket.socket()
        if receive_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        sock.settimeout(30)
        sock.connect(self.gateway.address)
        return sock

    def ask(self, request_id, model="plain", how=None, stream=True):
        """The bytes of a call."""
        messages = [{"role": "user", "content": "x"}]
        body = json.dumps({"model": model, "stream": stream, "max_tokens": 9, "messages": messages})
        headers = [*self.headers(request_id, how), ("Content-Type", "application/json")]
        return raw.request("POST", "/v1/chat/completions", headers, body.encode())

    def begin(self, request_id, model="plain", how=None, receive_bytes=4096):
        """A stream whose client has its first bytes."""
        sock = self.connect(receive_bytes)
        sock.sendall(self.ask(request_id, model, how))
        assert sock.recv(12) == b"HTTP/1.1 200"
        return sock

    def begin_h2(self, request_id, how, target="/v1/chat/completions", body=None):
        sock = socket.create_connection(self.gateway.address, timeout=30)
        session = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        session.initiate_connection()
        pseudo = [(":method", "POST"), (":path", target), (":scheme", "http"), (":authority", "x")]
        headers = [(name.lower(), value) for name, value in self.headers(request_id, how)]
        session.send_headers(1, pseudo + headers)
        session.send_data(1, body or b'{"model":"plain","stream":true,"messages":[]}', end_stream=True)
        sock.sendall(session.data_to_send())
        return sock, session

    def websocket(self, request_id, how=None):
        url = f"ws://127.0.0.1:{self.gateway.port}/v1/realtime?model=plain"
        return connect(url, additional_headers=self.headers(request_id, how), proxy=None, max_size=None)


@pytest.fixture(scope="module", name="impatient")
def make_impatient(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("impatient"), {"write_timeout": "300ms"})
    yield site
    site.stop()


@pytest.fixture(scope="module", name="patient")
def make_patient(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("patient"), {})
    yield site
    site.stop()


@pytest.fixture(name="steady")
def make_steady(tmp_path):
    site = Site(tmp_path, {"write_timeout": "2s"})
    yield site
    site.stop()


@pytest.fixture(name="short")
def make_short(tmp_path):
    site = Site(tmp_path, {"drain_timeout": "1s"})
    yield site
    site.stop()


def errors(site, error_type):
    return metrics.total(metrics.scrape(site.gateway), "llm_errors_total", error_type=error_type)


@pytest.mark.parametrize("model, how", [("plain", "floods"), ("claude", None)], ids=["passed on", "converted"])
def test_a_client_that_takes_nothing_is_no_success(impatient, request_id, model, how):
    before = errors(impatient, "write_timeout")
    with impatient.begin(request_id, model, how) as sock:
        line = impatient.ended(request_id)
        assert line["error_type"] == "write_timeout" and line["status"] == 200
        # What it did not take is not kept for it.
        with pytest.raises(ConnectionResetError):
            while sock.recv(1 << 16):
                pass
    assert errors(impatient, "write_timeout") == before + 1
    assert impatient.outcome(request_id) == ["cancelled"]


def test_neither_is_one_over_http2(impatient, request_id):
    before = errors(impatient, "write_timeout")
    sock, session = impatient.begin_h2(request_id, "floods")
    with sock:
        seen = []
        # Its window is never opened again.
        while not any(isinstance(event, h2.events.StreamReset) for event in seen):
            received = sock.recv(1 << 16)
            assert received, "the connection ended, and not the stream alone"
            seen += session.receive_data(received)
    assert impatient.ended(request_id)["error_type"] == "write_timeout"
    assert errors(impatient, "write_timeout") == before + 1
    assert impatient.outcome(request_id) == ["cancelled"]


def test_one_that_reads_slowly_but_steadily_is_served(steady, request_id):
    pieces = 0
    with steady.begin(request_id, how="floods", receive_bytes=None) as sock:
        # 200 KB a second. On loopback the kernel tells of 128 KB at a time; with all that its buffers can grow to, it
        # would tell of nothing for more than 4 s.
        end = time.monotonic() + 3 * 2
        while time.monotonic() < end:
            assert sock.recv(20_000), "it was cut"
            pieces += 1
            time.sleep(0.1)
    assert pieces > 20
    assert steady.ended(request_id)["error_type"] == "client_closed"


def test_an_answer_whose_last_bytes_nobody_takes(impatient, request_id):
    """Its record stands before its last byte goes out, so that no complete answer is without one (docs/money.md): the
    ledger says what the provider did, the log what became of it."""
    with impatient.connect() as sock:
        sock.sendall(impatient.ask(request_id, model="long", stream=False))
        line = impatient.ended(request_id)
    assert line["error_type"] == "write_timeout" and line["status"] == 200
    assert line["bytes_out"] < LONG_BYTES / 2, "what was written is counted, not what was to be"
    assert line["output_tokens"] == 5
    assert impatient.outcome(request_id) == ["completed"]


def test_a_client_that_ends_its_sending_side_has_left(patient, request_id):
    """Who closes looks the same, and a model's time is too dear to talk to nobody."""
    with patient.connect() as sock:
        sock.sendall(patient.ask(request_id, how="hang"))
        sock.shutdown(socket.SHUT_WR)
        line = patient.ended(request_id)
    assert line["error_type"] == "client_closed" and "status" not in line
    waiting.until(lambda: patient.upstream.waiting["hang"] == 0, "the upstream is told")


def test_a_client_that_leaves_is_another_thing(patient, request_id):
    raw.reset(patient.begin(request_id, how="hang-in-stream"))
    assert patient.ended(request_id)["error_type"] == "client_closed"
    assert patient.outcome(request_id) == ["cancelled"]


def test_a_websocket_whose_upstream_breaks(patient, request_id):
    payload = os.urandom(1 << 20)
    before = errors(patient, "upstream_failed")

    async def talk():
        async with patient.websocket(request_id, "aborts-websocket") as client:
            await client.send(payload)
            assert await client.recv() == payload
            patient.upstream.release(request_id)
            with pytest.raises(ConnectionClosedError):
                await client.recv()

    asyncio.run(talk())
    line = patient.ended(request_id)
    assert line["error_type"] == "upstream_failed" and line["status"] == 101
    # The frames' heads are counted as well.
    assert all(len(payload) < line[name] < len(payload) + 100 for name in ("bytes_in", "bytes_out"))
    [broke] = waiting.until(
        lambda: [each for each in patient.lines("upstream broke off") if each["request_id"] == request_id],
        "the break has its line",
    )
    assert broke["connection"] == "plain" and broke["error"] == "reset"
    assert errors(patient, "upstream_failed") == before + 1
    assert patient.outcome(request_id) == ["cut"]


def test_a_websocket_that_its_upstream_ends_without_a_word(patient, request_id):
    async def talk():
        async with patient.websocket(request_id, "cuts-websocket") as client:
            await client.send("hello")
            assert await client.recv() == "hello"
            patient.upstream.release(request_id)
            with pytest.raises(ConnectionClosedError):
                await client.recv()

    asyncio.run(talk())
    assert patient.ended(request_id)["error_type"] == "upstream_failed"
    [broke] = waiting.until(
        lambda: [each for each in patient.lines("upstream broke off") if each["request_id"] == request_id],
        "the break has its line",
    )
    assert broke["error"] == "closed" and "Close frame" in str(broke)
    assert patient.outcome(request_id) == ["cut"]


@pytest.mark.parametrize("how", ["ends", "aborts"])
def test_a_websocket_that_its_client_leaves_without_a_word(patient, request_id, how):
    async def talk():
        client = await patient.websocket(request_id)
        await client.send("hello")
        assert await client.recv() == "hello"
        client.transport.close() if how == "ends" else client.transport.abort()

    asyncio.run(talk())
    assert patient.ended(request_id)["error_type"] == "client_closed"
    assert patient.outcome(request_id) == ["cancelled"]


def test_a_websocket_whose_client_takes_nothing(impatient, request_id):
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    key = {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    own = dict(impatient.headers(request_id, "floods-websocket"))
    with impatient.connect() as sock:
        sock.sendall(raw.request("GET", "/v1/realtime?model=plain", upgrade | key | own))
        assert sock.recv(12) == b"HTTP/1.1 101"
        assert impatient.ended(request_id)["error_type"] == "write_timeout"
        with pytest.raises(ConnectionResetError):
            while sock.recv(1 << 16):
                pass
    assert impatient.outcome(request_id) == ["cancelled"]


def test_a_websocket_that_ends_in_order(patient, request_id):
    async def talk():
        async with patient.websocket(request_id) as client:
            await client.send("hello")
            assert await client.recv() == "hello"

    asyncio.run(talk())
    line = patient.ended(request_id)
    assert "error_type" not in line and line["bytes_in"] > 5 and line["bytes_out"] > 5
    assert patient.outcome(request_id) == ["completed"]


def test_what_a_drain_cuts_off_did_not_leave(short, request_id):
    ids = {how: f"{request_id}-{how}" for how in ("http1", "http2", "websocket")}
    begun = datetime.datetime.now(datetime.timezone.utc)

    async def talk():
        async with short.websocket(ids["websocket"]) as client:
            await client.send("hello")
            assert await client.recv() == "hello"
            short.gateway.process.send_signal(signal.SIGTERM)
            with pytest.raises(ConnectionClosedOK) as closed:
                await client.recv()
            assert closed.value.rcvd.code == CloseCode.GOING_AWAY

    first = short.begin(ids["http1"], how="hang-in-stream")
    second, _ = short.begin_h2(ids["http2"], "hang-in-stream")
    with first, second:
        waiting.until(lambda: short.upstream.waiting["hang-in-stream"] == 2, "both streams run")
        asyncio.run(talk())
        assert short.gateway.process.wait(60) == 0
    ended = datetime.datetime.now(datetime.timezone.utc)
    for each in ids.values():
        assert short.ended(each)["error_type"] == "drain_timeout", each
        assert short.outcome(each) == ["cut"], each
    [*cut] = short.lines("requests cut off at the end of the drain")
    assert sum(line["requests"] for line in cut) == 3
    # Every line has the time at which it was written.
    written = [datetime.datetime.fromisoformat(line["ts"]) for line in cut]
    second = datetime.timedelta(seconds=1)
    assert all(begun + second <= time <= ended for time in written), written


def told_h2(sock, session):
    """Status and body of the answer to the only request."""
    status, text = None, b""
    while received := sock.recv(1 << 16):
        for event in session.receive_data(received):
            assert not isinstance(event, h2.events.StreamReset), event
            if isinstance(event, h2.events.ResponseReceived):
                status = int({bytes(name): value for name, value in event.headers}[b":status"])
            if isinstance(event, h2.events.DataReceived):
                text += event.data
            if isinstance(event, h2.events.StreamEnded):
                return status, text
            if isinstance(event, h2.events.ConnectionTerminated):
                # The library takes a GOAWAY for the end; RFC 9113, section 6.8, does not.
                session.state_machine.state = h2.connection.ConnectionState.CLIENT_OPEN
    return status, text


@pytest.mark.parametrize("target, expected", [("/v1/chat/completions", 503), ("/v1/messages", 529)])
@pytest.mark.parametrize("version", ["http1", "http2"])
def test_what_has_no_answer_at_the_end_of_a_drain_is_told_so(short, request_id, version, target, expected):
    body = b'{"model":"hanging","max_tokens":9,"messages":[{"role":"user","content":"x"}]}'
    headers = [*short.headers(request_id), ("Content-Type", "application/json")]
    if version == "http1":
        sock = short.connect(None)
        sock.sendall(raw.request("POST", target, headers, body))
    else:
        sock, session = short.begin_h2(request_id, None, target, body)
    with sock:
        waiting.until(lambda: short.upstream.waiting["hang"] == 1, "the upstream has it")
        short.gateway.process.send_signal(signal.SIGTERM)
        if version == "http1":
            received, _ = raw.receive_all(sock)
            [answer] = raw.parse_answers(received)
            status, text = answer.status, answer.body
        else:
            status, text = told_h2(sock, session)
        error = json.loads(text)["error"]
        assert status == expected and "the gateway ends" in error["message"]
        assert short.gateway.process.wait(60) == 0
    line = short.ended(request_id)
    assert line["status"] == expected and line["error_type"] == "drain_timeout"
    assert short.outcome(request_id) == ["cut"]


def test_what_a_drain_cuts_off_looks_cut(short, request_id):
    """A chunked stream lacks its last chunk, and what came before it arrives; where the end of the connection is the
    end of the answer, the connection is reset."""
    chunked = short.begin(f"{request_id}-1", how="hang-in-stream")
    old = short.connect()
    old.sendall(short.ask(f"{request_id}-0", how="hang-in-stream").replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1))
    with chunked, old:
        waiting.until(lambda: short.upstream.waiting["hang-in-stream"] == 2, "both streams run")
        assert old.recv(12) == b"HTTP/1.1 200"
        short.gateway.process.send_signal(signal.SIGTERM)
        received = b""
        while piece := chunked.recv(1 << 16):
            received += piece
        assert b"begun" in received and not received.endswith(b"0\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            while old.recv(1 << 16):
                pass
        assert short.gateway.process.wait(60) == 0


class Simulated:
    """A gateway before a simulator that speaks the API of each client."""

    def __init__(self, directory):
        port, simulator_port = processes.free_ports(2)
        listen = ["simulate", "--listen", f"127.0.0.1:{simulator_port}"]
        self.simulator = processes.Process("simulator", listen, simulator_port, "/health", directory)
        (directory / "data").mkdir(mode=0o700)
        file = directory / "gateway.toml"
        endpoint = {"endpoint": f"http://127.0.0.1:{simulator_port}", "api_key": "any"}
        providers = {"openai": endpoint | {"api": "both"}, "anthropic": endpoint, "google": endpoint}
        file.write_text(
            config.toml(
                {
                    "server": {"listen": f"127.0.0.1:{port}", "data_dir": str(directory / "data")},
                    "connections": [{"name": name, "provider": name} | more for name, more in providers.items()],
                    "models": [{"name": name, "connection": name} for name in providers],
                    "keys": [{"name": "endings", "key": KEY}],
                }
            )
        )
        self.gateway = processes.Process("gateway", ["serve", "--config", str(file)], port, "/ready", directory)
        self.gateway.config_file = file

    def stop(self):
        problems = self.gateway.stop() + self.simulator.stop()
        assert not problems, "\n".join(problems)

    def told(self, request_id):
        """What the log and the ledger say of it."""

        def found():
            lines = [line for line in self.gateway.records() if line["msg"] == "request"]
            return [line for line in lines if line["request_id"] == request_id]

        [line] = waiting.until(found, "the call has ended")
        [record] = waiting.until(
            lambda: [each for each in governed.export(self.gateway) if each["id"] == request_id], "the ledger has it"
        )
        return line, record

    def counted(self, provider, error_type):
        found = metrics.scrape(self.gateway)
        asked = {"provider": provider, "instance": provider}
        return [
            metrics.total(found, "llm_errors_total", provider=provider, error_type=error_type),
            metrics.total(found, "llm_gateway_instance_requests_total", status="failure", **asked),
            metrics.total(found, "llm_gateway_instance_requests_total", status="success", **asked),
        ]


@pytest.fixture(scope="module", name="simulated")
def make_simulated(tmp_path_factory):
    site = Simulated(tmp_path_factory.mktemp("simulated"))
    yield site
    site.stop()


ASKED = [{"role": "user", "content": "x"}]
GEMINI = "/v1beta/models/google:streamGenerateContent"
APIS = {
    "chat": ("openai", "/v1/chat/completions", {"model": "openai", "messages": ASKED}),
    "completions": ("openai", "/v1/completions", {"model": "openai", "prompt": "x"}),
    "responses": ("openai", "/v1/responses", {"model": "openai", "input": "x"}),
    "messages": ("anthropic", "/v1/messages", {"model": "anthropic", "max_tokens": 50, "messages": ASKED}),
    "gemini": ("google", GEMINI + "?alt=sse", {"contents": [{"parts": [{"text": "x"}]}]}),
    "gemini-array": ("google", GEMINI, {"contents": [{"parts": [{"text": "x"}]}]}),
}


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize(
    "fault, error_type",
    [("tokens=9", None), ("error-event=after:5; status=429", "rate_limited"), ("cut=after:5", "upstream_failed")],
    ids=["whole", "error", "cut"],
)
def test_a_stream_that_fails_with_200_is_no_success(simulated, request_id, api, fault, error_type):
    provider, target, body = APIS[api]
    before = simulated.counted(provider, error_type)
    headers = [("Authorization", f"Bearer {KEY}"), ("X-Request-ID", request_id), ("x-simulate", fault)]
    asked = body if "gemini" in api else body | {"stream": True}
    answer = raw.post_json(simulated.gateway.address, target, asked, headers)
    assert answer.status == 200
    line, record = simulated.told(request_id)
    failed = error_type is not None
    assert line.get("error_type") == error_type and line["status"] == 200
    assert record["outcome"] == ("cut" if failed else "completed")
    # What has come is counted, and no more; four bytes of text are a token.
    assert abs(record["output"] - (5 if failed else 9)) <= 2
    now = simulated.counted(provider, error_type)
    assert [now - then for now, then in zip(now, before)] == ([1, 1, 0] if failed else [0, 0, 1])

"""The WebSocket relay of /v1/realtime, with a real client."""

import asyncio
import os
import ssl

import pytest
from endings_test import Site
from handover_test import write_certificate
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from harness import metrics, processes, raw, waiting

pytestmark = pytest.mark.xdist_group("wire")


def url(wire, model="scripted"):
    return f"ws://127.0.0.1:{wire.gateway.port}/v1/realtime?model={model}"


def headers(wire, request_id, key=None):
    return {"Authorization": f"Bearer {key or wire.keys.full}", "X-Request-ID": request_id}


def open_socket(wire, request_id, **more):
    return connect(url(wire), additional_headers=headers(wire, request_id), proxy=None, max_size=None, **more)


def test_messages_go_both_ways(wire, request_id):
    async def talk():
        async with open_socket(wire, request_id, subprotocols=["realtime"]) as socket:
            assert socket.subprotocol == "realtime"
            for message in ("hello", "caf\u00e9 \u2713", b"\x00\xff" * 100, "x" * 70_000, b""):
                await socket.send(message)
                assert await socket.recv() == message
            await asyncio.wait_for(await socket.ping(b"are you there"), 20)
            for number in range(200):
                await socket.send(f"message {number}")
            assert [await socket.recv() for _ in range(200)] == [f"message {number}" for number in range(200)]

    asyncio.run(talk())
    [seen] = wire.upstream.find(request_id)
    assert seen.target == "/v1/realtime?model=scripted-remote"
    assert seen.header("authorization") == f"Bearer {wire.keys.scripted}"


def test_large_messages_with_back_pressure(wire, request_id):
    async def talk():
        payload = os.urandom(1 << 20)
        async with open_socket(wire, request_id) as socket:
            for _ in range(4):
                await socket.send(payload)
                assert await socket.recv() == payload

    asyncio.run(talk())


@pytest.mark.parametrize(
    "model, key, status", [("scripted", "wrong-key-wrong", 401), ("no-such-model", None, 404), ("dead", None, 502)]
)
def test_refusals_come_before_the_upgrade(wire, request_id, model, key, status):
    async def talk():
        with pytest.raises(InvalidStatus) as error:
            async with connect(url(wire, model), additional_headers=headers(wire, request_id, key), proxy=None):
                pass
        assert error.value.response.status_code == status

    asyncio.run(talk())


@pytest.mark.parametrize("query", ["call_id=rtc_1", "intent=transcription"])
def test_a_session_that_names_its_model_itself(wire, request_id, query):
    own = {**headers(wire, request_id), "x-llm-gateway-connection": "scripted-openai"}

    async def talk():
        at = f"ws://127.0.0.1:{wire.gateway.port}/v1/realtime?{query}"
        async with connect(at, additional_headers=own, proxy=None) as socket:
            await socket.send("hello")
            assert await socket.recv() == "hello"

    asyncio.run(talk())
    [seen] = wire.upstream.find(request_id)
    assert seen.target == f"/v1/realtime?{query}"
    assert seen.header("authorization") == f"Bearer {wire.keys.scripted}"


@pytest.mark.parametrize("right", [True, False])
def test_a_browsers_key_among_the_protocols_stays_here(wire, request_id, right):
    key = wire.keys.full if right else "wrong-key-wrong"

    async def talk():
        protocols = ["realtime", f"openai-insecure-api-key.{key}", "openai-beta.realtime-v1"]
        own = {"X-Request-ID": request_id}
        async with connect(url(wire), additional_headers=own, subprotocols=protocols, proxy=None) as socket:
            assert socket.subprotocol == "realtime"
            await socket.send("hello")
            assert await socket.recv() == "hello"

    if right:
        asyncio.run(talk())
        [seen] = wire.upstream.find(request_id)
        assert seen.header("sec-websocket-protocol") == "realtime, openai-beta.realtime-v1"
        assert seen.header("authorization") == f"Bearer {wire.keys.scripted}" and key.encode() not in seen.head
    else:
        with pytest.raises(InvalidStatus) as error:
            asyncio.run(talk())
        assert error.value.response.status_code == 401 and not wire.upstream.find(request_id)


def test_a_client_that_leaves_ends_the_upstream_connection(wire, request_id):
    before = wire.upstream.open_connections

    async def talk():
        socket = await open_socket(wire, request_id)
        await socket.send("hello")
        assert await socket.recv() == "hello"
        assert wire.upstream.waiting["json"] >= 1
        socket.transport.abort()

    asyncio.run(talk())
    waiting.until(lambda: wire.upstream.waiting["json"] == 0, "the upstream's socket is closed")
    metrics.wait_until_idle(wire.gateway)
    waiting.until(lambda: wire.upstream.open_connections <= before + 1, "the upstream has noticed")


def test_without_an_upgrade(wire):
    answer = raw.call(wire.address, "GET", "/v1/realtime?model=scripted", wire.bearer())
    assert answer.status == 426 and answer.json()["error"]["message"]


HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@pytest.mark.parametrize(
    "changed, status",
    [
        ({"Upgrade": "h2c"}, 426),
        ({"Upgrade": "h2c", "Connection": "Upgrade, HTTP2-Settings", "HTTP2-Settings": "AAMAAABkAAQAoAAAAAIAA"}, 426),
        ({"Sec-WebSocket-Version": "8"}, 426),
        ({"Sec-WebSocket-Key": "short"}, 400),
    ],
)
def test_what_is_no_handshake_reaches_no_provider(wire, request_id, changed, status):
    sent = HANDSHAKE | headers(wire, request_id) | changed
    answer = raw.call(wire.address, "GET", "/v1/realtime?model=scripted", sent)
    assert answer.status == status and answer.json()["error"]["type"] == "invalid_request_error"
    if status == 426:
        assert answer.header("upgrade") == "websocket" and answer.header("sec-websocket-version") == "13"
    assert not wire.upstream.find(request_id)


@pytest.fixture(scope="module", name="secure")
def make_secure(tmp_path_factory):
    directory = tmp_path_factory.mktemp("secure")
    trusted = write_certificate(directory / "chain.pem", directory / "key.pem")
    [admin_port] = processes.free_ports(1)
    tls = {"certificate": str(directory / "chain.pem"), "key": str(directory / "key.pem")}
    site = Site(directory, {"admin_listen": f"127.0.0.1:{admin_port}", "tls": tls}, admin_port)
    site.context = ssl.create_default_context(cadata=trusted)
    yield site
    site.stop()


def frame(opcode, payload):
    """A client's, short and whole, under a mask of zeros."""
    return bytes([0x80 | opcode, 0x80 | len(payload), 0, 0, 0, 0]) + payload


def receive(sock, count):
    received = b""
    while len(received) < count:
        piece = sock.recv(count - len(received))
        assert piece, f"it ended after {received!r}"
        received += piece
    return received


@pytest.mark.parametrize("how", ["cuts-websocket", "aborts-websocket", "echo"])
def test_over_tls_one_that_was_cut_looks_cut(secure, request_id, how):
    upgrade = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13")]
    own = secure.headers(request_id, how if how != "echo" else None)
    key = ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
    plain = raw.connect(secure.gateway.address)
    with secure.context.wrap_socket(plain, server_hostname="127.0.0.1", suppress_ragged_eofs=False) as sock:
        sock.sendall(raw.request("GET", "/v1/realtime?model=plain", [*upgrade, key, *own]))
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += receive(sock, 1)
        assert head.startswith(b"HTTP/1.1 101")
        sock.sendall(frame(1, b"hello"))
        assert receive(sock, 7) == b"\x81\x05hello"
        if how == "echo":
            sock.sendall(frame(8, b"\x03\xe8"))
            assert receive(sock, 4) == b"\x88\x02\x03\xe8"
            assert sock.recv(1) == b"", "with close_notify"
        else:
            secure.upstream.release(request_id)
            with pytest.raises((ssl.SSLEOFError, ConnectionResetError)):
                sock.recv(1)
    line = secure.ended(request_id)
    assert line.get("error_type") == (None if how == "echo" else "upstream_failed")

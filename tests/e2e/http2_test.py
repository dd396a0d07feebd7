"""HTTP/2 by prior knowledge: a real client library, curl, and frames written by hand."""

import asyncio
import json
import shutil
import subprocess

import h2.config
import h2.connection
import h2.events
import httpx
import pytest

from harness import raw, waiting

pytestmark = pytest.mark.xdist_group("wire")


def client(wire):
    return httpx.Client(
        http1=False,
        http2=True,
        base_url=wire.url,
        headers={"Authorization": f"Bearer {wire.keys.full}"},
        timeout=60,
        trust_env=False,
    )


def test_requests_one_after_another(wire, request_id):
    with client(wire) as session:
        for number in range(20):
            answer = session.post(
                "/v1/chat/completions",
                json={"model": "scripted", "messages": []},
                headers={"X-Request-ID": f"{request_id}-{number}"},
            )
            assert answer.http_version == "HTTP/2" and answer.status_code == 200
            assert answer.json()["id"] == "chatcmpl-scripted"
            [seen] = wire.upstream.find(f"{request_id}-{number}")
            assert seen.json()["model"] == "scripted-remote"


def test_streams(wire, request_id):
    with client(wire) as session:
        with session.stream(
            "POST", "/v1/chat/completions", json={"model": "scripted", "stream": True}, headers={"x-script": "stream"}
        ) as answer:
            text = "".join(answer.iter_text())
    assert text.endswith("data: [DONE]\n\n") and text.count("data: ") == 3


def test_many_at_once_on_one_connection(wire, request_id):
    async def run():
        async with httpx.AsyncClient(
            http1=False,
            http2=True,
            base_url=wire.url,
            timeout=60,
            trust_env=False,
            limits=httpx.Limits(max_connections=1),
            headers={"Authorization": f"Bearer {wire.keys.full}"},
        ) as session:

            async def one(number):
                answer = await session.post(
                    "/v1/chat/completions",
                    json={"model": "scripted", "n": number},
                    headers={"x-script": "echo-headers", "X-Request-ID": f"{request_id}-{number}"},
                )
                return dict(answer.json()["headers"])["x-request-id"]

            return await asyncio.gather(*(one(number) for number in range(100)))

    assert asyncio.run(run()) == [f"{request_id}-{number}" for number in range(100)]


def test_large_bodies_both_ways(wire, request_id):
    filler = "x" * (4 << 20)
    with client(wire) as session:
        answer = session.post(
            "/v1/chat/completions", json={"model": "scripted", "filler": filler}, headers={"X-Request-ID": request_id}
        )
        assert answer.status_code == 200
        speech = session.post("/v1/audio/speech", json={"model": "scripted"}, headers={"x-script": "speech"})
        assert speech.content == bytes(range(256)) * 512
    [seen] = wire.upstream.find(request_id)
    assert seen.json()["filler"] == filler


@pytest.mark.parametrize(
    "path, headers, status",
    [("/v1/models", {"Authorization": "Bearer wrong-key-wrong"}, 401), ("/v1/nothing", {}, 404)],
)
def test_errors(wire, path, headers, status):
    with client(wire) as session:
        answer = session.get(path, headers=headers)
        assert answer.status_code == status and answer.json()["error"]["message"]


def test_broken_streams_do_not_look_whole(wire):
    with client(wire) as session:
        with pytest.raises(httpx.RemoteProtocolError):
            with session.stream(
                "POST",
                "/v1/chat/completions",
                json={"model": "scripted", "stream": True},
                headers={"x-script": "cut-in-event"},
            ) as answer:
                list(answer.iter_text())
        assert session.get("/v1/models").status_code == 200


def test_a_reset_stream_cancels_the_upstream(wire, request_id):
    headers = [(name.decode(), value.decode()) for name, value in authorized(wire, (b"x-script", b"hang-in-stream"))]
    connection = h2.connection.H2Connection()
    connection.initiate_connection()
    connection.send_headers(1, headers)
    connection.send_data(1, b'{"model":"scripted","stream":true}', end_stream=True)
    with raw.connect(wire.address) as sock:
        sock.sendall(connection.data_to_send())
        received = b""
        while b"begun" not in received:
            received += sock.recv(65536)
        connection.receive_data(received)
        connection.reset_stream(1, 8)
        sock.sendall(connection.data_to_send())
        waiting.until(lambda: wire.upstream.waiting["hang-in-stream"] == 0, "the upstream's call is cancelled")
        # The connection itself lives on.
        connection.ping(b"still on")
        sock.sendall(connection.data_to_send())
        events = []
        while not any(isinstance(event, h2.events.PingAckReceived) for event in events):
            events += connection.receive_data(sock.recv(65536))


@pytest.mark.skipif(not shutil.which("curl"), reason="no curl")
def test_curl(wire):
    result = subprocess.run(
        [
            "curl",
            "--http2-prior-knowledge",
            "-sS",
            "-w",
            "\n%{http_version} %{http_code}",
            "-H",
            f"x-api-key: {wire.keys.full}",
            "-d",
            '{"model":"scripted"}',
            f"{wire.url}/v1/chat/completions",
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    body, _, last = result.stdout.rpartition("\n")
    assert last == "2 200", result
    assert json.loads(body)["id"] == "chatcmpl-scripted"


# --- requests no client library would send ----------------------------------------------------------------------------


def frames(headers, body=b"", **more):
    """The bytes of one request on a new connection, unchecked."""
    settings = h2.config.H2Configuration(
        validate_outbound_headers=False, normalize_outbound_headers=False, header_encoding=None
    )
    connection = h2.connection.H2Connection(settings)
    connection.initiate_connection()
    connection.send_headers(1, headers, end_stream=not body)
    if body:
        connection.send_data(1, body, end_stream=True)
    return connection.data_to_send()


def outcome(wire, data):
    """The status of the answer on stream 1, or "reset", or "closed"."""
    connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    connection.initiate_connection()
    connection.send_headers(1, [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/")], True)
    connection.clear_outbound_data_buffer()
    with raw.connect(wire.address) as sock:
        sock.sendall(data)
        while True:
            piece = sock.recv(65536)
            if not piece:
                return "closed"
            for event in connection.receive_data(piece):
                if isinstance(event, h2.events.ResponseReceived):
                    return int(dict(event.headers)[":status"])
                if isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)):
                    return "reset"


BASE = [(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"a"), (b":path", b"/v1/chat/completions")]


def authorized(wire, *more):
    return [*BASE, (b"authorization", f"Bearer {wire.keys.full}".encode()), *more]


def without(name):
    return [(key, value) for key, value in BASE if key != name]


def changed(name, value):
    return [(key, value if key == name else old) for key, old in BASE]


@pytest.mark.parametrize(
    "headers, more",
    [
        (BASE, [(b"transfer-encoding", b"chunked")]),
        (BASE, [(b"connection", b"close")]),
        (BASE, [(b"content-length", b"5")]),
        (BASE, [(b"content-length", b"19"), (b"content-length", b"20")]),
        (BASE, [(b"x-a", b"b\r\nx-smuggled: yes")]),
        (BASE, [(b"x-a", b"b\nx-smuggled: yes")]),
        (BASE, [(b"x-a", b"b\x00")]),
        (BASE, [(b"x-a: b\r\nx-smuggled", b"yes")]),
        (BASE, [(b"X-Upper", b"b")]),
        (BASE, [(b"x a", b"b")]),
        (BASE, [(b"", b"b")]),
        (BASE, [(b"te", b"gzip")]),
        (BASE, [(b":path", b"/v1/models")]),
        (BASE, [(b":unknown", b"x")]),
        (without(b":path"), []),
        (without(b":method"), []),
        (without(b":scheme"), []),
        (changed(b":path", b""), []),
        (changed(b":path", b"v1/chat/completions"), []),
        (changed(b":path", b"/v1/chat/completions HTTP/1.1\r\nx-smuggled: yes\r\n"), []),
        (changed(b":path", b"/v1/chat/completions x"), []),
        (changed(b":method", b"POST /v1/x HTTP/1.1\r\nx-smuggled: yes\r\n\r\nGET"), []),
        (changed(b":authority", b"a\r\nx-smuggled: yes"), []),
    ],
    ids=lambda value: None,
)
def test_what_could_smuggle_through_a_translation(wire, request_id, headers, more):
    sent = [
        *headers,
        (b"authorization", f"Bearer {wire.keys.full}".encode()),
        (b"x-request-id", request_id.encode()),
        *more,
    ]
    result = outcome(wire, frames(sent, b'{"model":"scripted"}'))
    assert result in ("reset", "closed") or 400 <= result < 500, result
    assert not [request for request in wire.upstream.find(request_id)]
    assert not [request for request in list(wire.upstream.requests) if request.header("x-smuggled")]
    assert not wire.upstream.malformed


def test_the_same_frames_without_the_fault_are_served(wire, request_id):
    sent = authorized(wire, (b"x-request-id", request_id.encode()), (b"content-length", b"20"))
    assert outcome(wire, frames(sent, b'{"model":"scripted"}')) == 200
    assert len(wire.upstream.find(request_id)) == 1


def test_rapid_resets_do_not_pile_up(wire):
    """Streams opened and reset at once (CVE-2023-44487): the connection ends or the gateway just keeps serving."""
    connection = h2.connection.H2Connection()
    connection.initiate_connection()
    headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "a"),
        (":path", "/v1/chat/completions"),
        ("authorization", f"Bearer {wire.keys.full}"),
        ("x-script", "hang"),
    ]
    with raw.connect(wire.address) as sock:
        try:
            sock.sendall(connection.data_to_send())
            for number in range(5000):
                stream = 1 + 2 * number
                connection.send_headers(stream, headers, end_stream=False)
                connection.reset_stream(stream, 8)
                sock.sendall(connection.data_to_send())
        except ConnectionError:
            pass
    waiting.until(lambda: wire.upstream.waiting["hang"] == 0, "no call is left")
    assert raw.call(wire.address, "GET", "/health").status == 200

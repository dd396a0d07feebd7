"""How answers leave: a head with the first of its body in one write, so that a client wakes once."""

import json

import pytest

from harness import raw
from harness.upstream import CHAT, chat_chunk, script, sse

pytestmark = pytest.mark.xdist_group("wire")

# One write below this is one segment on loopback, and so one read.
READ_BYTES = 1 << 16
# A reader that is late sees several writes as one; that it happens every time is out of the question.
CALLS = 20


@script("head-with-event")
async def head_with_event(connection, request):
    first, *rest = sse(chat_chunk("one "), chat_chunk("two "))
    await connection.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"%x\r\n%s\r\n" % (len(first), first)
    )
    await connection.upstream.released(request)
    for event in rest:
        await connection.chunk(event)
    await connection.write(b"0\r\n\r\n")


def post(wire, request_id, how, stream):
    body = json.dumps({"model": "scripted", "stream": stream}).encode()
    headers = wire.bearer(("X-Request-ID", request_id), ("x-script", how), ("Content-Length", str(len(body))))
    return raw.request("POST", "/v1/chat/completions", headers) + body


def test_a_document_comes_with_its_head(wire, request_id):
    with raw.connect(wire.address) as sock:
        for number in range(CALLS):
            sock.sendall(post(wire, f"{request_id}-{number}", "json", False))
            head, _, body = sock.recv(READ_BYTES).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ") and json.loads(body) == CHAT


def test_a_streams_first_event_comes_with_its_head(wire, request_id):
    with raw.connect(wire.address) as sock:
        for number in range(CALLS):
            own = f"{request_id}-{number}"
            sock.sendall(post(wire, own, "head-with-event", True))
            received = sock.recv(READ_BYTES)
            # The rest is not sent before this has been read.
            assert received.startswith(b"HTTP/1.1 200 ") and b'"content": "one "' in received
            wire.upstream.release(own)
            while b"[DONE]" not in received or not received.endswith(b"0\r\n\r\n"):
                piece = sock.recv(READ_BYTES)
                assert piece
                received += piece


def test_a_streams_head_does_not_wait_for_its_first_event(wire, request_id):
    with raw.connect(wire.address) as sock:
        sock.sendall(post(wire, request_id, "head-alone", True))
        received = sock.recv(READ_BYTES)
        assert received.startswith(b"HTTP/1.1 200 ") and received.endswith(b"\r\n\r\n")
        wire.upstream.release(request_id)
        while b"[DONE]" not in received:
            piece = sock.recv(READ_BYTES)
            assert piece
            received += piece


@script("head-alone")
async def head_alone(connection, request):
    await connection.begin_stream()
    await connection.upstream.released(request)
    for event in sse(chat_chunk("one ")):
        await connection.chunk(event)
    await connection.write(b"0\r\n\r\n")

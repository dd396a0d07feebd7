"""Malformed requests and smuggling attempts over real sockets: see fixtures/malformed.toml."""

import pathlib
import tomllib
import uuid

import pytest

from harness import metrics, raw

pytestmark = pytest.mark.xdist_group("wire")

TABLE = tomllib.loads((pathlib.Path(__file__).parent / "fixtures" / "malformed.toml").read_text())["case"]
BODY = '{"model":"scripted","messages":[]}'
SMUGGLED = "smuggled"


def names():
    found = [case["name"] for case in TABLE]
    assert len(found) == len(set(found)) >= 60
    return found


def bytes_of(case, key, request_id):
    tail = f"Authorization: Bearer {key}\r\nX-Request-ID: {request_id}\r\nContent-Type: application/json\r\n"
    smuggled = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n{tail}x-smuggled: yes\r\n"
        f"Content-Length: {len(BODY)}\r\n\r\n{BODY}"
    )
    text = case["send"]
    for name, value in (
        ("tail", tail),
        ("smuggled", smuggled),
        ("body", BODY),
        ("length", str(len(BODY))),
        ("chunk", f"{len(BODY):x}"),
        ("smuggled-length", str(len(smuggled))),
    ):
        text = text.replace("{" + name + "}", value)
    return text.encode("latin-1")


@pytest.mark.parametrize("pieces", ["whole", "bytewise"])
@pytest.mark.parametrize("name", names())
def test_malformed(wire, name, pieces):
    case = next(case for case in TABLE if case["name"] == name)
    request_id = f"bad-{uuid.uuid4().hex}"
    data = bytes_of(case, wire.keys.full, request_id)
    if pieces == "whole":
        received, closed = raw.exchange(wire.address, data)
    else:
        received, closed = send_bytewise(wire.address, data)
    judge(case, received, closed)
    # The gateway is well, and another connection is not affected.
    after = raw.post_json(
        wire.address,
        "/v1/chat/completions",
        {"model": "scripted"},
        wire.bearer(("X-Request-ID", request_id + "-after")),
    )
    assert after.status == 200
    arrived = wire.upstream.find(request_id)
    assert not [request for request in arrived if request.header("x-smuggled")]
    assert len(arrived) == case.get("reaches_upstream", 0)
    assert not wire.upstream.malformed


def send_bytewise(address, data):
    with raw.connect(address) as sock:
        try:
            for at in range(len(data)):
                sock.send(data[at : at + 1])
        except ConnectionError:
            pass  # refused before all was sent
        return raw.receive_all(sock)


def judge(case, received, closed):
    assert closed, "the connection stayed open"
    if case["expect"] == "closed" and not received.startswith(b"HTTP/1.1 "):
        # HTTP/2 says it in frames: SETTINGS, then GOAWAY.
        assert received == b"" or received[3:4] == b"\x04", received
        return
    answers = raw.parse_answers(received, "GET")
    assert all(answer.complete for answer in answers)
    statuses = [answer.status for answer in answers]
    if case["expect"] == "served":
        assert statuses == case["statuses"], received
    else:
        assert len(statuses) == 1 and 400 <= statuses[0] < 600, received
        assert answers[0].header("connection") == "close"
        assert answers[0].json()["error"]["message"]
        assert answers[0].header("x-request-id")


@pytest.mark.parametrize(
    "data, status",
    [
        (b"GET /" + b"a" * (1 << 17) + b" HTTP/1.1\r\nHost: a\r\n\r\n", (400, 414, 431)),
        (b"GET /v1/models HTTP/1.1\r\nHost: a\r\nX: " + b"a" * (1 << 17) + b"\r\n\r\n", (431,)),
        (b"GET /v1/models HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * 101 + b"\r\n", (431,)),
        (b"G" * (1 << 17), (400, 431, 501)),
    ],
    ids=["target", "header", "headers", "method"],
)
def test_heads_over_the_limits(wire, data, status):
    received, closed = raw.exchange(wire.address, data)
    assert closed and raw.parse_answers(received)[0].status in status


def test_trailers_over_the_limit(wire):
    data = raw.request("POST", "/v1/chat/completions", wire.bearer(("Transfer-Encoding", "chunked")))
    received, closed = raw.exchange(wire.address, data + b"0\r\n" + b"X: " + b"a" * (1 << 17) + b"\r\n\r\n")
    assert closed and 400 <= raw.parse_answers(received)[0].status < 500


def test_nothing_is_left_behind(wire):
    metrics.wait_until_idle(wire.gateway)

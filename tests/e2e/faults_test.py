"""An upstream that misbehaves, and clients that do: what each side gets to see."""

import base64
import concurrent.futures
import json

import pytest

from harness import metrics, raw, upstream, waiting

pytestmark = pytest.mark.xdist_group("wire")

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
GEMINI, GEMINI_STREAM = (
    "/v1beta/models/scripted-gemini:" + verb for verb in ("generateContent", "streamGenerateContent?alt=sse")
)


@upstream.script("drip-held")
async def drip_held(connection, request):
    await connection.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\n")
    for number, byte in enumerate((b"n", b"u", b"l", b"l")):
        await connection.write(byte)
        await connection.upstream.gate(f"{request.request_id}-{number + 1}").wait()


def ask(wire, script, request_id, model="scripted", stream=False, target=CHAT, **more):
    return raw.post_json(
        wire.address,
        target,
        {"model": model, "stream": stream, **more},
        wire.bearer(("X-Request-ID", request_id), ("x-script", script)),
    )


def assert_well(wire, request_id):
    assert ask(wire, "json", request_id + "-after").status == 200


def error_of(answer, target):
    error = answer.json()["error"]
    assert error["message"]
    if target == MESSAGES:
        assert answer.json()["type"] == "error" and error["type"]
    elif target == GEMINI:
        assert error["code"] == answer.status and error["status"]
    else:
        assert error["type"]
    return error["message"]


@pytest.mark.parametrize("target, model", [(CHAT, "scripted"), (MESSAGES, "scripted-claude"), (GEMINI, "-")])
@pytest.mark.parametrize("how", ["clean", "plain", "gzip", "large", "moved"])
def test_a_refusal_keeps_its_words_but_for_what_is_the_operators(wire, request_id, how, target, model):
    headers = wire.bearer(("X-Request-ID", request_id), ("x-script", "tells-all"), ("x-tells", how))
    answer = raw.post_json(wire.address, target, {"model": model, "max_tokens": 1}, headers)
    [sent] = wire.upstream.find(request_id)
    shown = f"{answer.headers} {answer.body}"
    assert wire.keys.scripted not in shown and sent.header("host") not in shown
    assert answer.complete
    if how == "large":
        assert answer.status == 502 and "too long" in error_of(answer, target)
        return
    assert answer.header("x-kept") == "kept"
    if how == "moved":
        assert answer.status == 307 and answer.body == b"moved" and answer.header("location") is None
        return
    assert answer.status == 401 and answer.body.endswith(b'"type": "authentication_error", "extra": 1.5}}')
    assert answer.header("content-encoding") is None
    if how != "clean":
        assert answer.json()["error"]["message"] == "Incorrect API key provided: [redacted], at [redacted]"


@pytest.mark.parametrize(
    "target, model",
    [
        (CHAT, "scripted"),
        ("/v1/responses", "scripted"),
        (MESSAGES, "scripted-claude"),
        (GEMINI, "-"),
        (GEMINI_STREAM, "-"),
        (GEMINI_STREAM.removesuffix("?alt=sse"), "-"),
    ],
)
@pytest.mark.parametrize("how", ["document", "page", "stream", "array"])
@pytest.mark.parametrize("streams", [False, True])
def test_an_error_with_200_keeps_what_is_the_operators(wire, request_id, how, target, model, streams):
    headers = wire.bearer(("X-Request-ID", request_id), ("x-script", "tells-all-with-200"), ("x-tells", how))
    body = {"model": model, "max_tokens": 1, "stream": streams, "messages": [{"role": "user", "content": "x"}]}
    answer = raw.post_json(wire.address, target, body, headers)
    [sent] = wire.upstream.find(request_id)
    shown = f"{answer.headers} {answer.body}"
    basic = base64.b64encode(f"user:{wire.keys.scripted}".encode()).decode()
    for secret in (wire.keys.scripted, basic, basic.rstrip("=")[:-2]):
        assert secret not in shown
    if how == "stream":
        # The model's own words before the error stay.
        assert b"begun at " + sent.header("host").encode() in answer.body
        assert answer.body.count(sent.header("host").encode()) == 1 and b"at [redacted]" in answer.body
    else:
        assert sent.header("host") not in shown


@pytest.mark.parametrize("target", [CHAT, MESSAGES])
def test_a_refused_credential_of_ours_is_no_fault_of_the_clients(wire, request_id, target):
    def errors(name):
        return metrics.total(metrics.scrape(wire.gateway), "llm_errors_total", error_type=name, model="refusing")

    before = errors("provider_4xx")
    body = {"model": "refusing", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}
    answer = raw.post_json(wire.address, target, body, wire.bearer(("X-Request-ID", request_id)))
    assert answer.status == 401 and wire.keys.scripted not in answer.body.decode()
    assert b"Incorrect API key provided: [redacted], at [redacted]" in answer.body
    waiting.until(lambda: errors("provider_4xx") == before + 1, "it counts as the provider's")
    assert errors("authentication") == 0


@pytest.mark.parametrize("target, model", [(CHAT, "scripted"), (MESSAGES, "scripted-claude"), (GEMINI, "-")])
@pytest.mark.parametrize(
    "script",
    [
        "reset",
        "reset-in-head",
        "close",
        "garbage",
        "bad-status-line",
        "two-lengths",
        "length-and-chunked",
        "huge-head",
    ],
)
def test_no_usable_answer_is_a_502_in_the_clients_dialect(wire, request_id, script, target, model):
    answer = ask(wire, script, request_id, model, target=target)
    assert answer.status == 502 and answer.complete
    message = error_of(answer, target)
    assert "127.0.0.1" not in message and wire.keys.scripted not in answer.body.decode()
    assert answer.header("x-request-id") == request_id
    # Once more at most, and only after a connection that had been idle.
    assert len(wire.upstream.find(request_id)) <= 2
    assert_well(wire, request_id)


@pytest.mark.parametrize("target, model", [(CHAT, "dead"), ("/v1/embeddings", "dead")])
def test_nobody_listens(wire, request_id, target, model):
    answer = ask(wire, "json", request_id, model, target=target)
    assert answer.status == 502 and error_of(answer, target)


@pytest.mark.parametrize("stream", [False, True])
def test_upstream_that_hangs(wire, request_id, stream):
    answer = ask(wire, "hang", request_id, "hasty", stream)
    assert answer.status == 504 and error_of(answer, CHAT)
    waiting.until(lambda: wire.upstream.waiting["hang"] == 0, "the hanging call is cancelled")


def test_upstream_that_hangs_in_a_stream(wire, request_id):
    answer = ask(wire, "hang-in-stream", request_id, "hasty", True)
    assert answer.status == 200 and b"[DONE]" not in answer.body
    assert error_event_or_cut(answer)
    waiting.until(lambda: wire.upstream.waiting["hang-in-stream"] == 0, "the hanging call is cancelled")


def error_event_or_cut(answer):
    """True if the client can tell that the stream is not whole."""
    last = answer.body.strip().split(b"\n\n")[-1]
    return not answer.complete or b'"error"' in last


@pytest.mark.parametrize("script", ["cut-in-stream", "cut-in-event", "reset-in-stream"])
@pytest.mark.parametrize(
    "target, model",
    [(CHAT, "scripted"), ("/v1/responses", "scripted"), (MESSAGES, "scripted-claude"), (GEMINI_STREAM, "-")],
)
def test_broken_streams_do_not_look_whole(wire, request_id, script, target, model):
    data = raw.request(
        "POST",
        target,
        wire.bearer(("X-Request-ID", request_id), ("x-script", script), ("Connection", "close")),
        json.dumps({"model": model, "stream": True}).encode(),
    )
    received = b""
    with raw.connect(wire.address) as sock:
        sock.sendall(data)
        while b"begun" not in received:
            received += sock.recv(65536)
        wire.upstream.release(request_id)
        rest, closed = raw.receive_all(sock)
    answer, _ = raw.parse_answer(received + rest)
    assert closed and answer.status == 200 and b"begun" in answer.body
    assert b"[DONE]" not in answer.body and b"message_stop" not in answer.body
    assert error_event_or_cut(answer)
    if script == "cut-in-event":
        assert not answer.complete  # an error event would be glued to half an event
    assert_well(wire, request_id)


def test_cut_body_is_not_whole(wire, request_id):
    answer = ask(wire, "cut-in-body", request_id)
    assert not answer.complete or answer.status == 502
    assert_well(wire, request_id)


def test_body_until_close(wire, request_id):
    answer = ask(wire, "until-close", request_id)
    assert answer.status == 200 and answer.complete and answer.json()["id"] == "chatcmpl-scripted"


def test_interim_answers_are_skipped(wire, request_id):
    answer = ask(wire, "interim", request_id)
    assert answer.status == 200 and answer.json()["id"] == "chatcmpl-scripted"


def test_upstream_errors_pass_unchanged(wire, request_id):
    answer = ask(wire, "error-then-close", request_id)
    assert answer.status == 429 and answer.header("retry-after") == "7"
    assert answer.json()["error"]["message"] == "slow down"


def test_bytes_behind_an_answer_reach_nobody(wire, request_id):
    for number in range(6):
        answer = ask(wire, "bytes-after", f"{request_id}-{number}")
        assert answer.status == 200 and b"forged" not in answer.body
        after = ask(wire, "json", f"{request_id}-{number}-after")
        assert after.status == 200 and b"forged" not in after.body


@pytest.mark.parametrize("script", ["drip", "drip-a-second"])
def test_slow_upstream(wire, request_id, script):
    """Pieces come on as they arrive, and a slow answer is not an idle one."""
    answer = ask(wire, script, request_id)
    assert answer.status == 200 and answer.complete
    json.loads(answer.body)


def test_drip_is_passed_on_at_once(wire, request_id):
    """Each byte is there before the upstream sends the next one."""
    data = raw.request(
        "POST", CHAT, wire.bearer(("X-Request-ID", request_id), ("x-script", "drip-held")), b'{"model":"scripted"}'
    )
    with raw.connect(wire.address) as sock:
        sock.sendall(data)
        received = b""
        for sent in (b"n", b"nu", b"nul", b"null"):
            while not received.endswith(b"\r\n\r\n" + sent):
                piece = sock.recv(4096)
                assert piece, received
                received += piece
            wire.upstream.release(f"{request_id}-{len(sent)}")


def test_streams_are_passed_on_at_once(wire, request_id):
    """The first event is there while the upstream still holds the rest back."""
    data = raw.request(
        "POST",
        CHAT,
        wire.bearer(("X-Request-ID", request_id), ("x-script", "hang-in-stream")),
        b'{"model":"scripted","stream":true}',
    )
    with raw.connect(wire.address) as sock:
        sock.sendall(data)
        received = b""
        while b"begun" not in received:
            received += sock.recv(4096)
        assert wire.upstream.waiting["hang-in-stream"] == 1
    waiting.until(lambda: wire.upstream.waiting["hang-in-stream"] == 0, "the call ends with its client")


# --- connections that were closed while idle --------------------------------------------------------------------------


@pytest.mark.parametrize("script", ["close-after", "close-on-reuse"])
def test_closed_idle_connections_are_not_noticed(wire, request_id, script):
    """The gateway sends a request again, once, if its idle connection turns out to be closed."""
    for number in range(30):
        answer = ask(wire, script, f"{request_id}-{number}")
        assert answer.status == 200, answer
        assert answer.json()["id"] == "chatcmpl-scripted"


def test_nothing_is_repeated_that_the_upstream_worked_on(wire, request_id):
    """A kept connection that closes while the upstream thinks: it had the request, and may have charged for it."""
    answers = {}
    for number in range(12):
        own = f"{request_id}-{number}"
        answers[own] = ask(wire, "think-and-close-on-reuse", own)
    # Each worker's first request is on a new connection, which may be another test's kept one.
    failed = [own for own, answer in answers.items() if answer.status == 502]
    assert failed and all(answers[own].status == 200 for own in answers if own not in failed)
    for own in answers:
        assert len(wire.upstream.find(own)) == 1, own
        if own in failed:
            assert "broke" in error_of(answers[own], CHAT)


@pytest.mark.parametrize("script", ["close", "reset", "cut-in-body", "garbage"])
def test_nothing_is_repeated_on_a_new_connection(wire, request_id, script):
    """There the upstream has seen the request, and may have charged for it."""
    answer = ask(wire, script, request_id, "fresh")
    assert answer.status == 502 or not answer.complete
    assert len(wire.upstream.find(request_id)) == 1


def test_connections_are_reused(wire, request_id):
    before = wire.upstream.accepted
    for number in range(40):
        assert ask(wire, "json", f"{request_id}-{number}").status == 200
    # Two workers, each with connections of its own.
    assert wire.upstream.accepted - before <= 2


# --- answers before the request is whole ------------------------------------------------------------------------------


@pytest.mark.parametrize("script, status", [("early-answer", 400), ("early-close", 413)])
@pytest.mark.parametrize("size", [10, 1 << 20, 8 << 20])
def test_answers_before_the_request_was_read(wire, request_id, script, status, size):
    answer = ask(wire, script, request_id, filler="x" * size)
    assert answer.status == status and answer.complete and answer.json()["error"]["message"]
    assert_well(wire, request_id)


# --- clients ----------------------------------------------------------------------------------------------------------


def test_slow_client_of_a_fast_upstream(wire, request_id):
    """The whole of a large answer arrives although its client reads slowly: back-pressure, not loss."""
    data = raw.request(
        "POST",
        "/v1/audio/speech",
        wire.bearer(("X-Request-ID", request_id), ("x-script", "speech"), ("Connection", "close")),
        b'{"model":"scripted"}',
    )
    with raw.connect(wire.address) as sock:
        sock.sendall(data)
        received = bytearray()
        while piece := sock.recv(1000):
            received += piece
    answer, _ = raw.parse_answer(bytes(received))
    assert answer.body == bytes(range(256)) * 512


def test_request_byte_by_byte(wire, request_id):
    data = raw.request(
        "POST",
        CHAT,
        wire.bearer(("X-Request-ID", request_id), ("Connection", "close")),
        b'{"model":"scripted","messages":[]}',
    )
    with raw.connect(wire.address) as sock:
        for at in range(len(data)):
            sock.send(data[at : at + 1])
        received, closed = raw.receive_all(sock)
    assert closed and raw.parse_answers(received)[0].status == 200


def test_half_closed_client_still_gets_its_answer_or_is_cancelled(wire, request_id):
    """A client that shuts its sending side may be gone or may be waiting: either way nothing is left behind."""
    data = raw.request("POST", CHAT, wire.bearer(("X-Request-ID", request_id)), b'{"model":"scripted"}')
    with raw.connect(wire.address) as sock:
        sock.sendall(data)
        sock.shutdown(1)
        received, closed = raw.receive_all(sock)
    assert closed and (not received or raw.parse_answers(received)[0].status == 200)
    metrics.wait_until_idle(wire.gateway)


# Where a client leaves: what it sends first, and what it waits for before it goes.
VANISHING = {
    "in the head": (lambda head, body: head[:40], None),
    "in the body": (lambda head, body: head + body[:9], None),
    "before the answer": (lambda head, body: head + body, "hang"),
    "in the stream": (lambda head, body: head + body, "hang-in-stream"),
}
VANISH_TOTAL = 2000
VANISH_AT_ONCE = 250


def vanish(wire, place, number):
    cut, script = VANISHING[place]
    body = b'{"model":"scripted","stream":true}'
    head = raw.request("POST", CHAT, wire.bearer(("x-script", script or "hang"), ("Content-Length", str(len(body)))))
    sock = raw.connect(wire.address)
    sock.sendall(cut(head, body))
    if script == "hang-in-stream":
        received = b""
        while b"begun" not in received:
            received += sock.recv(4096)
    return sock


def test_two_thousand_clients_that_vanish(wire, request_id):
    before = dict(wire.upstream.by_script)
    places = list(VANISHING)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        for first in range(0, VANISH_TOTAL, VANISH_AT_ONCE):
            numbers = range(first, first + VANISH_AT_ONCE)
            socks = list(pool.map(lambda number: vanish(wire, places[number % len(places)], number), numbers))
            expected = VANISH_AT_ONCE // len(places)
            for script in ("hang", "hang-in-stream"):
                waiting.until(lambda script=script: wire.upstream.waiting[script] >= expected, f"{script} is reached")
            if first == 0:
                waiting.until(lambda: metrics.in_flight(wire.gateway) >= 2 * expected, "the gauge counts them")
            for number, sock in enumerate(socks):
                raw.reset(sock) if number % 2 else sock.close()
            for script in ("hang", "hang-in-stream"):
                waiting.until(lambda script=script: wire.upstream.waiting[script] == 0, f"{script} is cancelled")
    for script in ("hang", "hang-in-stream"):
        assert wire.upstream.by_script[script] - before.get(script, 0) == VANISH_TOTAL // len(places)
    metrics.wait_until_idle(wire.gateway)
    assert_well(wire, request_id)


def test_many_clients_at_once_get_their_own_answers(wire, request_id):
    """No byte of one client's answer at another."""

    def one(number):
        answer = ask(wire, "echo-headers", f"{request_id}-{number}")
        return dict(answer.json()["headers"])["x-request-id"] == f"{request_id}-{number}"

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        assert all(pool.map(one, range(400)))

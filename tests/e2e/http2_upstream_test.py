"""An upstream that speaks HTTP/2, chosen by ALPN (http2 = "auto", as it is without a word) or by prior knowledge
without TLS (http2 = "on"): calls share connections as streams, and what ends one of them ends no other."""

import concurrent.futures
import contextlib
import json
import socket
import ssl
import threading
import time

import pytest
import websockets.sync.client
from handover_test import write_certificate
from harness import canned, raw, waiting
from harness.h2_upstream import H2Upstream, script
from harness.upstream import chat_chunk, sse

pytestmark = pytest.mark.xdist_group("http2-upstream")

KEY = "canary-client-key-of-http2-upstreams"
UPSTREAM_KEY = "canary-upstream-key-of-http2-upstreams"
PATH = "/v1/chat/completions"
CANCEL = 8  # RFC 9113, section 7
FEW = 2  # streams at once on a connection of the upstream that allows few

FINISHED = chat_chunk("") | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
PART = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hello"}]}}]}
EXHAUSTED = {"error": {"code": 429, "message": "Quota exceeded.", "status": "RESOURCE_EXHAUSTED"}}

# What upstreams send whose answers have no length: the media type, the body, and what the gateway makes of it.
ENDINGS = {
    "without-done": ("text/event-stream", b"".join(sse(chat_chunk("Hello"), FINISHED, done=False)), None),
    "bare-error": (
        "text/event-stream",
        b"".join(sse(PART, done=False)) + json.dumps(EXHAUSTED, indent=2).encode(),
        "rate_limited",
    ),
    "cut-document": ("application/json", b'{"id":"c","choices":[{"message":{"content":"He', "upstream_failed"),
    "empty-document": ("application/json", b"", "upstream_failed"),
}


def answers(media_type, body):
    async def answer(stream):
        await stream.begin(media_type)
        await stream.send(body, end=True)

    return answer


for name, (media_type, body, _) in ENDINGS.items():
    script(name)(answers(media_type, body))


class Mute:
    """Takes connections and says nothing."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.listener.getsockname()[1]
        self.taken = []
        threading.Thread(target=self.take, daemon=True).start()

    @property
    def count(self):
        return len(self.taken)

    def take(self):
        with contextlib.suppress(OSError):
            while True:
                self.taken.append(self.listener.accept()[0])

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        for each in (*self.taken, self.listener):
            each.close()


class World:
    """One gateway with one worker, so that it has one pool a connection; its model "x" is at the upstream "x"."""

    def __init__(self, directory):
        write_certificate(directory / "ca.pem", directory / "key.pem")

        def context(*protocols):
            secured = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            secured.load_cert_chain(directory / "ca.pem", directory / "key.pem")
            if protocols:
                secured.set_alpn_protocols(protocols)
            return secured

        self.upstreams = {
            "alpn": H2Upstream(context("h2", "http/1.1")),
            "prior": H2Upstream(),
            "few": H2Upstream(context("h2"), streams_max=FEW),
            "only-1.1": H2Upstream(context("http/1.1")),
            "no-alpn": H2Upstream(context()),
        }
        self.modes = {name: "auto" for name in self.upstreams} | {"prior": "on"}
        # The same servers once more, by the other modes.
        for server in ("alpn", "only-1.1", "no-alpn"):
            for mode in ("on", "off"):
                name = f"{server}-{mode}"
                self.upstreams[name], self.modes[name] = self.upstreams[server], mode
        self.connections = [
            {"name": name, "provider": "openai", "endpoint": upstream.url, "api_key": UPSTREAM_KEY}
            | ({} if self.modes[name] == "auto" else {"http2": self.modes[name]})
            | ({"tls": {"ca_file": str(directory / "ca.pem")}} if upstream.url.startswith("https") else {})
            for name, upstream in self.upstreams.items()
        ]
        self.mute = Mute()
        self.connections.append(
            {"name": "mute", "provider": "openai", "endpoint": self.mute.url, "api_key": UPSTREAM_KEY, "http2": "on",
             "connect_timeout": "3s"}
        )
        # What fails is on connections of its own, so that no other call finds its instance out.
        self.connections += [
            {"name": name, "provider": "google" if name == "bare-error" else "openai", "api_key": UPSTREAM_KEY,
             "endpoint": self.upstreams["prior"].url, "http2": "on"}
            for name in ENDINGS
        ]
        self.models = [{"name": each["name"], "connection": each["name"]} for each in self.connections]


@pytest.fixture(scope="module", name="world")
def make_world(tmp_path_factory):
    directory = tmp_path_factory.mktemp("http2-upstream")
    world = World(directory)
    with canned.gateway(directory, KEY, world.connections, world.models) as running:
        world.gateway = running
        yield world
    world.mute.close()
    for upstream in set(world.upstreams.values()):
        upstream.stop()
        assert not upstream.malformed
        for request in upstream.requests:
            assert KEY not in str(request.headers) and KEY.encode() not in request.body


@pytest.fixture(name="at", params=["alpn", "prior"])
def make_at(world, request):
    """A model at one of the two, with a connection that has served a call."""
    call(world, request.param, f"{request.node.name}-warm-up")
    return request.param


def headers(request_id, how):
    return [
        ("Authorization", f"Bearer {KEY}"),
        ("Content-Type", "application/json"),
        ("X-Request-ID", request_id),
        ("X-Script", how),
    ]


def call(world, model, request_id, how="echo", **more):
    body = {"model": model, "messages": []} | more
    return raw.post_json(world.gateway.address, PATH, body, headers(request_id, how))


def stream_of(world, model, request_id):
    """The stream at the upstream, once the request is there."""
    return waiting.until(lambda: world.upstreams[model].find(request_id), f"{request_id} reaches the upstream")[-1]


class OpenCall:
    """A call on a connection of its own that has reached the upstream; of a stream, the first event has come back."""

    def __init__(self, world, model, request_id, how):
        self.world, self.model, self.request_id = world, model, request_id
        body = json.dumps({"model": model, "messages": [], "stream": how != "held"}).encode()
        self.socket = raw.connect(world.gateway.address)
        self.socket.sendall(raw.request("POST", PATH, [*headers(request_id, how), ("Connection", "close")], body))
        self._received = b""
        while how != "held" and b"first of" not in self._received:
            piece = self.socket.recv(1 << 16)
            assert piece, self._received
            self._received += piece
        self.stream = stream_of(world, model, request_id)

    def leave(self):
        self.socket.close()

    def finish(self):
        """What comes once the upstream goes on: the answer, whole or not."""
        self.world.upstreams[self.model].release(self.request_id)
        rest, closed = raw.receive_all(self.socket)
        self.socket.close()
        assert closed
        [answer] = raw.parse_answers(self._received + rest)
        return answer


def whole(request_id, answer):
    """Whether it is the answer to this request and no other, and all of it."""
    if answer.header("content-type") == "text/event-stream":
        texts = [f"first of {request_id}", f"last of {request_id}"]
        events = [json.loads(line[6:]) for line in answer.body.decode().split("\n\n")[:-2]]
        said = [each["choices"][0]["delta"]["content"] for each in events]
        return answer.complete and said == texts and answer.body.endswith(b"data: [DONE]\n\n")
    return answer.status == 200 and answer.json()["id"] == request_id


def test_calls_share_a_connection(world, at, request_id):
    """Ten streams and ten documents, all of them under way before the first is answered."""
    ids = [f"{request_id}-{number}" for number in range(20)]
    calls = [OpenCall(world, at, each, "stream" if number % 2 else "held") for number, each in enumerate(ids)]
    assert len({each.stream.connection for each in calls}) == 1
    assert len({each.stream.number for each in calls}) == 20
    connection = calls[0].stream.connection
    assert connection.protocol == "h2" and set(connection.streams) >= {each.stream.number for each in calls}
    for each in reversed(calls):  # the last one first
        assert whole(each.request_id, each.finish())
    waiting.until(lambda: not connection.streams, "every stream is over")
    assert connection.open


def test_what_a_request_looks_like(world, at, request_id):
    answer = call(world, at, request_id)
    [seen] = world.upstreams[at].find(request_id)
    assert whole(request_id, answer)
    upstream = world.upstreams[at]
    assert seen.headers[:4] == [
        (":method", "POST"),
        (":scheme", upstream.url.split(":")[0]),
        (":authority", f"127.0.0.1:{upstream.port}"),
        (":path", PATH),
    ]
    names = [name for name, _ in seen.headers]
    assert not {"connection", "keep-alive", "transfer-encoding", "upgrade", "host"} & set(names)
    assert names == [name.lower() for name in names]
    assert seen.header("authorization") == f"Bearer {UPSTREAM_KEY}"
    assert int(seen.header("content-length")) == len(seen.body)
    assert json.loads(seen.body)["model"] == at


@pytest.mark.parametrize("how", ["held", "stream"])
def test_a_client_that_leaves_resets_its_stream_alone(world, at, request_id, how):
    victim = OpenCall(world, at, f"{request_id}-victim", how)
    others = [OpenCall(world, at, f"{request_id}-{other}", other) for other in ("held", "stream")]
    assert {each.stream.connection for each in others} == {victim.stream.connection}
    victim.leave()
    waiting.until(lambda: victim.stream.gone, "the stream of the client that left is reset")
    assert victim.stream.reset_code == CANCEL
    assert not any(each.stream.gone for each in others) and victim.stream.connection.open
    for each in others:
        assert whole(each.request_id, each.finish())
    assert whole(f"{request_id}-after", call(world, at, f"{request_id}-after"))
    assert stream_of(world, at, f"{request_id}-after").connection is victim.stream.connection


def test_a_stream_that_the_upstream_resets_ends_alone(world, at, request_id):
    broken = OpenCall(world, at, f"{request_id}-broken", "break")
    other = OpenCall(world, at, f"{request_id}-other", "stream")
    answer = broken.finish()
    # The client must see that it is not all: an event that says so, and no end of an ordinary stream.
    assert b"[DONE]" not in answer.body and b'"error"' in answer.body
    assert whole(other.request_id, other.finish())
    assert other.stream.connection is broken.stream.connection and other.stream.connection.open


@pytest.mark.parametrize("how", ENDINGS)
def test_the_end_of_a_stream_is_an_end_without_a_length_too(world, request_id, how):
    """END_STREAM says that this is all the provider sends: nothing is to be put behind it, or in its place."""
    media_type, body, error_type = ENDINGS[how]
    asked = {"model": how, "stream": media_type == "text/event-stream", "messages": []}
    path = PATH
    if how == "bare-error":
        path = f"/v1beta/models/{how}:streamGenerateContent?alt=sse"
        asked = {"contents": [{"parts": [{"text": "x"}]}]}
    answer = raw.post_json(world.gateway.address, path, asked, headers(request_id, how))
    assert answer.status == 200 and answer.complete and answer.body == body

    def lines():
        found = [each for each in world.gateway.records() if each["msg"] == "request"]
        return [each for each in found if each["request_id"] == request_id]

    [told] = waiting.until(lines, "the call is logged")
    assert told.get("error_type") == error_type


def test_large_bodies_both_ways(world, at, request_id):
    """More than any window: both sides have to wait for room, several times."""
    filler = "0123456789abcdef" * (3 << 16)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        ids = [f"{request_id}-{number}" for number in range(4)]
        answers = list(pool.map(lambda each: call(world, at, each, filler=filler), ids))
    for each, answer in zip(ids, answers):
        assert answer.json() == {"id": each, "choices": [], "filler": filler}
    assert len({stream_of(world, at, each).connection for each in ids}) == 1


def test_a_goaway_in_mid_connection(world, at, request_id):
    """What was begun is finished there; what comes later goes to a new connection; then the old one is closed."""
    begun = OpenCall(world, at, f"{request_id}-begun", "stream")
    old = begun.stream.connection
    world.upstreams[at].go_away(old, begun.stream.number)
    later = OpenCall(world, at, f"{request_id}-later", "stream")
    # The frame and the call race once; the gateway has read it when a call goes elsewhere.
    assert len(world.upstreams[at].find(later.request_id)) == 1
    new = later.stream.connection
    assert new is not old and old.open
    assert whole(begun.request_id, begun.finish())
    waiting.until(lambda: not old.open, "the gateway closes the connection that is going away")
    assert whole(later.request_id, later.finish())
    assert whole(f"{request_id}-last", call(world, at, f"{request_id}-last"))
    assert stream_of(world, at, f"{request_id}-last").connection is new and new.open


@pytest.mark.parametrize("how", ["refuse-first", "go-away-first"])
def test_a_request_that_was_not_looked_at_is_made_again(world, at, request_id, how):
    """RFC 9113, section 8.7: such a request may be repeated, whatever it does. The client sees nothing of it."""
    other = OpenCall(world, at, f"{request_id}-other", "stream")
    answer = call(world, at, request_id, how)
    assert whole(request_id, answer)
    first, second = world.upstreams[at].find(request_id)
    assert (first.connection, first.number) != (second.connection, second.number) and first.body == second.body
    assert (first.connection is not second.connection) or how == "refuse-first"
    assert whole(other.request_id, other.finish())


def test_a_connection_that_breaks_ends_its_calls_and_no_more(world, at, request_id):
    calls = [OpenCall(world, at, f"{request_id}-{number}", "stream") for number in range(3)]
    [old] = {each.stream.connection for each in calls}
    world.upstreams[at].break_connection(old)
    for each in calls:
        answer = each.finish()
        assert b"[DONE]" not in answer.body and b'"error"' in answer.body
    assert whole(f"{request_id}-after", call(world, at, f"{request_id}-after"))
    assert stream_of(world, at, f"{request_id}-after").connection is not old


def test_no_more_streams_than_the_upstream_allows(world, request_id):
    call(world, "few", f"{request_id}-warm-up")
    calls = [OpenCall(world, "few", f"{request_id}-{number}", "stream") for number in range(3 * FEW)]
    connections = {each.stream.connection for each in calls}
    assert len(connections) == 3 and {each.most_at_once for each in connections} == {FEW}
    for each in calls:
        assert whole(each.request_id, each.finish())


@pytest.mark.parametrize("model", ["only-1.1", "no-alpn", "only-1.1-off", "no-alpn-off", "alpn-off"])
def test_what_speaks_http1_is_spoken_to_in_http1(world, model, request_id):
    for number in range(2):
        assert whole(f"{request_id}-{number}", call(world, model, f"{request_id}-{number}"))
    seen = [stream_of(world, model, f"{request_id}-{number}") for number in range(2)]
    assert {each.connection.protocol for each in seen} == {"http/1.1"}
    assert seen[0].connection is seen[1].connection, "it is kept"


@pytest.mark.parametrize("model", ["only-1.1-on", "no-alpn-on"])
def test_who_insists_on_http2_is_told(world, model, request_id):
    before = world.upstreams[model].prefaces
    answer = call(world, model, request_id)
    assert answer.status == 502 and answer.json()["error"]["message"]
    waiting.until(lambda: world.upstreams[model].prefaces > before, "the upstream has seen the preface")
    assert not world.upstreams[model].find(request_id)
    assert whole(f"{request_id}-other", call(world, "alpn-on", f"{request_id}-other"))
    assert stream_of(world, "alpn-on", f"{request_id}-other").connection.protocol == "h2"


def test_one_that_says_nothing_was_not_connected_in_time(world, request_id):
    """And whoever comes a second later does not wait for it."""
    mute = world.mute
    with concurrent.futures.ThreadPoolExecutor() as pool:
        first = pool.submit(call, world, "mute", f"{request_id}-first")
        waiting.until(lambda: mute.count == 1, "it is connected")
        time.sleep(1.2)
        second = pool.submit(call, world, "mute", f"{request_id}-second")
        waiting.until(lambda: mute.count == 2, "the other has a connection of its own")
        for answer in (first.result(), second.result()):
            assert answer.status == 504 and answer.json()["error"]["code"] == "connect_timeout"


def test_a_websocket_takes_a_connection_of_its_own(world, request_id):
    """HTTP/2 has no upgrade (RFC 9113, section 8.6), so this call alone must not offer it."""
    other = OpenCall(world, "alpn", f"{request_id}-other", "stream")
    address = f"ws://127.0.0.1:{world.gateway.port}/v1/realtime?model=alpn"
    sent = {"Authorization": f"Bearer {KEY}", "X-Request-ID": request_id}
    for number in range(2):
        with websockets.sync.client.connect(address, additional_headers=sent, proxy=None) as session:
            session.send(f"hello {number}")
            assert session.recv() == f"hello {number}"
    seen = world.upstreams["alpn"].find(request_id)
    assert [each.connection.protocol for each in seen] == ["http/1.1"] * 2
    assert other.stream.connection.protocol == "h2"
    assert whole(other.request_id, other.finish())

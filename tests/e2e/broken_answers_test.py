"""Streams of arrays and of AWS's frames that nobody can read any more end in an error that their clients can; and what
a filter withholds is seen in compressed answers, too, and in Claude's on Bedrock."""

import contextlib
import gzip
import json
import urllib.parse

import pytest
from botocore.eventstream import EventStreamBuffer
from harness import canned, clouds, raw

pytestmark = pytest.mark.xdist_group("clouds")

KEY = "canary-client-key-of-broken-answers"
CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
WITHHELD, BEGUN, ENDLESS = "withheld", "begun", "endless"
CODED_STREAM = canned.EVENT_STREAM | {"Content-Encoding": "gzip"}


def element(text, **more):
    return json.dumps({"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}} | more]})


ONE, TWO, THREE = element("one"), element("two"), element("three", finishReason="STOP")
ARRAYS = {
    "whole": f"[{ONE},\r\n{TWO},\r\n{THREE}\r\n]\r\n",
    "cut-in-a-text": f"[{ONE},\r\n{TWO[:-8]},\r\n{THREE}\r\n]\r\n",
    "cut-in-an-object": '[%s,\r\n{"candidates":,\r\n%s\r\n]\r\n' % (ONE, THREE),
    "mixed": f"[{ONE},\r\n{TWO}{THREE}\r\n]\r\n",
    "no-end": f"[{ONE},\r\n{TWO},\r\n{THREE}",
}


def members(content):
    """Compressed piece by piece, each on its own: what some fronts do."""
    return b"".join(gzip.compress(content[at : at + 50], mtime=0) for at in range(0, len(content), 50))


CODED = {
    "": lambda content: (content, {}),
    "gzip": lambda content: (gzip.compress(content, mtime=0), {"Content-Encoding": "gzip"}),
    "members": lambda content: (members(content), {"Content-Encoding": "gzip"}),
}


def damaged(frame):
    return frame[:-9] + b"x" + frame[-8:]


EVENTS = clouds.CONVERSE_EVENTS
FRAMES = {
    "whole": EVENTS,
    "damaged": [*EVENTS[:2], damaged(EVENTS[2]), *EVENTS[3:]],
    "no-frame": [*EVENTS[:2], b"<html>bad gateway</html>", *EVENTS[2:]],
    "no-json": [
        *EVENTS[:2],
        clouds.frame({":event-type": "contentBlockDelta", ":message-type": "event"}, b'{"delta":{"text":"n'),
        *EVENTS[2:],
    ],
}


def claude(how):
    """What Claude says of which a filter leaves nothing, or not all."""
    start, block, delta, stop, end, over = clouds.MESSAGE_EVENTS
    end = end | {"delta": {"stop_reason": "refusal"}}
    events = [start, end, over] if how == WITHHELD else [start, block, delta, stop, end, over]
    content = [] if how == WITHHELD else clouds.MESSAGE["content"]
    return events, clouds.MESSAGE | {"content": content, "stop_reason": "refusal"}


def chat(how, stream):
    text = "" if how == WITHHELD else "po"
    message = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "content_filter"}
    if not stream:
        return 200, json.dumps(clouds.COMPLETION | {"choices": [message]}).encode(), {}
    said = [clouds.PONG] if how == BEGUN else []
    end = {"index": 0, "delta": {}, "finish_reason": "content_filter"}
    return 200, canned.chat_events([*said, end]), canned.EVENT_STREAM


def answer(request):
    model, _, verb = urllib.parse.unquote(request.path).rpartition("/models/")[2].partition(":")
    if verb == "streamGenerateContent":
        name, _, coding = model.partition("+")
        return (200, *CODED[coding](ARRAYS[name].encode()))
    frames = {"Content-Type": "application/vnd.amazon.eventstream"}
    _, _, model, *operation = [*request.path.split("/"), ""]
    if operation[0] == "converse-stream":
        return 200, b"".join(FRAMES[model]), frames
    if operation[0].startswith("invoke"):
        events, message = claude(BEGUN if b"begun" in request.body else WITHHELD)
        return (200, message) if operation[0] == "invoke" else (200, b"".join(map(clouds.chunk, events)), frames)
    body = request.json()
    if body["model"] == ENDLESS:
        return 200, gzip.compress(canned.chat_events([clouds.PONG], done=False)), CODED_STREAM
    if body["model"] not in (WITHHELD, BEGUN):
        return clouds.completions(body) if "chat" in request.path else clouds.messages(body)
    status, content, headers = chat(body["model"], body.get("stream"))
    return status, gzip.compress(content, mtime=0), headers | {"Content-Encoding": "gzip"}


upstream = canned.serving(answer)


@pytest.fixture(scope="module")
def gateway(upstream, tmp_path_factory):
    at = {"endpoint": upstream.url, "api_key": "canary-upstream"}
    connections = [
        at | {"name": "google", "provider": "google"},
        at | {"name": "bedrock", "provider": "bedrock", "region": clouds.REGION},
        at | {"name": "invoke", "provider": "bedrock", "region": clouds.REGION, "api": "invoke"},
        at | {"name": "openai", "provider": "openai", "endpoint": f"{upstream.url}/v1"},
        at | {"name": "anthropic", "provider": "anthropic"},
    ]
    arrays = [f"{name}+{coding}".strip("+") for name in ARRAYS for coding in CODED]
    models = [{"name": f"array-{name}", "connection": "google", "remote": name} for name in arrays]
    models += [{"name": f"frames-{name}", "connection": "bedrock", "remote": name} for name in FRAMES]
    models += [{"name": name, "connection": "openai"} for name in (WITHHELD, BEGUN, ENDLESS, "other-gpt")]
    models += [
        {"name": "claude", "connection": "invoke", "remote": CLAUDE},
        {"name": "other-claude", "connection": "anthropic"},
    ]
    routes = [
        {"models": [WITHHELD, BEGUN], "fallbacks": ["other-gpt"], "fallback_on": ["content_filter"]},
        {"models": ["claude"], "fallbacks": ["other-claude"], "fallback_on": ["content_filter"]},
    ]
    with canned.gateway(tmp_path_factory.mktemp("broken"), KEY, connections, models, routes=routes) as running:
        yield running


def ask(gateway, path, body):
    return raw.post_json(gateway.address, path, body, [("Authorization", f"Bearer {KEY}")])


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_stays_one(gateway, name):
    path = f"/v1beta/models/array-{name}:streamGenerateContent"
    made = ask(gateway, path, {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]})
    assert made.status == 200
    if name == "whole":
        assert made.body.decode() == ARRAYS[name]
        return
    # An array that failed is not closed, so that nobody takes it for a whole one.
    *good, last = json.loads(made.body + b"]")
    assert good[0] == json.loads(ONE)
    assert len(good) == {"mixed": 2, "no-end": 3}.get(name, 1)
    assert last["error"]["status"] and last["error"]["message"]
    gateway.told("request", model=f"array-{name}", error_type="upstream_failed")


@pytest.mark.parametrize("coding", [coding for coding in CODED if coding])
@pytest.mark.parametrize("name", ARRAYS)
def test_a_compressed_array_that_is_none_breaks_off(gateway, name, coding):
    model = f"array-{name}+{coding}"
    body = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
    path = f"/v1beta/models/{model}:streamGenerateContent"
    if name == "whole":
        made = ask(gateway, path, body)
        assert made.complete and gzip.decompress(made.body).decode() == ARRAYS[name]
        return
    # There is no place for an error in what is compressed: the client sees that the answer was cut, or that none came.
    with contextlib.suppress(raw.Malformed):
        assert not ask(gateway, path, body).complete
    gateway.told("request", model=model, error_type="upstream_failed")


def test_a_compressed_stream_without_its_end_breaks_off(gateway):
    body = {"model": ENDLESS, "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    with contextlib.suppress(raw.Malformed):
        assert not ask(gateway, "/v1/chat/completions", body).complete
    gateway.told("request", model=ENDLESS, error_type="upstream_failed")


def frames_of(body):
    buffer = EventStreamBuffer()
    buffer.add_data(body)
    return list(buffer)


@pytest.mark.parametrize("name", FRAMES)
def test_frames_stay_whole(gateway, name):
    body = {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}
    made = ask(gateway, f"/model/frames-{name}/converse-stream", body)
    assert made.status == 200
    if name == "whole":
        assert made.body == b"".join(EVENTS)
        return
    assert made.body.startswith(b"".join(EVENTS[:2]))
    *good, last = frames_of(made.body)
    assert len(good) == 2 and {message.headers[":message-type"] for message in good} == {"event"}
    assert last.headers[":message-type"] == "exception" and "damaged" in json.loads(last.payload)["message"]
    gateway.told("request", model=f"frames-{name}", error_type="upstream_failed")


@pytest.mark.parametrize("stream", [False, True], ids=["document", "stream"])
@pytest.mark.parametrize("how", [WITHHELD, BEGUN])
def test_what_a_filter_withholds_is_seen_in_compressed_answers(gateway, upstream, how, stream):
    first = len(upstream.requests)
    body = {"model": how, "stream": stream, "messages": [{"role": "user", "content": "Hi"}]}
    made = ask(gateway, "/v1/chat/completions", body)
    assert made.status == 200
    assert [request.json()["model"] for request in upstream.requests[first:]] == [how] + ["other-gpt"] * (
        how == WITHHELD
    )
    if how == BEGUN:
        # As it came.
        assert made.header("content-encoding") == "gzip" and made.body == gzip.compress(chat(how, stream)[1], mtime=0)
    else:
        assert b"pong" in made.body


@pytest.mark.parametrize("stream", [False, True], ids=["document", "stream"])
@pytest.mark.parametrize("how", [WITHHELD, BEGUN])
def test_what_a_filter_withholds_is_seen_in_claudes_answers_on_bedrock(gateway, upstream, how, stream):
    first = len(upstream.requests)
    body = {"model": "claude", "stream": stream, "max_tokens": 9, "messages": [{"role": "user", "content": how}]}
    made = ask(gateway, "/v1/messages", body)
    assert made.status == 200
    paths = [request.path for request in upstream.requests[first:]]
    assert "/invoke" in paths[0] and paths[1:] == ["/v1/messages"] * (how == WITHHELD)
    assert b"pong" in made.body and (b"refusal" in made.body) == (how == BEGUN)

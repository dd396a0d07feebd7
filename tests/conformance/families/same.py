"""Family D: the recording's own protocol in and out. Requests arrive JSON-equal but for the model's name, answers
byte-equal; also with Vertex's envelope around Anthropic's body, and with bytes that arrive in small pieces."""

import base64
import json
import urllib.parse

import cases as recordings
from judge import asks, neutral
from results import Check
from wire import frames
from wire.upstream import Reply
from world import event_offsets, recorded_reply

MINIMAL = {
    recordings.CHAT: {"messages": [{"role": "user", "content": "x"}]},
    recordings.RESPONSES: {"input": "x"},
    recordings.ANTHROPIC: {"max_tokens": 16, "messages": [{"role": "user", "content": "x"}]},
    recordings.GEMINI: {"contents": [{"role": "user", "parts": [{"text": "x"}]}]},
    recordings.BEDROCK: {"messages": [{"role": "user", "content": [{"text": "x"}]}]},
    None: {"content": {"parts": [{"text": "x"}]}},
}
TAILS = {"count_tokens": "/v1/messages/count_tokens", "input_tokens": "/v1/responses/input_tokens"}
PIECE_BYTES = 7
VERTEX_VERSION = "vertex-2023-10-16"


def target(case, name):
    if case.endpoint in TAILS:
        return TAILS[case.endpoint]
    if case.provider == "bedrock" and case.endpoint not in ("messages",):
        return f"/model/{urllib.parse.quote(name, safe='')}/{case.endpoint}"
    if case.entry["dialect"].startswith("gemini"):
        query = "?alt=sse" if case.wire == "sse" else ""
        return f"/v1beta/models/{name}:{case.endpoint}{query}"
    return asks.target(case.dialect, name, case.streaming)


def in_body(case):
    """Whether the request's body says model and stream."""
    return case.provider not in ("google", "vertex", "bedrock")


def call(case, name):
    body = dict(case.request or MINIMAL[case.dialect])
    if in_body(case):
        body["model"] = name
        if case.streaming:
            body["stream"] = True
    return asks.Call(target(case, name), asks.headers(case.dialect), body)


async def run(world):
    await world.all([one(world, case, split) for case, split in plan(world)])
    for shape in ("", "vertex-claude"):
        await world.all([vertex_claude(world, case, shape) for case in world.cases
                         if vertex_key(case) in world.upstream.programs])
    await world.all([bedrock_claude(world, case) for case in world.cases
                     if bedrock_key(case) in world.upstream.programs])
    await world.all([one(world, case, False, shape) for case in world.cases for shape in other_shapes(world, case)])


def other_shapes(world, case):
    """Azure's clients of OpenAI's API, Vertex's of Google's and Anthropic's: other paths and headers, the same bodies,
    but for Claude's envelope."""
    if case.dialect is None or not world.options.wants(case.dialect, case):
        return
    if case.endpoint == "chat":
        yield "azure"
    elif case.endpoint in ("generateContent", "streamGenerateContent", "countTokens"):
        yield "vertex"
    elif case.provider == "anthropic" and case.endpoint in ("messages", "count_tokens"):
        yield "vertex-claude"


def reshaped(sent, shape):
    if shape == "azure":
        path = f"/openai/deployments/{urllib.parse.quote(sent.body['model'], safe='')}/chat/completions"
        headers = {"Content-Type": "application/json", "Api-Key": asks.CLIENT_KEY}
        return asks.Call(path + "?api-version=2024-10-21", headers, sent.body)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {asks.CLIENT_KEY}"}
    if shape == "vertex-claude":
        return enveloped(sent, headers)
    path = sent.target.replace("/v1beta/models/", "/v1/projects/mine/locations/here/publishers/google/models/")
    return asks.Call(path, headers, sent.body)


def enveloped(sent, headers):
    """As Anthropic's SDK calls Claude on Vertex."""
    root = "/v1/projects/mine/locations/here/publishers/anthropic/models/"
    body = {"anthropic_version": VERTEX_VERSION} | sent.body
    if sent.target == TAILS["count_tokens"]:
        return asks.Call(root + "count-tokens:rawPredict", headers, body)
    verb = "streamRawPredict" if body.get("stream") else "rawPredict"
    model = urllib.parse.quote(body.pop("model"), safe="")
    return asks.Call(f"{root}{model}:{verb}", headers, body)


def vertex_key(case):
    return f"vertex-case-{case.number}"


def plan(world):
    for case in world.cases:
        if case.dialect is None and case.endpoint != "embedContent":
            continue
        if not world.options.wants(case.dialect, case):
            continue
        yield case, False
        if case.wire in ("sse", "aws_eventstream", "json_array"):
            yield case, True


async def one(world, case, split, shape=""):
    mode = ("stream" if case.streaming else "unary") + "-split" * split + f"-{shape}" * bool(shape)
    check = Check("D", case.dialect or "", case.provider, case.id, mode, case.features, case.dialect)
    plain = call(case, f"case-{case.number}")
    sent = reshaped(plain, shape) if shape else plain
    program = world.upstream.program(f"case-{case.number}")
    changes = {"split": PIECE_BYTES} if split else {"at": event_offsets(case) if case.streaming else ()}
    async with program.lock:
        program.load(recorded_reply(case, **changes))
        answer = None
        try:
            answer = await world.ask(sent)
            judge(check, case, plain, answer, program.captured)
        except Exception as error:
            check.add("call", f"{type(error).__name__}: {error}")
        check.keep(sent, answer, program.captured)
    world.report.add(check)


def judge(check, case, sent, answer, captured):
    if answer.status != case.status:
        check.add("status", f"{answer.status} instead of {case.status}: {answer.text()[:200]}")
    if not answer.complete:
        check.add("cut", "the answer is not whole")
    if answer.body != case.response:
        check.add("answer", "the body differs from the recording's")
    wanted = (case.meta.get("response_headers") or {}).get("content-type")
    if wanted and answer.content_type != wanted:
        check.add("content_type", f"{answer.content_type} instead of {wanted}")
    if len(captured) != 1:
        check.add("upstream", f"{len(captured)} calls")
        return
    body, expected = captured[0].json(), dict(sent.body)
    if in_body(case):
        name = body.pop("model", None)
        del expected["model"]
        if name not in (case.model, f"case-{case.number}", None):
            check.add("model", f"{name} instead of {case.model}")
    if not neutral.same_json(body, expected):
        check.add("request", f"differs: {json.dumps(body)[:200]}")
    if len([each for each in captured[0].headers if each in ("authorization", "x-api-key", "api-key", "x-goog-api-key")]
           ) != 1:
        check.add("credential", f"headers {sorted(captured[0].headers)}")
    if asks.CLIENT_KEY in json.dumps(captured[0].headers) or asks.CLIENT_KEY in captured[0].target:
        check.add("credential", "the client's key reached the upstream")


async def vertex_claude(world, case, shape):
    """Anthropic's client, Claude at Vertex: the same body in another envelope; and Vertex's own client."""
    mode = "vertex" + f"-{shape}" * bool(shape)
    check = Check("D", case.dialect, "vertex-claude", case.id, mode, case.features, case.dialect)
    sent = call(case, vertex_key(case))
    sent = reshaped(sent, shape) if shape else sent
    program = world.upstream.program(vertex_key(case))
    program.load(recorded_reply(case))
    answer = None
    try:
        answer = await world.ask(sent)
        if answer.status != case.status or answer.body != case.response:
            check.add("answer", f"{answer.status}, body equal: {answer.body == case.response}: {answer.text()[:200]}")
        [captured] = program.captured
        verb = "streamRawPredict" if case.streaming else "rawPredict"
        wanted = f"/publishers/anthropic/models/{urllib.parse.quote(case.model, safe='-._~@')}:{verb}"
        if not captured.path.endswith(wanted):
            check.add("path", f"{captured.path} does not end with {wanted}")
        expected = {key: value for key, value in sent.body.items() if key != "model"}
        expected["anthropic_version"] = VERTEX_VERSION
        if not neutral.same_json(captured.json(), expected):
            check.add("request", f"differs: {captured.body[:200]}")
    except Exception as error:
        check.add("call", f"{type(error).__name__}: {error}")
    check.keep(sent, answer, program.captured)
    world.report.add(check)


BEDROCK_VERSION = "bedrock-2023-05-31"
EVENT_STREAM = {"content-type": "application/vnd.amazon.eventstream"}


def bedrock_key(case):
    return f"bedrock-case-{case.number}"


def wrapped(body):
    """Anthropic's events in the chunks of invoke-with-response-stream."""
    headers = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
    return b"".join(
        frames.frame(headers, json.dumps({"bytes": base64.b64encode(event.data.encode()).decode(), "p": "ab"}).encode())
        for event in frames.sse(body)[0]
    )


async def bedrock_claude(world, case):
    """Anthropic's client, Claude at Bedrock: InvokeModel's envelope around the same body, and the same events."""
    check = Check("D", case.dialect, "bedrock-claude", case.id, "bedrock", case.features, case.dialect)
    sent = call(case, bedrock_key(case))
    stream = case.streaming and case.wire == "sse"
    program = world.upstream.program(bedrock_key(case))
    if stream:
        program.load(Reply(200, EVENT_STREAM, wrapped(case.response), True))
    else:
        program.load(recorded_reply(case))
    answer = None
    try:
        answer = await world.ask(sent)
        if stream:
            told, wanted = ([(each.name, each.json()) for each in frames.sse(body)[0]] for body in
                            (answer.body, case.response))
            if not neutral.same_json([list(each) for each in told], [list(each) for each in wanted]):
                check.add("answer", f"the events differ: {answer.text()[:300]}")
        elif answer.status != case.status or (case.status < 400 and answer.body != case.response):
            check.add("answer", f"{answer.status}, body equal: {answer.body == case.response}: {answer.text()[:200]}")
        [captured] = program.captured
        verb = "invoke-with-response-stream" if case.streaming else "invoke"
        if not captured.path.endswith(f"/{verb}"):
            check.add("path", f"{captured.path} does not end with {verb}")
        expected = {key: value for key, value in sent.body.items() if key not in ("model", "stream")}
        expected["anthropic_version"] = BEDROCK_VERSION
        if not neutral.same_json(captured.json(), expected):
            check.add("request", f"differs: {captured.body[:200]}")
    except Exception as error:
        check.add("call", f"{type(error).__name__}: {error}")
    check.keep(sent, answer, program.captured)
    world.report.add(check)

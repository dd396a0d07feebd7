"""Family D: the recording's own protocol in and out. Requests arrive JSON-equal but for the model's name, answers
byte-equal; also with Vertex's envelope around Anthropic's body, and with bytes that arrive in small pieces."""

import json
import urllib.parse

import cases as recordings
from judge import asks, neutral
from results import Check
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
    await world.all([vertex_claude(world, case) for case in world.cases if vertex_key(case) in world.upstream.programs])


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


async def one(world, case, split):
    mode = ("stream" if case.streaming else "unary") + "-split" * split
    check = Check("D", case.dialect or "", case.provider, case.id, mode, case.features, case.dialect)
    sent = call(case, f"case-{case.number}")
    program = world.upstream.program(f"case-{case.number}")
    changes = {"split": PIECE_BYTES} if split else {"at": event_offsets(case) if case.streaming else ()}
    async with program.lock:
        program.load(recorded_reply(case, **changes))
        answer = None
        try:
            answer = await world.ask(sent)
            judge(check, case, sent, answer, program.captured)
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


async def vertex_claude(world, case):
    """Anthropic's client, Claude at Vertex: the same body in another envelope."""
    check = Check("D", case.dialect, "vertex-claude", case.id, "vertex", case.features, case.dialect)
    sent = call(case, vertex_key(case))
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

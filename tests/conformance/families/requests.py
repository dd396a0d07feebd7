"""Family B: every recorded request, sent to a model of every other dialect; what reaches the upstream must be a request
its API takes (B1) and say the same (B2)."""

import asyncio
import base64
import hashlib
import json

import cases as recordings
from judge import asks, canned, compare_request, errors, requests, silence, structure
from results import Check
from wire.gateway import CLIENT_KEY
from wire.upstream import Reply
from world import QUICK_EVERY, SLOTS

# One pixel.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
STREAM_PATHS = ("converse-stream", "streamGenerateContent")


class Places:
    """Slots of each target dialect, one check at a time in each."""

    def __init__(self):
        self.queues = {dialect: asyncio.Queue() for dialect in recordings.DIALECTS}
        for dialect, queue in self.queues.items():
            for slot in range(SLOTS):
                queue.put_nowait(f"slot-{dialect}-{slot}")


async def run(world):
    places = Places()
    remote = Remote(world)
    checker = structure.Structure(world.cases[0].root / "_specs")
    for case in world.everything:
        if case.conversation:
            checker.learn(case)
    await world.all([one(world, places, checker, remote, *each) for each in plan(world)])


def plan(world):
    for case in world.cases:
        if not case.conversation or case.request is None or case.invoke or case.status >= 400:
            continue
        for target in recordings.DIALECTS:
            if target != case.dialect and world.options.wants(case.dialect) and quick(world, case, target):
                yield case, case.dialect, target, case.request
        body = cohere_request(case) if case.provider == "openai" and case.dialect == recordings.CHAT else None
        if body and world.options.wants(recordings.COHERE):
            for target in recordings.DIALECTS[:-1]:
                if quick(world, case, target):
                    yield case, recordings.COHERE, target, body


def quick(world, case, target):
    return not world.options.quick or (case.number + recordings.DIALECTS.index(target)) % QUICK_EVERY == 0


KEPT_BY_COHERE = {"messages", "tools", "max_tokens", "temperature", "seed", "frequency_penalty", "presence_penalty"}
PARTS_OF_COHERE = {"text", "image_url"}


def cohere_request(case):
    """No recording is of a Cohere client; its conversations are written like Chat Completions'."""
    body = {key: value for key, value in case.request.items() if key in KEPT_BY_COHERE}
    for message in body["messages"]:
        content = message.get("content")
        parts = content if isinstance(content, list) else []
        if message["role"] not in ("system", "user", "assistant", "tool") or any(
            part.get("type") not in PARTS_OF_COHERE for part in parts
        ):
            return None
        if "function_call" in message or "refusal" in message or "audio" in message:
            return None
    if any(tool.get("type") != "function" for tool in body.get("tools") or []):
        return None
    if case.request.get("tool_choice") == "required":
        body["tool_choice"] = "REQUIRED"
    if case.request.get("stop"):
        stop = case.request["stop"]
        body["stop_sequences"] = [stop] if isinstance(stop, str) else stop
    return body


class Remote:
    """Addresses of images and documents lead to the mock upstream, which serves a picture or a page of PDF: providers
    that take no addresses get the bytes from the gateway."""

    FILES = {
        "image": (PNG, "image/png"),
        "document": (b"%PDF-1.4\n%conformance\n%%EOF\n", "application/pdf"),
    }

    def __init__(self, world):
        self.base = world.base
        for kind, (data, media_type) in self.FILES.items():
            world.upstream.program(f"media-{kind}").load(Reply(200, {"content-type": media_type}, data))

    def localized(self, asked, body):
        """The body with its remote addresses replaced; kinds that the gateway would not fetch stay."""
        text = json.dumps(body)
        for kind in self.FILES:
            for part in asked.parts(kind):
                if part.media.startswith(("http://", "https://")) and "youtube" not in part.media:
                    text = text.replace(json.dumps(part.media)[1:-1], f"{self.base}media-{kind}/file")
        return json.loads(text)

    def digests(self):
        return {
            f"{self.base}media-{kind}/file": hashlib.sha256(data).hexdigest() for kind, (data, _) in self.FILES.items()
        }


async def one(world, places, checker, remote, case, client, target, body):
    stream = case.streaming
    mode = ("stream" if stream else "unary") + f"-to-{target}"
    check = Check("B", client, target, case.id, mode, case.features, target)
    body = remote.localized(requests.read(client, body), body)
    asked = requests.read(client, body)
    slot = await places.queues[target].get()
    call = answer = None
    program = world.upstream.program(slot)
    try:
        kind = "reasoning" if asked.reasoning == "on" else "plain"
        body = {key: value for key, value in body.items() if key not in ("model", "stream")}
        call = asks.call(client, f"{slot}-{kind}", body, stream)
        asked.stream = stream
        program.load(canned.reply(target, stream))
        answer = await world.ask(call)
        judge(check, checker, client, target, asked, answer, program.captured, remote)
        if program.captured and answer.status == 200:
            warnings = answer.headers.get("x-llm-gateway-warnings", "")
            found = silence.silent(client, body, program.captured[0].json(), warnings)
            check.findings += [("silent", each) for each in found]
    except Exception as error:
        check.add("call" if answer is None else "harness", f"{type(error).__name__}: {error}")
    finally:
        check.keep(call, answer, program.captured)
        places.queues[target].put_nowait(slot)
    world.report.add(check)


def judge(check, checker, client, target, asked, answer, captured, remote):
    if answer.status != 200:
        message, problems = errors.read(client, answer)
        check.add("envelope" if problems else "refused", f"{answer.status} {message} {'; '.join(problems)}")
        if not captured and answer.status == 400 and not errors.names_member(client, answer, message):
            check.add("unnamed", f"the refusal names no member of the request: {message}")
        return
    if len(captured) != 1:
        check.add("upstream", f"{len(captured)} calls")
        return
    sent_body = captured[0].json()
    sent = requests.read(target, sent_body)
    if captured[0].path.rpartition("/")[2].rpartition(":")[2] in STREAM_PATHS:
        sent.stream = True
    for problem in checker.problems(target, sent_body):
        check.add("structure", problem)
    warnings = answer.headers.get("x-llm-gateway-warnings", "")
    claude = {client, target} == {recordings.ANTHROPIC, recordings.BEDROCK}
    check.findings += compare_request.compare(asked, sent, target, warnings, remote.digests(), claude)
    text = json.dumps(captured[0].headers) + captured[0].target + captured[0].body.decode("utf-8", "replace")
    if CLIENT_KEY in text:
        check.add("credential", "the client's key reached the upstream")

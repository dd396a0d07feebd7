"""Family E: what goes wrong at a provider, seen by a client of another dialect: status, envelope, Retry-After, class of
the SDK's exception, and nothing of the upstream's address or credential. Recorded errors and errors.json."""

import asyncio
import json
import pathlib

import cases as recordings
import sdk
from families import faults
from judge import asks, errors
from results import Check
from wire.upstream import Reply
from world import SLOTS, recorded_reply

TABLE = pathlib.Path(__file__).resolve().parent.parent / "errors.json"
CHAT, RESPONSES, ANTHROPIC = recordings.CHAT, recordings.RESPONSES, recordings.ANTHROPIC
GEMINI, BEDROCK, COHERE = recordings.GEMINI, recordings.BEDROCK, recordings.COHERE

# Statuses a client may see for each kind (facts 7).
STATUSES = {
    "bad_request": {400, 422},
    "context": {400},
    "auth": {401},
    "permission": {403},
    "not_found": {404},
    "too_large": {413},
    "rate_limit": {429},
    "overloaded": {503},
    "server": {500, 502},
}
OWN_STATUSES = {
    (ANTHROPIC, "overloaded"): {529},
    (GEMINI, "auth"): {400, 401},
    (BEDROCK, "auth"): {403},
    (GEMINI, "bad_request"): {400},
    (BEDROCK, "bad_request"): {400},
    (BEDROCK, "not_found"): {400, 404},
    (RESPONSES, "not_found"): {400, 404},
    (BEDROCK, "too_large"): {400, 413},
}
KIND_OF_STATUS = {400: "bad_request", 401: "auth", 403: "permission", 404: "not_found"}


def leaks(world, answer):
    text = answer.text() + str(answer.headers)
    secrets = {"credential": recordings.CREDENTIAL, "address": world.base.split("/")[2], "path": "/up/"}
    return [name for name, secret in secrets.items() if secret in text]


def judge(world, check, client, answer, kind, message, retry=None):
    allowed = OWN_STATUSES.get((client, kind), STATUSES[kind])
    if answer.status not in allowed:
        check.add("status", f"{answer.status} for {kind}, allowed {sorted(allowed)}: {answer.text()[:200]}")
    found, problems = errors.read(client, answer)
    if problems:
        check.add("envelope", "; ".join(problems))
    if message and message not in found:
        check.add("message", f"{found!r} without {message!r}")
    if kind == "context" and client in (CHAT, RESPONSES) and "context_length_exceeded" not in answer.text():
        check.add("code", "no code context_length_exceeded")
    if retry is not None and answer.headers.get("retry-after") != str(retry):
        check.add("retry_after", f"{answer.headers.get('retry-after')} instead of {retry}")
    for name in leaks(world, answer):
        check.add("leak", f"the upstream's {name}")


def message_of(entry):
    """What of a hand-made error's text must reach the client."""
    return entry.get("message", "")


async def run(world):
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    await world.all([recorded(world, case, client, stream) for case, client, stream in recorded_plan(world)])
    slots = {dialect: asyncio.Queue() for dialect in recordings.DIALECTS}
    for dialect, queue in slots.items():
        for slot in range(SLOTS):
            queue.put_nowait(f"slot-{dialect}-{slot}")
    if world.options.case or world.options.provider:
        return
    await world.all(
        [
            synthetic(world, slots, entry, client, stream)
            for entry in table["error"]
            for client in recordings.DIALECTS
            for stream in (False, True)
            if client != entry["dialect"] and world.options.wants(client)
        ]
    )
    await world.all([raised(world, slots, entry, client) for entry in table["error"] for client in sdk.CLIENTS
                     if client != entry["dialect"] and world.options.wants(client)])


def recorded_plan(world):
    for case in world.cases:
        if not case.conversation or (case.status < 400 and not case.expected.get("mid_stream_error")):
            continue
        for client in recordings.DIALECTS:
            if client != case.dialect and world.options.wants(client):
                yield case, client, False
                yield case, client, True


def kind_of(case):
    message = (case.expected.get("error") or {}).get("message") or ""
    if "too long" in message or "context window" in message:
        return "context"
    if "API key not valid" in message:
        return "auth"
    if "model_not_found" in case.response.decode("utf-8", "replace"):
        return "not_found"
    return KIND_OF_STATUS[case.status]


async def recorded(world, case, client, stream):
    check = Check("E", client, case.provider, case.id, "stream" if stream else "unary", case.features, case.dialect)
    call = asks.smallest(client, f"case-{case.number}", stream)
    program = world.upstream.program(f"case-{case.number}")
    async with program.lock:
        program.load(recorded_reply(case))
        answer = None
        try:
            answer = await world.ask(call)
            if case.status >= 400:
                judge(world, check, client, answer, kind_of(case), case.expected["error"]["message"])
            else:
                broken(check, client, stream, answer)
        except Exception as error:
            check.add("call", f"{type(error).__name__}: {error}")
        check.keep(call, answer, program.captured)
    world.report.add(check)


def broken(check, client, stream, answer):
    """The stream at the provider ended in an error: so must the client's."""
    if faults.clean(client, stream, answer):
        check.add("clean", "an error inside the stream became a clean answer")


async def synthetic(world, slots, entry, client, stream):
    name = f"{entry['dialect']}/{entry['name']}"
    check = Check("E", client, "made", name, "stream" if stream else "unary", set(), entry["dialect"])
    slot = await slots[entry["dialect"]].get()
    try:
        program = world.upstream.program(slot)
        program.load(reply(entry))
        call = asks.smallest(client, f"{slot}-plain", stream)
        answer = await world.ask(call)
        judge(world, check, client, answer, entry["kind"], message_of(entry), entry.get("retry"))
        check.keep(call, answer, program.captured)
    except Exception as error:
        check.add("call", f"{type(error).__name__}: {error}")
    finally:
        slots[entry["dialect"]].put_nowait(slot)
    world.report.add(check)


def reply(entry):
    headers = {"content-type": "application/json"} | entry.get("headers", {})
    return Reply(entry["status"], headers, entry["body"].encode())


async def raised(world, slots, entry, client):
    """The client's own SDK raises the class of the kind."""
    check = Check("E", client, "sdk", f"{entry['dialect']}/{entry['name']}", "sdk", set(), entry["dialect"])
    slot = await slots[entry["dialect"]].get()
    try:
        world.upstream.program(slot).load(reply(entry))
        failure = await asyncio.to_thread(sdk.failure, client, world.gateway.port, f"{slot}-plain")
        wanted = sdk.EXPECTED[client].get(entry["kind"])
        if wanted and type(failure).__name__ not in wanted:
            check.add("sdk", f"{type(failure).__name__} instead of {wanted}: {str(failure)[:200]}")
    except Exception as error:
        check.add("call", f"{type(error).__name__}: {error}")
    finally:
        slots[entry["dialect"]].put_nowait(slot)
    world.report.add(check)

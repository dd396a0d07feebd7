"""Family F: good recordings broken on their way: cut at every event and inside events, a wrong checksum, an error event
of the provider, a stall, a client that leaves. None of it may look like a clean, shorter answer."""

import asyncio
import json
import pathlib
import re
import time

import cases as recordings
from judge import answers, asks
from results import Check, undisturbed
from wire import frames
from wire.upstream import Reply
from world import event_offsets

TABLE = pathlib.Path(__file__).resolve().parent.parent / "errors.json"
CUTS_MAX = 24  # boundaries of one recording; evenly spread where it has more
RECORDINGS = 3  # of each provider and wire
BYTES_MAX = 60_000
HEAD_SECONDS = 1.0
GONE_SECONDS = 1.0  # a client's leaving must reach the upstream within
TRIES = 8
QUICK_CUTS = 6


def clean(client, stream, answer):
    """Whether an SDK would take this for a whole answer."""
    if answer.status >= 400 or not answer.complete:
        return False
    if not stream:
        return not (client == recordings.RESPONSES and json.loads(answer.body).get("status") == "failed")
    found = answers.decode(client, answer.body, True, strict=False)
    return found.error is None and found.finish != "error" and found.ended


def spread(offsets, most):
    if len(offsets) <= most:
        return list(offsets)
    return [offsets[number * len(offsets) // most] for number in range(most)]


def chosen(world):
    """A few streams of each provider and dialect: not large, with text or calls, as different as there are."""
    taken = {}
    for case in world.cases:
        whole = case.conversation and case.streaming and case.status == 200 and case.recorded and not case.invoke
        if not whole or len(case.response) > BYTES_MAX or case.expected.get("mid_stream_error"):
            continue
        key = (case.provider, case.dialect, case.wire)
        kinds = taken.setdefault(key, {})
        kind = (bool(case.expected["text"]), bool(case.expected["tool_calls"]), bool(case.expected["reasoning_text"]))
        if len(kinds) < (1 if world.options.quick else RECORDINGS):
            kinds.setdefault(kind, case)
    return [case for kinds in taken.values() for case in kinds.values()]


def inside(case):
    """Offsets inside an event, a character of several bytes, an escape, a frame's checksum."""
    body, marks = case.response, event_offsets(case)
    middle = marks[len(marks) // 2 - 1] if len(marks) > 1 else 0
    found = {"event": middle + 9, "head": 5, "end": len(body) - 3}
    if match := re.search(rb"[\xc2-\xf4][\x80-\xbf]", body):
        found["character"] = match.start() + 1
    if match := re.search(rb"\\[nu\"]", body):
        found["escape"] = match.start() + 1
    return found


async def run(world):
    table = json.loads(TABLE.read_text(encoding="utf-8"))["stream"]
    work = [one(world, *each) for each in plan(world, table)]
    await world.all(work)
    await leavers(world)


def plan(world, table):
    cuts = QUICK_CUTS if world.options.quick else CUTS_MAX
    for case in chosen(world):
        offsets = event_offsets(case)
        faults = [(f"cut-event-{each}", {"cut": each}) for each in spread([0, *offsets[:-1]], cuts)]
        faults += [(f"cut-{name}-{each}", {"cut": each}) for name, each in inside(case).items()]
        middle = offsets[max(0, len(offsets) // 2 - 1)]
        if case.wire == "aws_eventstream":
            faults += [(f"crc-{each}", {"flip": each - 2}) for each in (offsets[0], middle, offsets[-2])]
        for entry in table:
            if entry["dialect"] == case.dialect and case.wire != "json_array":
                faults += [(f"{entry['name']}-{at}", {"insert": entry, "at": at}) for at in {offsets[0], middle}]
        for number, (name, fault) in enumerate(faults):
            for client in clients(world, case, number):
                yield case, client, True, name, fault
            other = recordings.DIALECTS[(case.number + number) % len(recordings.DIALECTS)]
            if world.options.wants(other):
                yield case, other, False, name, fault
        yield from stalls(world, case, middle)


def clients(world, case, number):
    """Every dialect for every third fault; for the others one after the other."""
    for index, client in enumerate(recordings.DIALECTS):
        if world.options.wants(client) and (number % 3 == 0 or (index + number) % 3 == 0):
            yield client


def stalls(world, case, middle):
    client = recordings.DIALECTS[case.number % len(recordings.DIALECTS)]
    if world.options.wants(client) and not world.options.quick:
        yield case, client, True, f"stall-{middle}", {"stall": middle}


def broken_reply(case, fault):
    body, at = case.response, event_offsets(case)
    if "flip" in fault:
        body = bytearray(body)
        body[fault["flip"]] ^= 0xFF
        body = bytes(body)
    if "insert" in fault:
        entry = fault["insert"]
        if "exception" in entry:
            event = frames.exception_frame(entry["exception"], "It broke")
        else:
            event = entry["data"].encode() + b"\n\n"
        body = body[: fault["at"]] + event
    reply = Reply(200, case.headers, body, True, at=at)
    reply.cut, reply.stall = fault.get("cut"), fault.get("stall")
    return reply


async def one(world, case, client, stream, name, fault):
    check = Check("F", client, case.provider, case.id, ("stream-" if stream else "unary-") + name, case.features,
                  case.dialect)
    told = answers.origin(case)
    call = asks.smallest(client, f"case-{case.number}", stream, [tool.name for tool in told.tools],
                         bool(told.reasoning or told.signatures))
    if client == case.dialect and not stream:
        return  # the provider would not have streamed to it
    program = world.upstream.program(f"case-{case.number}")
    async with program.lock:
        program.load(broken_reply(case, fault))
        answer = None
        try:
            answer = await world.ask(call)
            if clean(client, stream, answer):
                check.add("clean", f"{name}: a broken stream became a clean answer")
            if answer.status >= 400 and not program.captured:
                check.add("refused", f"{answer.status} {answer.text()[:200]}")
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # every SDK raises
        except Exception as error:
            check.add("call", f"{type(error).__name__}: {error}")
        check.keep(call, answer, program.captured)
    world.report.add(check)


async def leavers(world):
    """A client that leaves in the middle: the upstream is told within a second."""
    every = 3 if world.options.quick else 1
    await world.all([leave(world, case, client) for case in chosen(world) for client in recordings.DIALECTS[::every]
                     if world.options.wants(client)])


async def leave(world, case, client):
    async with world.upstream.program(f"case-{case.number}").lock:
        await leave_alone(world, case, client)


async def leave_alone(world, case, client):
    # Whoever is late, gateway, upstream or client: a machine that is busy makes it one of them, not every time.
    world.report.add(await undisturbed(lambda: leave_once(world, case, client), TRIES))


async def leave_once(world, case, client):
    check = Check("F", client, case.provider, case.id, "client-leaves", case.features, case.dialect)
    program, offsets = world.upstream.program(f"case-{case.number}"), event_offsets(case)
    program.load(broken_reply(case, {"stall": offsets[max(0, len(offsets) // 2 - 1)]}))
    call = asks.smallest(client, f"case-{case.number}", True)
    data = call.data()
    head = f"POST {call.target} HTTP/1.1\r\nHost: gateway\r\nContent-Length: {len(data)}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in call.headers.items()) + "\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", world.gateway.port)
    writer.write(head.encode() + data)
    try:
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEAD_SECONDS)
    except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
        pass  # the head may wait for content
    started = time.monotonic()
    writer.close()
    try:
        await asyncio.wait_for(program.gone.wait(), GONE_SECONDS)
        check.debug = {"seconds": time.monotonic() - started}
    except TimeoutError:
        check.add("leave", f"the upstream was not told within {GONE_SECONDS} s")
    return check

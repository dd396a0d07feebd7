"""Family I: streams are passed on as they come. The provider says a part of its answer and falls silent: a client of
any dialect has that part, in about as many events."""

import asyncio
import time

import cases as recordings
from families.faults import broken_reply, chosen
from judge import answers, asks
from results import Check, undisturbed
from wire import frames, http1
from world import event_offsets

WAIT_SECONDS = 2.0  # for what has been said; nothing more comes
TRIES = 6  # of what a busy machine may make late
TEXTS_MIN = 4  # pieces of text that a recording must have to be worth a look
PIECES_SHARE = 0.5  # of the provider's events of text, the client has at least so many


async def run(world):
    await world.all([one(world, case, client) for case in chosen(world) for client in recordings.DIALECTS
                     if client != case.dialect and world.options.wants(client) and case.expected["text"]
                     and not case.expected["reasoning_text"] and not case.expected["tool_calls"]])


def texts(dialect, body):
    """(what has been said, in how many pieces) of a stream that is not over."""
    if dialect == recordings.BEDROCK:
        events = frames.frames(body)[0]
        cuts = [at for at in frames.boundaries(body, "aws_eventstream") if at <= len(body)]
        whole = body[: cuts[-1]] if cuts else b""
    else:
        end = max(body.rfind(b"\n\n"), body.rfind(b"\r\n\r\n"))
        whole = body[:end].rstrip() + b"\n\n" if end >= 0 else b""
        events = frames.sse(whole)[0]
    told = answers.decode(dialect, whole, True, strict=False) if whole else None
    text = (told.text or streamed_text(events)) if told else ""
    return text, sum(is_text(dialect, event) for event in events)


def streamed_text(events):
    """Of Responses, whose reading is that of the last event."""
    return "".join(event.json().get("delta", "") for event in events if event.name == "response.output_text.delta")


def is_text(dialect, event):
    if event.data.strip() == "[DONE]":
        return False
    document = event.json()
    if dialect == recordings.CHAT:
        return any((choice.get("delta") or {}).get("content") for choice in document.get("choices") or [])
    if dialect == recordings.RESPONSES:
        return document.get("type") == "response.output_text.delta"
    if dialect == recordings.ANTHROPIC:
        return (document.get("delta") or {}).get("type") == "text_delta"
    if dialect == recordings.BEDROCK:
        return "text" in (document.get("delta") or {})
    if dialect == recordings.COHERE:
        return document.get("type") == "content-delta"
    return any(part.get("text") for candidate in document.get("candidates") or []
               for part in (candidate.get("content") or {}).get("parts") or [])


async def one(world, case, client):
    offsets = event_offsets(case)
    middle = offsets[max(0, len(offsets) * 2 // 3 - 1)]
    if case.wire == "json_array" or case.wire == "json":
        return
    said, pieces = texts(case.dialect, case.response[:middle])
    if pieces < TEXTS_MIN:
        return
    world.report.add(await undisturbed(lambda: begin(world, case, client, middle, said, pieces), TRIES))


async def begin(world, case, client, middle, said, pieces):
    check = Check("I", client, case.provider, case.id, "stream", case.features, case.dialect)
    program = world.upstream.program(f"case-{case.number}")
    async with program.lock:
        program.load(broken_reply(case, {"stall": middle}))
        call = asks.smallest(client, f"case-{case.number}", True)
        try:
            answer = await begun(world, call)
            text, found = texts(client, answer.body)
            if text != said:
                check.add("held", f"{len(text)} of {len(said)} characters that the provider had sent")
            if found < pieces * PIECES_SHARE:
                check.add("pieces", f"{found} events of text for the provider's {pieces}")
        except Exception as error:
            check.add("call", f"{type(error).__name__}: {error}")
            answer = None
        check.keep(call, answer, program.captured)
    return check


async def begun(world, call):
    """What has come of an answer that does not end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", world.gateway.port, limit=http1.HEAD_BYTES_MAX)
    data = call.data()
    head = f"POST {call.target} HTTP/1.1\r\nHost: gateway\r\nContent-Length: {len(data)}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in call.headers.items()) + "\r\n"
    writer.write(head.encode() + data)
    lines = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT_SECONDS)).decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
    answer = http1.Answer(int(lines[0].split(" ")[1]), headers, b"", False)
    try:
        await asyncio.wait_for(world.client.body(reader, answer, time.monotonic()), WAIT_SECONDS)
    except TimeoutError:
        pass
    finally:
        writer.close()
    return answer

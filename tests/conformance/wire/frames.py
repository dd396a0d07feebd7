"""Framings of streams: server-sent events, Gemini's JSON array, AWS event-stream frames. Taken apart strictly (what the
gateway sends) or as they come (recordings), made, and cut."""

import binascii
import dataclasses
import json
import re
import struct

PRELUDE_BYTES = 12
TRAILER_BYTES = 4
SSE_FIELDS = {"event", "data", "id", "retry"}


class Broken(Exception):
    """The bytes are not of this framing, or not whole."""


@dataclasses.dataclass
class Event:
    name: str | None
    data: str
    headers: dict | None = None  # AWS frames

    def json(self):
        return json.loads(self.data)


def sse(body):
    """(events, problems). Lenient: what is odd is a problem, not an exception."""
    problems = []
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        problems.append(f"not UTF-8: {error}")
        text = body.decode("utf-8", "replace")
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if text and not text.endswith("\n\n"):
        problems.append("the last event has no blank line")
    events, name, data = [], None, []
    for line in text.split("\n"):
        if not line:
            if data:
                events.append(Event(name, "\n".join(data)))
            name, data = None, []
            continue
        if line.startswith(":"):
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif field not in SSE_FIELDS:
            problems.append(f"a line that is no field: {line[:80]!r}")
    if data:
        events.append(Event(name, "\n".join(data)))
    return events, problems


def json_array(body):
    """(elements as events, problems)."""
    try:
        document = json.loads(body)
    except ValueError as error:
        return [], [f"not one JSON document: {error}"]
    if not isinstance(document, list):
        return [Event(None, json.dumps(document))], ["not an array"]
    return [Event(None, json.dumps(each)) for each in document], []


HEADER_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}


def frame_headers(data):
    headers, at = {}, 0
    while at < len(data):
        length = data[at]
        name = data[at + 1 : at + 1 + length].decode()
        kind = data[at + 1 + length]
        at += 2 + length
        if kind in (6, 7):
            (size,) = struct.unpack(">H", data[at : at + 2])
            value = data[at + 2 : at + 2 + size]
            headers[name] = value.decode() if kind == 7 else value
            at += 2 + size
        elif kind in HEADER_SIZES:
            size = HEADER_SIZES[kind]
            headers[name] = data[at : at + size] if size else kind == 0
            at += size
        else:
            raise Broken(f"header type {kind}")
    return headers


def frames(body):
    """(events, problems): AWS event-stream frames, both checksums verified."""
    events, at = [], 0
    while at < len(body):
        if len(body) - at < PRELUDE_BYTES + TRAILER_BYTES:
            return events, ["the last frame is cut"]
        total, head, crc = struct.unpack(">III", body[at : at + PRELUDE_BYTES])
        if binascii.crc32(body[at : at + 8]) != crc:
            return events, ["checksum of a prelude"]
        if total > len(body) - at or total < PRELUDE_BYTES + TRAILER_BYTES + head:
            return events, ["the last frame is cut"]
        end = at + total - TRAILER_BYTES
        if struct.unpack(">I", body[end : end + TRAILER_BYTES])[0] != binascii.crc32(body[at:end]):
            return events, ["checksum of a message"]
        payload_at = at + PRELUDE_BYTES + head
        headers = frame_headers(body[at + PRELUDE_BYTES : payload_at])
        name = headers.get(":event-type") or headers.get(":exception-type") or headers.get(":error-code")
        events.append(Event(name, body[payload_at:end].decode(), headers))
        at += total
    return events, []


def frame(headers, payload):
    """One AWS event-stream frame with string headers."""
    head = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value.encode())) + value.encode()
        for name, value in headers.items()
    )
    total = PRELUDE_BYTES + len(head) + len(payload) + TRAILER_BYTES
    start = struct.pack(">II", total, len(head))
    start += struct.pack(">I", binascii.crc32(start))
    message = start + head + payload
    return message + struct.pack(">I", binascii.crc32(message))


def exception_frame(kind, message):
    headers = {":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}
    return frame(headers, json.dumps({"message": message}).encode())


def boundaries(body, wire):
    """Offsets behind each event, the end of the body included."""
    if wire == "aws_eventstream":
        found, at = [], 0
        while at + 4 <= len(body):
            at += struct.unpack(">I", body[at : at + 4])[0]
            found.append(at)
        return found
    if wire == "json_array":
        found = [match.start() for match in re.finditer(rb"\r?\n,\r?\n", body)]
        return [*found, len(body)]
    found = [match.end() for match in re.finditer(rb"\r\n\r\n|\n\n|\r\r", body)]
    return found if found and found[-1] == len(body) else [*found, len(body)]

"""A scripted upstream on asyncio in a thread of its own: keeps every request it gets, byte for byte, and answers as the
request's header x-script says (plain JSON without it). Serves thousands of connections at once."""

import asyncio
import base64
import collections
import dataclasses
import gzip
import hashlib
import json
import socket
import struct

from .scripted import ScriptedServer

HEAD_BYTES_MAX = 1 << 17

SCRIPTS = {}


def script(name):
    def add(function):
        SCRIPTS[name] = function
        return function

    return add


@dataclasses.dataclass
class Request:
    method: str
    target: str
    headers: list  # (lower-case name, value), in order
    body: bytes
    head: bytes
    connection: int

    def header(self, name):
        values = [value for key, value in self.headers if key == name]
        return values[0] if values else None

    @property
    def request_id(self):
        return self.header("x-request-id")

    def json(self):
        return json.loads(self.body)


class BadRequest(Exception):
    pass


class Connection:
    """One client's connection as the scripts see it."""

    def __init__(self, upstream, number, reader, writer):
        self.upstream, self.number, self.reader, self.writer = upstream, number, reader, writer
        self.served = 0

    async def write(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, body, status="200 OK", headers=(), content_type="application/json"):
        lines = [f"HTTP/1.1 {status}", f"Content-Type: {content_type}", f"Content-Length: {len(body)}", *headers]
        await self.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    async def begin_stream(self, content_type="text/event-stream"):
        await self.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: " + content_type.encode() + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
        )

    async def chunk(self, data):
        await self.write(b"%x\r\n%s\r\n" % (len(data), data))

    async def until_closed(self):
        """Waits for the peer to leave; notes that it did."""
        try:
            while await self.reader.read(1 << 16):
                pass
        except ConnectionError:
            pass

    def reset(self):
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.close()


async def read_head(reader, number):
    """None at an orderly end between requests. Strict: what is not plain HTTP/1.1 is a BadRequest."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise BadRequest(f"ended inside a head: {error.partial[:200]!r}") from error
        return None
    lines = head[:-4].split(b"\r\n")
    parts = lines[0].decode("latin-1").split(" ")
    if len(parts) != 3 or parts[2] != "HTTP/1.1":
        raise BadRequest(f"request line {lines[0]!r}")
    headers = []
    for line in lines[1:]:
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or not name or name != name.strip():
            raise BadRequest(f"header line {line!r}")
        headers.append((name.lower(), value.strip(" \t")))
    lengths = [value for name, value in headers if name == "content-length"]
    codings = [value for name, value in headers if name == "transfer-encoding"]
    if len(lengths) + len(codings) > 1 or (codings and codings != ["chunked"]):
        raise BadRequest(f"framing {lengths} {codings}")
    return Request(parts[0], parts[1], headers, b"", head, number)


async def read_body(reader, request):
    if length := request.header("content-length"):
        request.body = await reader.readexactly(int(length))
    elif request.header("transfer-encoding"):
        while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
            request.body += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readuntil(b"\r\n")


class Upstream(ScriptedServer):
    """Thread-safe to read from tests, too: `open_connections`, `accepted`."""

    def __init__(self):
        self.by_script = collections.Counter()
        self.waiting = collections.Counter()  # requests a script holds now, by script
        self.open_connections = 0
        self.accepted = 0
        super().__init__(20_000, limit=HEAD_BYTES_MAX, backlog=4096)

    async def released(self, request):
        await self.gate(request.request_id).wait()

    async def _serve(self, reader, writer):
        self.accepted += 1
        self.open_connections += 1
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(self, self.accepted, reader, writer)
        try:
            while not writer.is_closing():
                request = await read_head(reader, connection.number)
                if request is None:
                    break
                if not (request.header("x-script") or "").startswith("early-"):
                    await read_body(reader, request)
                await self._answer(connection, request)
                connection.served += 1
        except BadRequest as error:
            self.malformed.append(str(error))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except Exception as error:  # a script's own fault must fail the test, not hang it
            self.malformed.append(f"script failed: {error!r}")
            raise
        finally:
            self.open_connections -= 1
            writer.close()

    async def _answer(self, connection, request):
        self.requests.append(request)
        name = request.header("x-script") or "json"
        self.by_script[name] += 1
        self.waiting[name] += 1
        try:
            await SCRIPTS[name](connection, request)
        finally:
            self.waiting[name] -= 1


def sse(*values, done=True):
    events = [b"data: " + json.dumps(value).encode() + b"\n\n" for value in values]
    return events + [b"data: [DONE]\n\n"] if done else events


def chat_chunk(text):
    return {
        "id": "chatcmpl-scripted",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "scripted",
        "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}],
    }


CHAT = {
    "id": "chatcmpl-scripted",
    "object": "chat.completion",
    "created": 1,
    "model": "scripted",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "scripted"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8},
}


@script("json")
async def answer_json(connection, request):
    if request.method == "GET" and (request.header("upgrade") or "").lower() == "websocket":
        return await echo_websocket(connection, request)
    await connection.answer(json.dumps(CHAT).encode(), headers=["x-upstream-header: kept"])


@script("held")
async def answer_when_released(connection, request):
    await connection.upstream.released(request)
    await answer_json(connection, request)


@script("speech")
async def answer_speech(connection, request):
    await connection.answer(bytes(range(256)) * 512, content_type="audio/mpeg")


@script("stream")
async def answer_stream(connection, request):
    await connection.begin_stream()
    for event in sse(chat_chunk("one "), chat_chunk("two ")):
        await connection.chunk(event)
    await connection.write(b"0\r\n\r\n")


@script("stream-in-bytes")
async def stream_in_bytes(connection, request):
    """Every byte of a chunked stream, framing included, comes in a segment of its own."""
    events = b"".join(sse(chat_chunk("one "), chat_chunk("two ")))
    await connection.begin_stream()
    for byte in b"%x\r\n%s\r\n0\r\n\r\n" % (len(events), events):
        await connection.write(bytes([byte]))
        await asyncio.sleep(0.0005)


@script("hang")
async def hang(connection, request):
    await connection.until_closed()


@script("hang-in-stream")
async def hang_in_stream(connection, request):
    await connection.begin_stream()
    await connection.chunk(sse(chat_chunk("begun"), done=False)[0])
    await connection.until_closed()


@script("reset")
async def reset(connection, request):
    connection.reset()


@script("reset-in-head")
async def reset_in_head(connection, request):
    await connection.write(b"HTTP/1.1 200 OK\r\nContent-Ty")
    connection.reset()


@script("close")
async def close(connection, request):
    connection.writer.close()


@script("cut-in-body")
async def cut_in_body(connection, request):
    await connection.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"id": ')
    connection.writer.close()


@script("cut-in-stream")
async def cut_in_stream(connection, request):
    await connection.begin_stream()
    await connection.chunk(sse(chat_chunk("begun"), done=False)[0])
    connection.writer.close()


@script("cut-in-event")
async def cut_in_event(connection, request):
    await connection.begin_stream()
    await connection.chunk(sse(chat_chunk("begun"), done=False)[0] + b'data: {"id": "chatcm')
    connection.writer.close()


@script("reset-in-stream")
async def reset_in_stream(connection, request):
    await connection.begin_stream()
    await connection.chunk(sse(chat_chunk("begun"), done=False)[0])
    # The piece has to leave before the reset, which throws away what is still queued.
    await connection.upstream.released(request)
    connection.reset()


@script("drip")
async def drip(connection, request):
    """A byte a second would take minutes; the pace is scaled, the pieces are single bytes."""
    body = json.dumps({"id": "x", "object": "chat.completion", "choices": []}).encode()
    await connection.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    for at in range(len(body)):
        await connection.write(body[at : at + 1])
        await asyncio.sleep(0.005)


@script("drip-a-second")
async def drip_a_second(connection, request):
    await connection.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\n")
    for byte in (b"n", b"u", b"l", b"l"):
        await connection.write(byte)
        await asyncio.sleep(1)


@script("garbage")
async def garbage(connection, request):
    await connection.write(b"\x16\x03\x01 this is not HTTP at all\r\n\r\n")
    connection.writer.close()


@script("tells-all")
async def tells_all(connection, request):
    """Refuses, with what the gateway sent and where it sent it, as the header x-tells says."""
    sent = request.header("authorization") or request.header("x-api-key") or request.header("x-goog-api-key")
    where = request.header("host")
    how = request.header("x-tells")
    message = f"Incorrect API key provided: {sent.removeprefix('Bearer ')}, at {where}" if how != "clean" else "no"
    body = json.dumps({"error": {"message": message, "type": "authentication_error", "extra": 1.50}}).encode()
    headers = ["x-kept: kept"]
    if how == "gzip":
        body, headers = gzip.compress(body), [*headers, "Content-Encoding: gzip"]
    if how == "large":
        body = body[:-1] + b" " * (300 << 10) + b"}"
    if how == "moved":
        return await connection.answer(b"moved", "307 Moved", [*headers, f"Location: http://{where}/elsewhere"])
    await connection.answer(body, "401 Unauthorized", headers)


@script("tells-all-with-200")
async def tells_all_with_200(connection, request):
    """The same as an error that no status tells, as x-tells says: a document, a page, an event of a stream."""
    sent = request.header("authorization") or request.header("x-api-key") or request.header("x-goog-api-key")
    sent, where = sent.removeprefix("Bearer "), request.header("host")
    basic = base64.b64encode(f"user:{sent}".encode()).decode()
    message = f"Incorrect API key provided: {sent} (Basic {basic}), at {where}"
    error = {"type": "error", "error": {"message": message, "type": "authentication_error"}}
    how = request.header("x-tells")
    if how == "document":
        return await connection.answer(json.dumps(error).encode())
    if how == "page":
        return await connection.answer(f"<html>{message}</html>".encode(), content_type="text/html")
    if how == "array":
        await connection.begin_stream("application/json")
        pieces = [b"[", json.dumps(error).encode(), b"]"]
    else:
        await connection.begin_stream()
        event = b"event: error\ndata: " + json.dumps(error).encode() + b"\n\n"
        # In the middle of the credential.
        cut = event.index(sent.encode()) + 9
        pieces = [sse(chat_chunk(f"begun at {where}"), done=False)[0] + event[:cut], event[cut:]]
    for piece in pieces:
        await connection.chunk(piece)
        await asyncio.sleep(0.02)
    await connection.write(b"0\r\n\r\n")


@script("bad-status-line")
async def bad_status_line(connection, request):
    await connection.write(b"HTTP/1.1 banana OK\r\n\r\n")
    connection.writer.close()


@script("two-lengths")
async def two_lengths(connection, request):
    await connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}}")


@script("length-and-chunked")
async def length_and_chunked(connection, request):
    await connection.write(
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    )


@script("huge-head")
async def huge_head(connection, request):
    await connection.write(b"HTTP/1.1 200 OK\r\n" + b"X-Filler: " + b"a" * (1 << 20) + b"\r\n\r\n")
    await connection.until_closed()


@script("bytes-after")
async def bytes_after(connection, request):
    """An answer nobody asked for behind the right one: the connection must not be used again."""
    forged = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{"forged"}'
    body = json.dumps(CHAT).encode()
    await connection.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s%s"
        % (len(body), body, forged)
    )


@script("until-close")
async def until_close(connection, request):
    """HTTP/1.0 manners: no length, the end of the connection is the end of the body."""
    await connection.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" + json.dumps(CHAT).encode()
    )
    connection.writer.close()


@script("error-then-close")
async def error_then_close(connection, request):
    await connection.answer(
        b'{"error":{"message":"slow down","type":"rate_limit","code":null,"param":null}}',
        "429 Too Many Requests",
        ["Retry-After: 7", "Connection: close"],
    )
    connection.writer.close()


@script("early-answer")
async def early_answer(connection, request):
    """Answers on the head alone, then takes the body as a well-behaved server does, and keeps the connection."""
    await connection.answer(b'{"error":{"message":"not that","type":"invalid_request_error"}}', "400 Bad Request")
    await read_body(connection.reader, request)


@script("early-close")
async def early_close(connection, request):
    """Answers on the head alone and closes its half; reads on, so that no reset destroys the answer."""
    await connection.answer(
        b'{"error":{"message":"too long","type":"invalid_request_error"}}',
        "413 Payload Too Large",
        ["Connection: close"],
    )
    connection.writer.write_eof()
    await connection.until_closed()
    connection.writer.close()


@script("interim")
async def interim(connection, request):
    await connection.write(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n")
    await connection.answer(json.dumps(CHAT).encode())


@script("close-after")
async def close_after(connection, request):
    """Answers with keep-alive, then closes: the idle connection is dead when it is wanted next."""
    await connection.answer(json.dumps(CHAT).encode())
    connection.writer.close()


@script("close-on-reuse")
async def close_on_reuse(connection, request):
    """The first request of a connection is answered; the second finds it closed, as if it had been idle too long."""
    if connection.served:
        connection.writer.close()
        return
    await connection.answer(json.dumps(CHAT).encode())


@script("think-and-close-on-reuse")
async def think_and_close_on_reuse(connection, request):
    """The first request of a connection is answered; the second is worked on for a while, then there is no answer."""
    if connection.served:
        await asyncio.sleep(0.3)
        connection.writer.close()
        return
    await connection.answer(json.dumps(CHAT).encode())


@script("echo-headers")
async def echo_headers(connection, request):
    await connection.answer(json.dumps({"headers": request.headers, "target": request.target}).encode())


# --- WebSocket (RFC 6455): echoes what comes, by frames ---

WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


async def echo_websocket(connection, request):
    await begin_websocket(connection, request)
    while await echo_frame(connection):
        pass
    connection.writer.close()


async def begin_websocket(connection, request):
    key = request.header("sec-websocket-key").encode()
    accept = base64.b64encode(hashlib.sha1(key + WEBSOCKET_GUID).digest()).decode()
    protocols = (request.header("sec-websocket-protocol") or "").split(",")[0].strip()
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept}",
    ]
    if protocols:
        lines.append(f"Sec-WebSocket-Protocol: {protocols}")
    await connection.write("\r\n".join(lines).encode() + b"\r\n\r\n")


async def echo_frame(connection):
    first, second = await connection.reader.readexactly(2)
    length = second & 0x7F
    if length == 126:
        length = struct.unpack(">H", await connection.reader.readexactly(2))[0]
    elif length == 127:
        length = struct.unpack(">Q", await connection.reader.readexactly(8))[0]
    mask = await connection.reader.readexactly(4)
    payload = await connection.reader.readexactly(length)
    data = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload)) if length < 4096 else unmask(payload, mask)
    size = (
        bytes([length])
        if length < 126
        else struct.pack(">BH" if length < 1 << 16 else ">BQ", 126 if length < 1 << 16 else 127, length)
    )
    opcode = first & 0x0F
    answer = 0x8A if opcode == 0x9 else first  # a ping is answered by a pong
    await connection.write(bytes([answer]) + size + data)
    return opcode != 0x8


def unmask(payload, mask):
    whole = int.from_bytes(payload, "big") ^ int.from_bytes((mask * (len(payload) // 4 + 1))[: len(payload)], "big")
    return whole.to_bytes(len(payload), "big")

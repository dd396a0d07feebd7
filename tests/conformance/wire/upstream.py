"""The mock upstream: an HTTP/1.1 server on the judge's own event loop. A path /up/<key>/... asks the program of that
key, which keeps what it was sent and answers with what the judge put into it, whole or with faults."""

import asyncio
import dataclasses
import gzip
import json

HEAD_BYTES_MAX = 1 << 18
BACKLOG = 512
# Where a provider's credential may stand; the judge sees only what it needs of them.
CREDENTIALS = ("authorization", "x-api-key", "api-key", "x-goog-api-key")


@dataclasses.dataclass
class Captured:
    method: str
    target: str  # behind the key
    headers: dict
    body: bytes

    @property
    def path(self):
        return self.target.partition("?")[0]

    def json(self):
        return json.loads(self.body)


@dataclasses.dataclass
class Reply:
    """What is sent back. `stream`: chunked, in pieces of `split` bytes or at the offsets `at`."""

    status: int = 200
    headers: dict = dataclasses.field(default_factory=dict)
    body: bytes = b""
    stream: bool = False
    split: int = 0
    at: tuple = ()
    delay: float = 0.0  # seconds before each piece but the first
    cut: int | None = None  # the connection is closed abruptly after so many bytes
    stall: int | None = None  # nothing more comes after so many bytes
    zipped: bool = False

    def pieces(self):
        body = self.body if self.cut is None else self.body[: self.cut]
        if self.split:
            return [body[at : at + self.split] for at in range(0, len(body), self.split)]
        marks = [0, *[at for at in self.at if at < len(body)], len(body)]
        return [body[start:end] for start, end in zip(marks, marks[1:]) if end > start]


class Program:
    """The replies of one key: one after the other, the last one again and again. `lock`: one check at a time."""

    def __init__(self, replies=()):
        self.replies = list(replies)
        self.captured = []
        self.lock = asyncio.Lock()
        self.gone = asyncio.Event()  # the gateway left before its answer was whole

    def load(self, *replies):
        self.replies, self.captured = list(replies), []
        self.gone.clear()

    def next(self):
        if not self.replies:
            return Reply(599, {"content-type": "text/plain"}, b"no reply left")
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


class Upstream:
    def __init__(self):
        self.programs = {}
        self.strangers = []  # targets that belong to no key
        self.server = None

    async def start(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=HEAD_BYTES_MAX, backlog=BACKLOG)
        return self.server.sockets[0].getsockname()[1]

    def stop(self):
        self.server.close()

    def program(self, key):
        return self.programs.setdefault(key, Program())

    async def _serve(self, reader, writer):
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _exchange(self, reader, writer):
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ")
        headers = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if colon:
                headers[name.lower()] = value.strip()
        body = await self._body(reader, headers)
        parts = target.split("/", 3)
        program = self.programs.get(parts[2]) if len(parts) > 2 and parts[1] == "up" else None
        if program is None:
            self.strangers.append(target)
            reply = Reply(404, {"content-type": "text/plain"}, b"no such program")
        else:
            program.captured.append(Captured(method, "/" + (parts[3] if len(parts) > 3 else ""), headers, body))
            reply = program.next()
        return await self._reply(reader, writer, reply, program)

    @staticmethod
    async def _body(reader, headers):
        if headers.get("transfer-encoding", "").lower() != "chunked":
            return await reader.readexactly(int(headers.get("content-length") or 0))
        body = bytearray()
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readuntil(b"\r\n")
        return bytes(body)

    async def _reply(self, reader, writer, reply, program):
        headers = dict(reply.headers)
        if reply.zipped:
            reply = dataclasses.replace(reply, body=gzip.compress(reply.body), at=())
            headers["content-encoding"] = "gzip"
        headers["transfer-encoding" if reply.stream else "content-length"] = (
            "chunked" if reply.stream else str(len(reply.body))
        )
        head = f"HTTP/1.1 {reply.status} Recorded\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items()) + "\r\n"
        writer.write(head.encode("latin-1"))
        sent = 0
        for number, piece in enumerate(reply.pieces()):
            if number and reply.delay:
                await asyncio.sleep(reply.delay)
            elif number and reply.split:
                await asyncio.sleep(0)
            if reply.stall is not None and sent >= reply.stall:
                return await self._stall(reader, program)
            if writer.is_closing():
                return False
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece) if reply.stream else piece)
            sent += len(piece)
            if reply.delay or reply.split:
                await writer.drain()
        if reply.stall is not None:
            return await self._stall(reader, program)
        if reply.cut is not None:
            await writer.drain()
            return False
        if reply.stream:
            writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    @staticmethod
    async def _stall(reader, program):
        try:
            gone = await reader.read(1) == b""
        except ConnectionError:
            gone = True
        if gone and program is not None:
            program.gone.set()
        return False

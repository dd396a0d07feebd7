"""An HTTP/1.1 client on asyncio: connections kept alive, bytes as they came, the way a body ended."""

import asyncio
import dataclasses
import time

CALL_SECONDS = 60
READ_BYTES = 1 << 16
HEAD_BYTES_MAX = 1 << 18


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict
    body: bytes
    complete: bool  # False: the connection ended inside the body
    arrivals: list = dataclasses.field(default_factory=list)  # seconds after the request at which pieces came

    @property
    def content_type(self):
        return self.headers.get("content-type", "")

    def text(self):
        return self.body.decode("utf-8", "replace")


class Client:
    """Calls one server; as many connections as calls at once."""

    def __init__(self, host, port):
        self.host, self.port = host, port
        self.idle = []

    async def close(self):
        for _, writer in self.idle:
            writer.close()
        self.idle.clear()

    async def call(self, method, target, headers, body=b"", seconds=CALL_SECONDS):
        return await asyncio.wait_for(self._call(method, target, headers, body), seconds)

    async def _call(self, method, target, headers, body):
        head = f"{method} {target} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head += f"Content-Length: {len(body)}\r\n\r\n"
        data = head.encode("latin-1") + body
        fresh = not self.idle
        while True:
            reader, writer = self.idle.pop() if self.idle else await self._open()
            try:
                writer.write(data)
                return await self._answer(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError):
                writer.close()
                if fresh:
                    raise
                fresh = not self.idle

    async def _open(self):
        return await asyncio.open_connection(self.host, self.port, limit=HEAD_BYTES_MAX)

    async def _answer(self, reader, writer):
        started = time.monotonic()
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            status = int(lines[0].split(" ")[1])
            if status >= 200:
                break
        headers = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if colon:
                headers[name.lower()] = value.strip()
        answer = Answer(status, headers, b"", True)
        keep = headers.get("connection", "").lower() != "close"
        try:
            await self.body(reader, answer, started)
        except (asyncio.IncompleteReadError, ConnectionError, ValueError):
            answer.complete = False
        if keep and answer.complete and ("content-length" in headers or "transfer-encoding" in headers):
            self.idle.append((reader, writer))
        else:
            writer.close()
        return answer

    async def body(self, reader, answer, started):
        if "content-length" in answer.headers:
            answer.body = await reader.readexactly(int(answer.headers["content-length"]))
            return
        if answer.headers.get("transfer-encoding", "").lower() != "chunked":
            answer.body = await reader.read()
            return
        pieces = bytearray()
        try:
            while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
                pieces += await reader.readexactly(size)
                answer.arrivals.append(time.monotonic() - started)
                await reader.readexactly(2)
            while await reader.readuntil(b"\r\n") != b"\r\n":
                pass  # trailers
        finally:
            answer.body = bytes(pieces)

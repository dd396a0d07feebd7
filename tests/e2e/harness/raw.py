"""HTTP/1.1 by hand over a socket: sends exactly the bytes it is given and takes answers apart strictly."""

import dataclasses
import json
import socket
import struct
import time

ANSWER_SECONDS = 60
RECEIVE_BYTES = 1 << 16


class Malformed(Exception):
    """What came back is not HTTP/1.1, or is not whole."""


@dataclasses.dataclass
class Answer:
    status: int
    headers: list
    body: bytes
    trailers: list = dataclasses.field(default_factory=list)
    complete: bool = True  # False: the connection ended inside the body

    def header(self, name):
        found = [value for key, value in self.headers if key == name]
        return found[0] if found else None

    def json(self):
        return json.loads(self.body)


def connect(address, seconds=ANSWER_SECONDS):
    sock = socket.create_connection(address, timeout=seconds)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def reset(sock):
    """Closes with a TCP reset instead of an orderly end."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def request(method, target, headers=None, body=b""):
    """The bytes of one request; headers are (name, value) pairs or a dict; Host and Content-Length are added."""
    pairs = list(headers.items()) if isinstance(headers, dict) else list(headers or [])
    names = {name.lower() for name, _ in pairs}
    if "host" not in names:
        pairs.insert(0, ("Host", "gateway.test"))
    if "content-length" not in names and "transfer-encoding" not in names and (body or method == "POST"):
        pairs.append(("Content-Length", str(len(body))))
    head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in pairs) + "\r\n"
    return head.encode("latin-1") + body


def receive_all(sock, seconds=ANSWER_SECONDS):
    """(bytes until the peer closed or reset, whether it did so before the deadline)."""
    end = time.monotonic() + seconds
    received = bytearray()
    while True:
        left = end - time.monotonic()
        if left <= 0:
            return bytes(received), False
        sock.settimeout(left)
        try:
            piece = sock.recv(RECEIVE_BYTES)
        except TimeoutError:
            return bytes(received), False
        except ConnectionError:
            return bytes(received), True
        if not piece:
            return bytes(received), True
        received += piece


def parse_head(data):
    """(status, headers, rest), or None while the head is not whole."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    lines = data[:end].split(b"\r\n")
    parts = lines[0].split(b" ", 2)
    if len(parts) != 3 or parts[0] != b"HTTP/1.1" or not parts[1].isdigit() or len(parts[1]) != 3:
        raise Malformed(f"status line {lines[0]!r}")
    headers = []
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon or not name or name != name.strip() or b"\n" in line:
            raise Malformed(f"header line {line!r}")
        headers.append((name.decode("latin-1").lower(), value.strip(b" \t").decode("latin-1")))
    return int(parts[1]), headers, data[end + 4 :]


def parse_chunked(data):
    """(body, trailers, rest, complete)."""
    pieces, at = [], 0
    while True:
        end = data.find(b"\r\n", at)
        if end < 0:
            return b"".join(pieces), [], b"", False
        size_text = data[at:end].split(b";")[0]
        try:
            size = int(size_text, 16)
        except ValueError as error:
            raise Malformed(f"chunk size {size_text!r}") from error
        at = end + 2
        if size == 0:
            break
        pieces.append(data[at : at + size])
        if len(data) < at + size + 2:
            return b"".join(pieces), [], b"", False
        if data[at + size : at + size + 2] != b"\r\n":
            raise Malformed("no line end after a chunk")
        at += size + 2
    trailers = []
    while True:
        end = data.find(b"\r\n", at)
        if end < 0:
            return b"".join(pieces), trailers, b"", False
        line, at = data[at:end], end + 2
        if not line:
            return b"".join(pieces), trailers, data[at:], True
        name, _, value = line.partition(b":")
        trailers.append((name.decode("latin-1").lower(), value.strip().decode("latin-1")))


def parse_answer(data, closed=True, method="POST"):
    """(Answer, rest of the bytes); (None, data) if nothing came."""
    if not data:
        return None, data
    head = parse_head(data)
    if head is None:
        raise Malformed(f"head is not whole: {data[:200]!r}")
    status, headers, rest = head
    named = {}
    for name, value in headers:
        if name in ("content-length", "transfer-encoding") and name in named:
            raise Malformed(f"{name} twice")
        named[name] = value
    if 100 <= status < 200 and status != 101:
        return Answer(status, headers, b""), rest
    if method == "HEAD" or status in (101, 204, 304):
        return Answer(status, headers, b""), rest
    if "transfer-encoding" in named:
        if "content-length" in named:
            raise Malformed("length and transfer coding")
        body, trailers, rest, complete = parse_chunked(rest)
        return Answer(status, headers, body, trailers, complete), rest
    if "content-length" in named:
        length = int(named["content-length"])
        return Answer(status, headers, rest[:length], complete=len(rest) >= length), rest[length:]
    return Answer(status, headers, rest, complete=closed), b""


def parse_answers(data, method="POST"):
    """Every final answer in `data`; interim ones (1xx) are left out."""
    answers = []
    while data:
        answer, data = parse_answer(data, method=method)
        if answer.status >= 200 or answer.status == 101:
            answers.append(answer)
    return answers


def exchange(address, data, seconds=ANSWER_SECONDS):
    """Sends bytes, reads until the peer closes. (bytes received, whether it closed)."""
    with connect(address, seconds) as sock:
        try:
            sock.sendall(data)
        except ConnectionError:
            pass  # refused before all was sent; the answer may still be there
        return receive_all(sock, seconds)


def call(address, method, target, headers=None, body=b"", seconds=ANSWER_SECONDS):
    """One request on a connection of its own, closed after it."""
    pairs = list(headers.items()) if isinstance(headers, dict) else list(headers or [])
    data = request(method, target, [*pairs, ("Connection", "close")], body)
    received, closed = exchange(address, data, seconds)
    answers = parse_answers(received, method)
    if not answers:
        raise Malformed(f"no answer to {method} {target} (closed: {closed})")
    if not closed:
        raise Malformed(f"the connection was not closed after {method} {target}")
    if len(answers) != 1:
        raise Malformed(f"{len(answers)} answers to one request")
    return answers[0]


def post_json(address, target, value, headers=None, seconds=ANSWER_SECONDS):
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    pairs = list(headers.items()) if isinstance(headers, dict) else list(headers or [])
    return call(address, "POST", target, [("Content-Type", "application/json"), *pairs], body, seconds)

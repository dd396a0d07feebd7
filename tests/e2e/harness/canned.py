"""A small server on threads that answers as a function says and keeps what it was sent; and a gateway before it."""

import contextlib
import dataclasses
import http.server
import json
import threading
import types

import pytest

from . import config, processes

EVENT_STREAM = {"Content-Type": "text/event-stream"}


@dataclasses.dataclass
class Request:
    method: str
    path: str
    headers: dict  # lower-case names
    body: bytes

    def json(self):
        return json.loads(self.body)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, body)
        self.server.requests.append(request)
        status, content, *more = self.server.answer(request)
        if isinstance(content, types.GeneratorType):
            return self.stream(status, content)
        if not isinstance(content, bytes):
            content = json.dumps(content).encode()
        self.send_response(status)
        sent = {"Content-Type": "application/json", "Content-Length": str(len(content))} | dict(*more)
        for name, value in sent.items():
            self.send_header(name, value)
        self.end_headers()
        # A client that has seen enough may leave.
        with contextlib.suppress(ConnectionError):
            self.wfile.write(content)

    def stream(self, status, pieces):
        self.send_response(status)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                self.wfile.write(piece)
                self.wfile.flush()

    do_GET = do_POST
    do_DELETE = do_POST


class Canned:
    """`answer(request)` gives a status, a body (bytes, what becomes JSON, or a generator of the pieces of a stream
    of events) and perhaps headers."""

    def __init__(self, answer):
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.answer = answer
        self._server.requests = self.requests = []
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    def last(self, path_part=""):
        return [request for request in self.requests if path_part in request.path][-1]

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


def serving(answer):
    """A fixture: such a server for the tests of a module."""

    @pytest.fixture(scope="module")
    def running():
        server = Canned(answer)
        yield server
        server.stop()

    return running


def named_events(events):
    """A stream as Anthropic and Cohere write it: each event is named by its type."""
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()


def chat_events(choices, done=True):
    """A stream of chat completions, a choice each event. Not `done`: it has no end."""
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    text = "".join(f"data: {json.dumps(chunk | {'choices': [choice]})}\n\n" for choice in choices)
    return (text + ("data: [DONE]\n\n" if done else "")).encode()


@contextlib.contextmanager
def gateway(directory, key, connections, models, server=None, **more):
    """A gateway with one key, `client`, and no other secret than what the connections hold. `more`: other sections."""
    (directory / "data").mkdir(mode=0o700, exist_ok=True)
    port = processes.free_ports(1)[0]
    file = directory / "gateway.toml"
    settings = {
        "server": {"listen": f"127.0.0.1:{port}", "data_dir": str(directory / "data"), "workers": 1} | (server or {}),
        "connections": connections,
        "models": models,
        "keys": key if isinstance(key, list) else [{"name": "client", "key": key}],
    } | more
    file.write_text(config.toml(settings))
    running = processes.Process("gateway", ["serve", "--config", str(file)], port, "/ready", directory)
    yield running
    problems = running.stop()
    assert not problems, "\n".join(problems)

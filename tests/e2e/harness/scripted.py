"""What the scripted upstreams of both HTTP versions share: a server on a thread of its own, the requests that came, and
gates at which a script waits for its test."""

import asyncio
import collections
import threading

START_SECONDS = 10


class ScriptedServer:
    """Thread-safe to read from tests: `requests`, `malformed`. A request has a `request_id`; a subclass has
    `_serve(reader, writer)`. `options` are asyncio.start_server's."""

    def __init__(self, requests_max, **options):
        self.requests = collections.deque(maxlen=requests_max)
        self.malformed = []  # what was not HTTP, and failures of scripts
        self.port = 0
        self._secure = options.get("ssl") is not None
        self._options = options
        self._gates = {}
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scripted-upstream", daemon=True)
        self._thread.start()
        assert self._started.wait(START_SECONDS), "the scripted upstream did not start"

    @property
    def url(self):
        return f"{'https' if self._secure else 'http'}://127.0.0.1:{self.port}"

    def find(self, request_id):
        """The requests that came with this x-request-id."""
        return [request for request in list(self.requests) if request.request_id == request_id]

    def release(self, request_id):
        """Lets a script that waits for this request's test go on."""
        self._loop.call_soon_threadsafe(lambda: self.gate(request_id).set())

    def gate(self, request_id):
        return self._gates.setdefault(request_id, asyncio.Event())

    def stop(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(START_SECONDS)

    def _run(self):
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0, **self._options))
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        self._loop.run_forever()

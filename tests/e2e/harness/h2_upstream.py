"""A scripted upstream that speaks HTTP/2 with the h2 library: by ALPN behind TLS, or by prior knowledge. Runs on
asyncio in a thread, answers as a request's header x-script says, and keeps what it saw: which request came on which
connection and stream, and how each stream and connection ended. Where TLS chooses HTTP/1.1 it speaks that."""

import asyncio
import json

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
import hyperframe.frame

from . import upstream as http1
from .scripted import START_SECONDS, ScriptedServer

STREAM_ID_MAX = 2**31 - 1

SCRIPTS = {}


def script(name):
    def add(function):
        SCRIPTS[name] = function
        return function

    return add


class Gone(Exception):
    """The stream was reset, or its connection is over: nobody wants the rest."""


class Stream:
    """One request, and the way to answer it."""

    def __init__(self, connection, number, headers):
        self.connection, self.number = connection, number
        self.headers = headers  # (name, value), the pseudo-headers first
        self.body = b""
        self.reset_code = None  # of the RST_STREAM that came
        self.gone = False

    def header(self, name):
        return next((value for key, value in self.headers if key == name), None)

    @property
    def request_id(self):
        return self.header("x-request-id")

    @property
    def first_time(self):
        """Whether no other stream brought this request."""
        return self.connection.upstream.find(self.request_id) == [self]

    async def begin(self, content_type, length=None):
        headers = [(":status", "200"), ("content-type", content_type)]
        if length is not None:
            headers.append(("content-length", str(length)))
        await self.connection.act(self, lambda protocol: protocol.send_headers(self.number, headers))

    async def send(self, data, end=False):
        await self.connection.send(self, data, end)

    async def answer(self, body):
        await self.begin("application/json", len(body))
        await self.send(body, end=True)

    async def reset(self, code):
        await self.connection.act(self, lambda protocol: protocol.reset_stream(self.number, code))
        self.gone = True

    async def released(self):
        await self.connection.upstream.gate(self.request_id).wait()


class Connection:
    def __init__(self, upstream, number, reader, writer):
        self.upstream, self.number, self.reader, self.writer = upstream, number, reader, writer
        secured = writer.get_extra_info("ssl_object")
        self.protocol = (secured and secured.selected_alpn_protocol()) or ("http/1.1" if secured else "h2")
        self.open = True
        self.last_stream = STREAM_ID_MAX  # what the GOAWAY sent said
        self.most_at_once = 0
        self.streams = {}  # those not answered yet
        self._tasks = set()
        self._room = asyncio.Event()
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))

    async def serve(self):
        settings = {h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: self.upstream.streams_max}
        self._h2.local_settings = h2.settings.Settings(client=False, initial_values=settings)
        self._h2.initiate_connection()
        await self._flush()
        while data := await self.reader.read(1 << 16):
            for event in self._h2.receive_data(data):
                self._take(event)
            await self._flush()

    async def serve_http1(self):
        wire = http1.Connection(self.upstream, self.number, self.reader, self.writer)
        while request := await http1.read_head(self.reader, self.number):
            await http1.read_body(self.reader, request)
            pseudo = [(":method", request.method), (":path", request.target)]
            stream = Stream(self, 0, pseudo + request.headers)
            stream.body = request.body
            self.upstream.requests.append(stream)
            if request.header("upgrade"):
                await http1.echo_websocket(wire, request)
            else:
                await wire.answer(echo_of(stream))

    def end(self):
        self.open = False
        for stream in self.streams.values():
            stream.gone = True
        for task in self._tasks:
            task.cancel()
        self.writer.close()

    async def act(self, stream, action):
        if stream.gone:
            raise Gone
        action(self._h2)
        await self._flush()

    async def send(self, stream, data, end):
        """All of it, as fast as the gateway's windows let it."""
        while data:
            if stream.gone:
                raise Gone
            size = min(len(data), self._h2.local_flow_control_window(stream.number), self._h2.max_outbound_frame_size)
            if size <= 0:
                self._room.clear()
                await self._room.wait()
                continue
            piece, data = data[:size], data[size:]
            await self.act(stream, lambda protocol, piece=piece: protocol.send_data(stream.number, piece))
        if end:
            await self.act(stream, lambda protocol: protocol.end_stream(stream.number))

    async def go_away(self, last_stream):
        """Only the frame: the library would take nothing more, but streams up to the last one go on."""
        await self._flush()
        self.last_stream = last_stream
        self.writer.write(hyperframe.frame.GoAwayFrame(last_stream_id=last_stream).serialize())
        await self.writer.drain()

    async def _flush(self):
        self.writer.write(self._h2.data_to_send())
        await self.writer.drain()

    def _take(self, event):
        if isinstance(event, h2.events.RequestReceived):
            self.streams[event.stream_id] = Stream(self, event.stream_id, list(event.headers))
            self.most_at_once = max(self.most_at_once, len(self.streams))
        elif isinstance(event, h2.events.DataReceived):
            self.streams[event.stream_id].body += event.data
            self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            if event.stream_id <= self.last_stream:
                self._begin(self.streams[event.stream_id])
        elif isinstance(event, h2.events.StreamReset):
            if stream := self.streams.pop(event.stream_id, None):
                stream.reset_code, stream.gone = int(event.error_code), True
        self._room.set()

    def _begin(self, stream):
        self.upstream.requests.append(stream)
        task = asyncio.get_running_loop().create_task(self._run(stream))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, stream):
        try:
            await SCRIPTS[stream.header("x-script") or "echo"](stream)
        except (Gone, ConnectionError):
            pass
        except Exception as error:  # a script's own fault must fail the test, not hang it
            self.upstream.malformed.append(f"script failed: {error!r}")
            raise
        finally:
            self.streams.pop(stream.number, None)


class H2Upstream(ScriptedServer):
    """`context`: an ssl.SSLContext with its ALPN, or None for prior knowledge. Requests are streams, in the order in
    which they were complete."""

    def __init__(self, context=None, streams_max=100):
        self.streams_max = streams_max
        self.connections = []
        self.prefaces = 0  # of HTTP/2, where it had not been chosen
        super().__init__(10_000, ssl=context, backlog=1024)

    def go_away(self, connection, last_stream):
        asyncio.run_coroutine_threadsafe(connection.go_away(last_stream), self._loop).result(START_SECONDS)

    def break_connection(self, connection):
        """At once, without a word of HTTP/2 or TLS."""
        self._loop.call_soon_threadsafe(connection.writer.transport.abort)

    async def _serve(self, reader, writer):
        connection = Connection(self, len(self.connections) + 1, reader, writer)
        self.connections.append(connection)
        try:
            await (connection.serve() if connection.protocol == "h2" else connection.serve_http1())
        except (h2.exceptions.ProtocolError, http1.BadRequest) as error:
            if "PRI * HTTP/2.0" in str(error):
                self.prefaces += 1
            else:
                self.malformed.append(repr(error))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            connection.end()


def event(text):
    return b"data: " + json.dumps(http1.chat_chunk(text)).encode() + b"\n\n"


def echo_of(stream):
    """What came, as the answer."""
    value = json.loads(stream.body)
    return json.dumps({"id": stream.request_id, "choices": [], "filler": value.get("filler")}).encode()


@script("echo")
async def answer_echo(stream):
    await stream.answer(echo_of(stream))


@script("held")
async def answer_held(stream):
    await stream.released()
    await stream.answer(echo_of(stream))


@script("stream")
async def answer_stream(stream):
    """Begins, and goes on when it is released."""
    await stream.begin("text/event-stream")
    await stream.send(event(f"first of {stream.request_id}"))
    await stream.released()
    await stream.send(event(f"last of {stream.request_id}") + b"data: [DONE]\n\n", end=True)


@script("break")
async def break_stream(stream):
    await stream.begin("text/event-stream")
    await stream.send(event(f"first of {stream.request_id}"))
    await stream.released()
    await stream.reset(h2.errors.ErrorCodes.INTERNAL_ERROR)


@script("refuse-first")
async def refuse_first(stream):
    if stream.first_time:
        await stream.reset(h2.errors.ErrorCodes.REFUSED_STREAM)
    else:
        await answer_echo(stream)


@script("go-away-first")
async def go_away_first(stream):
    """Says that it has looked at nothing from this request on."""
    if stream.first_time:
        await stream.connection.go_away(max(stream.number - 2, 0))
    else:
        await answer_echo(stream)

"""An HTTP/2 client that keeps to RFC 9113, section 6.8: it finishes what a GOAWAY lets it finish, and asks again, on
another connection, for what came too late. httpx gives up instead, so it cannot tell a drain from a fault; and h2 takes
no frame after a GOAWAY, so it does not get to see one."""

import contextlib
import select
import socket

import h2.config
import h2.connection
import h2.events


GOAWAY, REFUSED_STREAM = 7, 7  # the frame's type; the error's code
FRAME_HEADER_BYTES = 9


class Broken(Exception):
    """A request that was not answered although it should have been."""


class Refused(Exception):
    """The server says it has not looked at the request: it may be sent again elsewhere."""


class Answer:
    def __init__(self):
        self.status, self.body, self.ended, self.refused = None, b"", False, False


class H2Client:
    """One connection, blocking. `context` is an ssl.SSLContext, or None for prior knowledge without TLS."""

    def __init__(self, port, context=None, seconds=30):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is not None:
            self._socket = context.wrap_socket(self._socket, server_hostname="127.0.0.1")
            assert self._socket.selected_alpn_protocol() == "h2"
        self._scheme = "http" if context is None else "https"
        self._received = b""
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self._h2.initiate_connection()
        self._answers = {}
        self._last_stream = None  # what GOAWAY said
        self._flush()

    def close(self):
        self._socket.close()

    @property
    def going_away(self):
        """Whether the server wants no more requests here; reads what has arrived, without waiting."""
        while self._last_stream is None and self._readable():
            self._read()
        return self._last_stream is not None

    def send(self, path, headers, body):
        """Begins a request; returns its number."""
        stream = self._h2.get_next_available_stream_id()
        head = [(":method", "POST"), (":scheme", self._scheme), (":authority", "gateway"), (":path", path), *headers]
        self._h2.send_headers(stream, head)
        self._h2.send_data(stream, body, end_stream=True)
        self._answers[stream] = Answer()
        try:
            self._flush()
        except OSError:
            # Closed, after a GOAWAY that came while nobody looked: wait() knows what it means for the request.
            if not self.going_away:
                raise
        return stream

    def wait(self, stream, condition=lambda answer: answer.ended):
        """The answer, once the condition holds. Refused if it was too late, Broken if it will never come."""
        answer = self._answers[stream]
        while not condition(answer):
            if answer.refused or (self._last_stream is not None and stream > self._last_stream):
                raise Refused
            self._read()
        return answer

    def _readable(self):
        pending = getattr(self._socket, "pending", lambda: 0)()
        return pending > 0 or bool(select.select([self._socket], [], [], 0)[0])

    def _flush(self):
        self._socket.sendall(self._h2.data_to_send())

    def _read(self):
        try:
            data = self._socket.recv(65536)
        except OSError as error:
            raise Broken(repr(error)) from error
        if not data:
            if self._last_stream is None:
                raise Broken("closed without GOAWAY")
            raise Broken(f"closed, GOAWAY {self._last_stream}, with requests open")
        self._received += data
        for frame in self._frames():
            if frame[3] == GOAWAY:
                self._last_stream = int.from_bytes(frame[9:13], "big") & 0x7FFFFFFF
                continue
            for event in self._h2.receive_data(frame):
                self._take(event)
        with contextlib.suppress(OSError):
            self._flush()  # acknowledgements, which a server that has said everything may not take any more

    def _frames(self):
        while len(self._received) >= FRAME_HEADER_BYTES:
            size = FRAME_HEADER_BYTES + int.from_bytes(self._received[:3], "big")
            if len(self._received) < size:
                return
            frame, self._received = self._received[:size], self._received[size:]
            yield frame

    def _take(self, event):
        answer = self._answers.get(getattr(event, "stream_id", None))
        if answer is None:
            return
        if isinstance(event, h2.events.ResponseReceived):
            answer.status = int(dict(event.headers)[":status"])
        elif isinstance(event, h2.events.DataReceived):
            answer.body += event.data
            self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            answer.ended = True
        elif isinstance(event, h2.events.StreamReset):
            if event.error_code != REFUSED_STREAM:
                raise Broken(f"stream reset with {event.error_code}")
            answer.refused = True

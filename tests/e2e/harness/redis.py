"""A Redis of a test's own: started, frozen, emptied, asked."""

import contextlib
import shutil
import signal
import socket
import subprocess

from . import processes, raw, waiting


class Redis:
    def __init__(self, directory):
        self.server = shutil.which("redis-server")
        assert self.server, "redis-server is not installed; scripts/setup does that"
        (self.port,) = processes.free_ports(1)
        self.url = f"redis://127.0.0.1:{self.port}"
        self.directory = directory
        self.process = None
        self.start()

    def start(self):
        """With nothing in it."""
        arguments = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.directory)]
        self.process = subprocess.Popen([self.server, *arguments], stdout=subprocess.DEVNULL)
        waiting.until(self._answers, "Redis answers")

    def stop(self):
        self.process.kill()
        self.process.wait()

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def _answers(self):
        with contextlib.suppress(OSError):
            return self.call("PING") == "PONG"

    def call(self, *words):
        """The answer to one command: texts, integers, None, lists of them."""
        with raw.connect(("127.0.0.1", self.port), 10) as sock:
            encoded = [str(word).encode() for word in words]
            sock.sendall(b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in encoded))
            with sock.makefile("rb") as lines:
                return read_answer(lines)

    def budgets(self):
        """What has been spent of each budget and period, nano-dollars, by its key."""
        return {key: int(self.call("HGET", key, "sum")) for key in self.call("KEYS", "*:budget:*")}


def read_answer(lines):
    line = lines.readline()
    if not line.endswith(b"\r\n"):
        raise socket.error("the connection is closed")
    kind, text = line[:1], line[1:-2].decode()
    if kind == b"+":
        return text
    if kind == b":":
        return int(text)
    if kind == b"*":
        return [read_answer(lines) for _ in range(int(text))]
    assert kind == b"$", line
    if text == "-1":
        return None
    return lines.read(int(text) + 2)[:-2].decode("latin-1")

"""Starts the program under test, keeps what it writes, stops it, and judges how it ended."""

import itertools
import os
import pathlib
import random
import re
import signal
import socket
import subprocess

from . import logs, raw, waiting

ROOT = pathlib.Path(__file__).resolve().parents[3]
READY_SECONDS = 60  # sanitizer builds on busy cores
STOP_SECONDS = 60
# Reports of AddressSanitizer, LeakSanitizer, ThreadSanitizer and UndefinedBehaviorSanitizer.
SANITIZER_REPORT = re.compile(r"(ERROR|WARNING|SUMMARY): \w*Sanitizer|runtime error:|LeakSanitizer: detected")


def binary():
    path = pathlib.Path(os.environ.get("LLMGW_BINARY", ROOT / "build" / "dev" / "llm-gateway"))
    assert os.access(path, os.X_OK), f"{path} is not there; build it, or set LLMGW_BINARY"
    return path


def preset():
    return os.environ.get("LLMGW_PRESET", "dev")


# Below the ports that the system gives to clients (/proc/sys/net/ipv4/ip_local_port_range), which anybody's next
# connection could take; each of pytest's processes has a part of its own.
FIRST_PORT, PORTS_PER_WORKER, WORKERS_MAX = 10_240, 2_800, 8


def _own_part():
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS_MAX
    return range(FIRST_PORT + worker * PORTS_PER_WORKER, FIRST_PORT + (worker + 1) * PORTS_PER_WORKER)


# Shuffled: other runs on this machine choose from the same.
_ports = itertools.cycle(random.sample(_own_part(), PORTS_PER_WORKER))


def _is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_ports(count):
    """Ports nobody uses, each given once."""
    return list(itertools.islice((port for port in _ports if _is_free(port)), count))


def free_row(count):
    """The same, one after the other: the first of them."""
    own = _own_part()
    return next(port for port in _ports if port + count in own and all(_is_free(port + n) for n in range(count)))


class Process(logs.Logged):
    """One running program that serves HTTP on `port`. Asked whether it is ready there, or on `ready_port`, where `port`
    has TLS."""

    def __init__(self, name, arguments, port, ready_path, directory, environment=None, ready_port=None):
        self.name, self.port = name, port
        self.address = ("127.0.0.1", port)
        self._ready_address = ("127.0.0.1", ready_port or port)
        self.output = directory / f"{name}.log"
        self._file = open(self.output, "wb")
        self.process = subprocess.Popen(
            [binary(), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=self._file,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env=environment or dict(os.environ),
        )
        try:
            waiting.until(lambda: self._answers(ready_path), f"{name} answers {ready_path}", READY_SECONDS)
        except AssertionError as error:
            self.kill()
            raise AssertionError(f"{error}\n{self.text()[-4000:]}") from None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def text(self):
        return self.output.read_text(errors="replace")

    def _answers(self, path):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended with status {self.process.returncode} before it was ready")
        try:
            return raw.call(self._ready_address, "GET", path, seconds=5).status == 200
        except (OSError, raw.Malformed):
            return False

    def alive(self):
        return self.process.poll() is None

    def kill(self):
        if self.alive():
            self.process.kill()
        self.process.wait()
        self._file.close()

    def stop(self):
        """SIGTERM, and what is wrong with how it ended: a list of texts, empty if nothing is."""
        problems = []
        if not self.alive():
            problems.append(f"{self.name} was already gone, with status {self.process.returncode}")
        else:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                problems.append(f"{self.name} did not end within {STOP_SECONDS} s after SIGTERM")
        self.kill()
        if self.process.returncode != 0:
            problems.append(f"{self.name} ended with status {self.process.returncode}")
        if match := SANITIZER_REPORT.search(self.text()):
            problems.append(f"{self.name}: sanitizer report:\n{self.text()[match.start() : match.start() + 6000]}")
        return problems

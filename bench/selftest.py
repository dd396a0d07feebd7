#!/usr/bin/env python3
"""Tests the benchmark's own tools: that right answers are counted exactly and wrong ones are never taken for speed.

    bench/selftest.py [--tools build/release/bench]
"""

import argparse
import functools
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from harness.rows import Check, Samples  # noqa: E402
from harness.steal import TRIES, calmest, stolen_ticks  # noqa: E402

TOOLS = Path(__file__).resolve().parent.parent / "build/release/bench"
EVENT = re.compile(r'data: \{.*"system_fingerprint":"fp_([0-9a-f]{6})_([0-9a-f]{16})"')


PATIENCE_SECONDS = 120  # only a broken test waits so long
MEASURED_MAX = 6  # times, see undisturbed()


def undisturbed(measure):
    """Measures again what was wrong: a machine that others use, too, makes it so once, a fault does every time."""
    @functools.wraps(measure)
    def again(self):
        for _ in range(MEASURED_MAX - 1):
            try:
                return measure(self)
            except AssertionError:
                pass
        return measure(self)
    return again


class Canned:
    """On ports of its own choice."""

    def __init__(self, *listeners: str, arguments=()):
        texts = [f"0{',' if options else ''}{options}" for options in listeners]
        command = [str(TOOLS / "bench-canned"), *arguments, *texts]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        said = [self.process.stdout.readline().split() for _ in listeners]
        assert all(words[:1] == ["listening"] for words in said), said
        self.ports = [int(words[1]) for words in said]

    def stats(self) -> dict:
        self.process.terminate()
        out, _ = self.process.communicate(timeout=PATIENCE_SECONDS)
        return json.loads(out.splitlines()[-1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Scripted:
    """An upstream that answers each connection's first request with given bytes and then closes or waits."""

    def __init__(self, answer: bytes, close: bool = True, pieces: int = 0):
        self.answer, self.close, self.pieces = answer, close, pieces
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        self.kept = []
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.recv(65536)
            step = self.pieces or len(self.answer) or 1
            for at in range(0, len(self.answer), step):
                connection.sendall(self.answer[at:at + step])
                if self.pieces:
                    time.sleep(0.0002)
            if self.close:
                connection.close()
            else:
                self.kept.append(connection)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


def load(port: int, *arguments) -> dict:
    command = [str(TOOLS / "bench-loadgen"), "--port", str(port), *[str(one) for one in arguments]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True)
    return json.loads(done.stdout)


def ask(port: int, body: bytes, path: str = "/v1/chat/completions", headers: str = "", tls=None) -> bytes:
    """One request written in three pieces; the whole answer, framing included."""
    plain = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
    with tls.wrap_socket(plain, server_hostname="localhost") if tls else plain as connection:
        request = (f"POST {path} HTTP/1.1\r\nHost: x\r\n{headers}Connection: close\r\n"
                   f"Content-Length: {len(body)}\r\n\r\n").encode() + body
        for piece in (request[:20], request[20:-5], request[-5:]):
            connection.sendall(piece)
            time.sleep(0.01)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer


def stream_text(raw: bytes) -> bytes:
    """Removes the chunked framing, strictly."""
    body, text = raw.split(b"\r\n\r\n", 1)[1], b""
    while True:
        size, body = body.split(b"\r\n", 1)
        length = int(size, 16)
        if length == 0:
            assert body == b"\r\n", body
            return text
        assert body[length:length + 2] == b"\r\n"
        text, body = text + body[:length], body[length + 2:]


class Steal(unittest.TestCase):
    """What each run loses, in ticks, and which of them counts."""

    def calmest_of(self, *lost: int) -> tuple:
        ticks, runs = 0, []

        def run() -> str:
            nonlocal ticks
            ticks += lost[len(runs)]
            runs.append(f"run {len(runs)}")
            return runs[-1]

        return calmest(run, lambda: ticks)

    def test_the_first_calm_run_counts(self):
        self.assertEqual(self.calmest_of(0, 9), ("run 0", 0, 1))
        self.assertEqual(self.calmest_of(1, 9), ("run 0", 1, 1))
        self.assertEqual(self.calmest_of(2, 7, 1, 0), ("run 2", 1, 3))

    def test_the_calmest_counts_where_none_is(self):
        self.assertEqual(self.calmest_of(*range(TRIES + 1, 1, -1), 0), (f"run {TRIES - 1}", 2, TRIES))
        self.assertEqual(self.calmest_of(3, 5, 3, 9, 0), ("run 0", 3, TRIES))

    def test_the_kernel_tells_it(self):
        self.assertEqual(stolen_ticks("cpu  53 48 17 23 83 0 29 148 0 0\ncpu0 1 1 1 1 1 1 1 1\n"), 148)
        self.assertEqual(stolen_ticks("cpu  53 48 17 23\n"), 0)
        self.assertGreaterEqual(stolen_ticks(), 0)


class CannedAnswers(unittest.TestCase):
    def test_json_is_json_of_the_asked_length(self):
        with Canned("", "bytes=5000") as canned:
            for port, size in zip(canned.ports, (1024, 5000)):
                head, body = ask(port, b'{"model":"m"}').split(b"\r\n\r\n", 1)
                self.assertIn(b"Content-Length: %d" % size, head)
                self.assertEqual(len(body), size)
                self.assertEqual(json.loads(body)["object"], "chat.completion")

    def test_stream_is_well_formed_and_numbered(self):
        with Canned("chunks=7,interval_ms=1") as canned:
            text = stream_text(ask(canned.ports[0], b'{"stream" : true}')).decode()
        events = text.split("\n\n")
        self.assertEqual(events[-2:], ["data: [DONE]", ""])
        self.assertEqual([int(EVENT.match(one).group(1), 16) for one in events[:-2]], list(range(7)))
        times = [int(EVENT.match(one).group(2), 16) for one in events[:-2]]
        self.assertEqual(times, sorted(times))
        for one in events[:-2]:
            self.assertEqual(json.loads(one[6:])["object"], "chat.completion.chunk")
            self.assertTrue(150 <= len(one) <= 260, len(one))

    @undisturbed
    def test_events_keep_their_interval(self):
        with Canned("chunks=7,interval_ms=1") as canned:
            text = stream_text(ask(canned.ports[0], b'{"stream" : true}')).decode()
        times = [int(EVENT.match(one).group(2), 16) for one in text.split("\n\n")[:-2]]
        self.assertGreaterEqual(times[-1] - times[0], 5_500_000)

    def test_options_by_header_and_query(self):
        with Canned("") as canned:
            answer = ask(canned.ports[0], b'{"stream":true}', headers="X-Canned: chunks=3,interval_us=10\r\n")
            self.assertEqual(stream_text(answer).count(b"data: {"), 3)
            self.assertEqual(stream_text(ask(canned.ports[0], b'{"stream":true}', "/x?chunks=2")).count(b"data: {"), 2)
            self.assertIn(b" 503 ", ask(canned.ports[0], b"{}", "/x?status=503"))
            started = time.monotonic()
            ask(canned.ports[0], b"{}", "/x?delay_ms=150")
            self.assertGreater(time.monotonic() - started, 0.15)

    def test_false_stream_is_not_a_stream(self):
        with Canned("") as canned:
            self.assertIn(b"Content-Length: 1024", ask(canned.ports[0], b'{"stream":false}'))

    def test_chunked_request_and_pipelining(self):
        with Canned("") as canned, socket.create_connection(("127.0.0.1", canned.ports[0]), PATIENCE_SECONDS) as sock:
            one = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
            sock.sendall(one * 3)
            received = b""
            while received.count(b"HTTP/1.1 200") < 3 or not received.endswith(b"}"):
                received += sock.recv(65536)
            self.assertEqual(canned.stats()["requests"], 3)

    def test_tls(self):
        with tempfile.TemporaryDirectory() as directory:
            certificate, key = f"{directory}/c.pem", f"{directory}/k.pem"
            command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-addext",
                       "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate]
            subprocess.run(command, check=True, capture_output=True)
            arguments = ["--certificate", certificate, "--key", key]
            with Canned("tls,chunks=4,interval_ms=1", arguments=arguments) as canned:
                context = ssl.create_default_context(cafile=certificate)
                self.assertIn(b" 200 ", ask(canned.ports[0], b"x" * 200_000, tls=context))
                answer = ask(canned.ports[0], b'{"stream":true}', tls=context)
                self.assertEqual(stream_text(answer).count(b"data: {"), 4)


class Counting(unittest.TestCase):
    def test_closed_loop_counts_exactly(self):
        with Canned("") as canned:
            result = load(canned.ports[0], "--connections", 8, "--requests", 1000, "--warmup-requests", 100)
            self.assertEqual((result["requests"], result["errors"], result["reconnects"]), (1000, 0, 0))
            self.assertEqual(result["latency_us"]["count"], 1000)
            stats = canned.stats()
            self.assertEqual((stats["requests"], stats["connections"]), (1100, 8))

    def test_streams_and_events(self):
        with Canned("chunks=10,interval_ms=1") as canned:
            result = load(canned.ports[0], "--stream", "--connections", 5, "--requests", 20, "--expect-chunks", 10)
        self.assertEqual((result["requests"], result["errors"], result["events"]), (20, 0, 200))
        self.assertEqual(result["event_gap_us"]["count"], 180)
        self.assertEqual(result["first_event_added_us"]["count"], 20)
        self.assertGreater(result["latency_us"]["p50"], 9_000)

    @undisturbed
    def test_open_loop_keeps_its_rate(self):
        with Canned("") as canned:
            result = load(canned.ports[0], "--connections", 4, "--rate", 500, "--seconds", 1)
        self.assertEqual(result["errors"], 0)
        self.assertTrue(495 <= result["requests"] <= 500, result["requests"])

    @undisturbed
    def test_large_bodies_held_at_one_time(self):
        with Canned("delay_ms=1500") as canned:
            result = load(canned.ports[0], "--connections", 300, "--requests", 300, "--body-bytes", 150 * 1024)
            self.assertEqual((result["requests"], result["errors"], result["sent_at_first_answer"]), (300, 0, 300))
            self.assertEqual(canned.stats()["answering_peak"], 300)

    @undisturbed
    def test_cpu_of_another_process(self):
        code = "import time; t = time.process_time()\nwhile time.process_time() < t + 5: pass"
        with Canned("") as canned, subprocess.Popen([sys.executable, "-c", code]) as busy:
            result = load(canned.ports[0], "--rate", 100, "--seconds", 1, "--cpu-of", busy.pid)
            used = result["cpu_us"] / 1e6
            busy.kill()
        self.assertTrue(0.05 < used < 1.1 * result["seconds"], used)
        self.assertTrue(result["processes_alive"])


class Failures(unittest.TestCase):
    """Every way an answer can be wrong has its name in the result, and none counts as a request."""

    def expect(self, result: dict, kind: str, count: int | None = None):
        self.assertEqual(result["requests"], 0, result)
        self.assertGreater(result["errors_by_kind"][kind], 0, result["first_error"])
        self.assertEqual(result["errors_by_kind"][kind], result["errors"])
        if count is not None:
            self.assertEqual(result["errors"], count)

    def test_cut_stream(self):
        with Canned("cut_after=3") as canned:
            self.expect(load(canned.ports[0], "--stream", "--connections", 2, "--requests", 6), "unended", 6)

    def test_too_few_events(self):
        with Canned("chunks=9,interval_us=100") as canned:
            self.expect(load(canned.ports[0], "--stream", "--requests", 3, "--expect-chunks", 10), "sequence", 3)

    def test_status(self):
        with Canned("status=503") as canned:
            self.expect(load(canned.ports[0], "--requests", 3), "status", 3)

    def test_wrong_length_and_wrong_bytes(self):
        with Canned("bytes=900") as canned:
            self.expect(load(canned.ports[0], "--requests", 3), "content", 3)
        wrong = b"x" * 1024
        with Scripted(b"HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n" + wrong) as upstream:
            self.expect(load(upstream.port, "--requests", 2), "content", 2)

    def test_short_answer(self):
        with Scripted(b"HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n{\"id\"") as upstream:
            self.expect(load(upstream.port, "--requests", 2), "closed", 2)

    def test_close_without_answer(self):
        with Scripted(b"") as upstream:
            self.expect(load(upstream.port, "--requests", 2), "closed", 2)

    def test_bad_framing(self):
        for answer in (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",
                       b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                       b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nmore"):
            with self.subTest(answer), Scripted(answer, close=False) as upstream:
                self.expect(load(upstream.port, "--requests", 1, "--expect-any"), "framing", 1)

    def test_stall(self):
        with Scripted(b"HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n", close=False) as upstream:
            self.expect(load(upstream.port, "--requests", 1, "--stall-ms", 300), "stalled", 1)

    def test_nobody_there(self):
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))  # and does not listen
            self.expect(load(silent.getsockname()[1], "--requests", 1), "connect")

    def test_altered_event(self):
        with Canned("chunks=3,interval_us=10") as canned:
            raw = ask(canned.ports[0], b'{"stream":true}')
        good = raw.replace(b"Connection: close\r\n", b"")
        with Scripted(good.replace(b'"canned"', b'"tanned"', 1)) as upstream:
            self.expect(load(upstream.port, "--stream", "--requests", 1, "--expect-chunks", 3), "content", 1)
        twice = stream_text(raw).split(b"\n\n")
        body = b"\n\n".join([twice[0], *twice])
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n"
        with Scripted(head % len(body) + body) as upstream:
            self.expect(load(upstream.port, "--stream", "--requests", 1, "--expect-chunks", 3), "sequence", 1)

    def test_right_answer_in_any_pieces(self):
        with Canned("chunks=3,interval_us=10") as canned:
            raw = ask(canned.ports[0], b'{"stream":true}')
        for pieces in (1, 7, 100):
            with self.subTest(pieces), Scripted(raw, pieces=pieces) as upstream:
                result = load(upstream.port, "--stream", "--requests", 1, "--expect-chunks", 3)
                found = (result["requests"], result["errors"], result["events"])
                self.assertEqual(found, (1, 0, 3), result["first_error"])


class CoordinatedOmission(unittest.TestCase):
    @undisturbed
    def test_a_stall_shows_in_open_loop(self):
        """The upstream stands still for 400 ms of 2 s: a fifth of the requests were meant to be sent meanwhile."""
        with Canned("") as canned:
            def stall():
                time.sleep(0.7)
                os.kill(canned.process.pid, signal.SIGSTOP)
                time.sleep(0.4)
                os.kill(canned.process.pid, signal.SIGCONT)

            results = {}
            for mode, arguments in {"open": ["--rate", 1000], "closed": []}.items():
                thread = threading.Thread(target=stall)
                thread.start()
                results[mode] = load(canned.ports[0], "--connections", 2, "--seconds", 2, *arguments)
                thread.join()
        self.assertGreater(results["open"]["latency_us"]["p90"], 100_000)
        self.assertLess(results["open"]["service_us"]["p90"], 50_000)
        self.assertLess(results["closed"]["latency_us"]["p90"], 50_000)
        self.assertGreater(results["closed"]["latency_us"]["max"], 300_000)


class Table(unittest.TestCase):
    def test_limits_and_ratios(self):
        verdicts = [Check("x", value, 1.0).passed() for value in (0.9, 1.0, 1.01, None)]
        self.assertEqual(verdicts, [True, True, False, None])
        samples = Samples()
        for ours, theirs in ((8, 10), (16, 20), (30, 20)):
            samples.add("gateway", ours)
            samples.add("nginx", theirs)
        self.assertEqual(samples.ratio("gateway", "nginx"), 0.8)
        self.assertIsNone(samples.ratio("absent", "nginx"))


def main():
    global TOOLS
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--tools", default=str(TOOLS))
    options, rest = parser.parse_known_args()
    TOOLS = Path(options.tools)
    unittest.main(argv=[sys.argv[0], *rest])


if __name__ == "__main__":
    main()

"""The program as a process: start, stop, reload, upgrade, drain, service manager. Standard library and pytest only.

    LLMGW_BINARY=build/dev/llm-gateway python3 -m pytest tests/e2e/process_test.py
"""
import contextlib
import http.client
import http.server
import json
import os
import pathlib
import queue
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from harness import commands, logs, processes
from harness.waiting import until

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("LLMGW_BINARY", ROOT / "build" / "dev" / "llm-gateway")).resolve()
PATIENCE = 60  # seconds; only a broken test, or a sanitizer on a busy machine, comes near
IDLE_SECONDS = 0.25  # for which a connection is kept at least for the next request, also while the gateway drains
DRAIN_SECONDS = 60  # longer than anything here may take
KEY = "sk-process-test-0123456789"
SANITIZER_REPORT = re.compile(r"(ERROR|WARNING|SUMMARY): \w*Sanitizer|runtime error:")


def free_port():
    return processes.free_ports(1)[0]


def written(log):
    return log.read_text() if log.exists() else ""


class Upstream(http.server.ThreadingHTTPServer):
    """Answers chat completions; a stream sends one event, and the last when released, when the model "held" answers."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Upstream.Handler)
        self.released = threading.Event()
        self.keys = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]

    def handle_error(self, request, client_address):
        """A gateway that is killed resets its connections."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def log_message(self, *_):
            pass

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            self.server.keys.append(self.headers.get("authorization"))
            if body["model"] == "held":
                self.server.released.wait(PATIENCE)
            self.send_response(200)
            if body.get("stream"):
                self.send_header("content-type", "text/event-stream")
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                self._chunk(b'data: {"choices":[{"index":0,"delta":{"content":"first"}}]}\n\n')
                self.server.released.wait(PATIENCE)
                self._chunk(b"data: [DONE]\n\n")
                self._chunk(b"")
                return
            text = json.dumps({"model": body["model"], "choices": []}).encode()
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)
            self.wfile.flush()

        def _chunk(self, data):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()


class World(logs.Logged):
    """A directory with a configuration, an upstream, and whatever gateways a test starts there."""

    def __init__(self, directory):
        self.directory = directory
        self.data = directory / "data"
        self.config = directory / "gateway.toml"
        self.port, self.admin_port = free_port(), free_port()
        self.upstream = Upstream()
        self.processes = []
        self.log = directory / "gateway.log"
        self.write_config()

    def write_config(self, models=("m",), server="", more="", api_key="upstream-key-1"):
        text = f"""[server]
listen = "127.0.0.1:{self.port}"
admin_listen = "127.0.0.1:{self.admin_port}"
data_dir = "{self.data}"
workers = 2
drain_timeout = "{DRAIN_SECONDS}s"
{server}
[[connections]]
name = "local"
provider = "openai-compatible"
endpoint = "http://127.0.0.1:{self.upstream.port}/v1"
api_key = "{api_key}"
proxy = "none"
[[keys]]
name = "test"
key = "{KEY}"
{more}
"""
        for model in models:
            text += f'[[models]]\nname = "{model}"\nconnection = "local"\n'
        # By renaming, as editors do: a watcher never sees half a file.
        fresh = self.config.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self.config)

    def command(self, *arguments):
        return commands.run(*arguments, cwd=self.directory)

    def call(self, command, *more):
        if command == "upgrade" and "--trial" not in more:
            more = ("--trial", "1", *more)  # tests have less time than operators
        return self.command(command, "--config", str(self.config), *more)

    def spawn(self, *arguments, environment=None, pass_fds=(), prefix=()):
        with open(self.log, "ab") as log:
            process = subprocess.Popen(
                [*prefix, BINARY, *arguments], cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **(environment or {})}, pass_fds=pass_fds)
        self.processes.append(process)
        return process

    def serve(self, *more, command="serve", **options):
        process = self.spawn(command, "--config", str(self.config), *more, **options)

        def serves():
            assert process.poll() is None, f"it ended with status {process.returncode}; its log:\n{self.text()}"
            return self.status().get("pid") == process.pid

        until(serves, f"process {process.pid} serves")
        return process

    def wait_for_pid(self, pid):
        until(lambda: self.status().get("pid") == pid, f"process {pid} serves")

    def status(self):
        done = self.call("status", "--json")
        return json.loads(done.stdout) if done.returncode == 0 else {}

    def text(self):
        return written(self.log)

    def lines(self):
        return self.records()

    def connection(self, port=None):
        return http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=PATIENCE)

    def chat(self, model="m", connection=None):
        own = connection or self.connection()
        own.request("POST", "/v1/chat/completions", json.dumps({"model": model, "messages": []}),
                    {"authorization": f"Bearer {KEY}"})
        answer = own.getresponse()
        body = answer.read()
        if connection is None:
            own.close()
        return answer.status, body

    def get(self, path, port=None):
        with contextlib.closing(self.connection(port or self.admin_port)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def metric(self, name):
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.get("/metrics")[1], re.MULTILINE)
        return float(found[1]) if found else None

    def begin_stream(self):
        connection = self.connection()
        connection.request("POST", "/v1/chat/completions",
                           json.dumps({"model": "m", "messages": [], "stream": True}),
                           {"authorization": f"Bearer {KEY}"})
        answer = connection.getresponse()
        assert answer.status == 200
        assert b"first" in answer.readline()
        return answer

    def accepts(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
            return True
        except (ConnectionRefusedError, ConnectionResetError):  # reset: it was in the queue when that was closed
            return False

    def close(self):
        self.upstream.released.set()
        # Gateways that others started (daemons, successors) are found by the PID file.
        with contextlib.suppress(OSError, ValueError):
            os.kill(int((self.data / "llm-gateway.pid").read_text()), signal.SIGKILL)
        for process in self.processes:
            with contextlib.suppress(OSError):
                process.kill()
            process.wait(PATIENCE)
        self.upstream.shutdown()
        self.upstream.server_close()
        said = "".join(written(log) for log in (self.log, self.data / "llm-gateway.log"))
        report = SANITIZER_REPORT.search(said)
        assert not report, said[max(0, report.start() - 200):report.start() + 6000]


@pytest.fixture(name="world")
def make_world(tmp_path):
    world = World(tmp_path)
    yield world
    world.close()


class Load:
    """Clients that call all the time, on connections they keep and on new ones. Every failure is kept."""

    def __init__(self, world, threads=6, model="m"):
        self.world, self.model = world, model
        self.failures, self.successes = [], 0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number % 3 == 0,)) for number in range(threads)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        self.more(20)
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join(PATIENCE)

    def more(self, count):
        """Waits until so many more calls have succeeded."""
        wanted = self.successes + count
        until(lambda: self.successes >= wanted or self.failures, f"{count} more calls")

    def _run(self, fresh):
        connection, answered = None, 0
        while not self._over.is_set():
            try:
                if connection is None or fresh:
                    connection, answered = self.world.connection(), None
                status, body = self.world.chat(self.model, connection)
                result, answered = None if status == 200 else (status, body), time.monotonic()
                if fresh:
                    connection.close()
            except (OSError, http.client.HTTPException) as error:
                result, connection = repr(error), None
                # An idle connection may be closed by who drains; we were held up before we could send.
                if answered is not None and time.monotonic() - answered > IDLE_SECONDS:
                    continue
            with self._lock:
                if result is None:
                    self.successes += 1
                else:
                    self.failures.append(result)
            time.sleep(0.002)


def test_serves_and_says_so(world):
    process = world.serve()
    assert world.chat() == (200, b'{"model": "m", "choices": []}')
    assert world.get("/ready") == (200, '{"status":"ready"}')
    assert world.get("/health") == (200, '{"status":"ok"}')


    def settled():
        """A client has its answer a moment before its call is counted."""
        found = world.status()
        return found if found["requests"] >= 1 and found["in_flight"] == 0 else None

    status = until(settled, "the call is counted")
    assert status["pid"] == process.pid and status["state"] == "serving" and status["workers"] == 2
    assert status["listen"] == [f"127.0.0.1:{world.port}"]
    assert status["admin_listen"] == f"127.0.0.1:{world.admin_port}"
    assert status["models"] == 1
    assert 0 < status["added_p50_seconds"] <= status["added_p99_seconds"] < PATIENCE
    people = world.call("status").stdout
    assert f"pid {process.pid}" in people and str(world.config) in people and "p99" in people
    serving = until(lambda: [line for line in world.lines() if line["msg"] == "serving"], "the log says that it serves")
    assert len(serving) == 1 and serving[0]["pid"] == process.pid


def test_stop_waits_for_the_end(world):
    process = world.serve()
    done = world.call("stop")
    assert (done.returncode, done.stdout) == (0, "stopped\n")
    assert process.wait(PATIENCE) == 0
    assert not world.accepts()
    assert not (world.data / "llm-gateway.pid").exists() and not (world.data / "control.sock").exists()
    for command in ("stop", "status", "reload", "upgrade"):
        absent = world.call(command)
        assert absent.returncode == 3 and "no gateway runs" in absent.stderr, command


def test_one_gateway_a_data_directory(world):
    process = world.serve()
    other = world.call("serve")
    assert other.returncode == 1
    assert f"pid {process.pid}" in other.stderr and "llm-gateway start" in other.stderr
    assert world.chat()[0] == 200


def test_commands_name_a_gateway_whose_control_socket_is_gone(world):
    process = world.serve()
    (world.data / "control.sock").unlink()
    for command in ("status", "reload", "upgrade"):
        done = world.call(command)
        assert done.returncode == 1 and f"(pid {process.pid})" in done.stderr and f"kill {process.pid}" in done.stderr
    assert world.chat()[0] == 200


def test_another_data_directory_does_not_share_the_address(world):
    world.serve()
    text = world.config.read_text().replace(str(world.data), str(world.directory / "other"))
    second = world.directory / "second.toml"
    second.write_text(text.replace(f":{world.admin_port}", f":{free_port()}"))
    done = world.command("serve", "--config", str(second))
    assert done.returncode == 1 and "another program listens there" in done.stderr


def test_a_crash_leaves_nothing_in_the_way(world):
    process = world.serve()
    process.kill()
    process.wait(PATIENCE)
    assert world.call("status").returncode == 3
    world.serve()
    assert world.chat()[0] == 200


def test_daemon(world):
    started = world.call("start", "--daemon")
    assert started.returncode == 0, started.stderr
    pid = world.status()["pid"]
    assert f"pid {pid}" in started.stdout
    assert world.chat()[0] == 200
    until(lambda: '"serving"' in written(world.data / "llm-gateway.log"), "the log says that it serves")
    assert started.stdout.endswith(f"; log: {world.data}/llm-gateway.log\n")
    assert world.call("stop").returncode == 0


def test_daemon_names_the_log_that_is_written(world):
    log = world.directory / "elsewhere.log"
    world.write_config(more=f'[log]\noutput = "{log}"\n')
    started = world.call("start", "--daemon")
    assert started.stdout.endswith(f"; log: {log}; standard output: {world.data}/llm-gateway.log\n")
    until(lambda: '"serving"' in written(log), "the log says that it serves")
    assert world.call("stop").returncode == 0


def test_daemon_says_why_it_does_not_start(world):
    world.write_config(server="bogus = 1")
    done = world.call("start", "--daemon")
    assert done.returncode == 2 and "bogus" in done.stderr and f"{world.config}:" in done.stderr


def test_wrong_configuration_ends_with_status_2(world):
    world.write_config(more='[[models]]\nname = "x"\nconnection = "nowhere"\n')
    done = world.call("serve")
    assert done.returncode == 2 and "nowhere" in done.stderr
    assert world.command("serve", "--config", "/nonexistent.toml").returncode == 2
    assert world.command("serve", "--no-such-option").returncode == 2


def test_the_configuration_that_was_found_is_named(world):
    (world.directory / "llm-gateway.toml").write_text(world.config.read_text())
    process = world.spawn("serve")
    world.wait_for_pid(process.pid)
    world.said(f"{world.directory}/llm-gateway.toml (the current directory)")
    process.terminate()
    assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize("how", ["command", "signal", "watch"])
def test_reload_swaps_models(world, how):
    process = world.serve()
    assert world.chat("new")[0] == 404
    world.write_config(models=("new",))
    if how == "command":
        done = world.call("reload")
        assert done.returncode == 0 and "1 model added, 1 model removed" in done.stdout
        assert world.chat("new")[0] == 200 and world.chat("m")[0] == 404
    elif how == "signal":
        process.send_signal(signal.SIGHUP)
    until(lambda: world.chat("new")[0] == 200, "the new model is there")
    name = 'llm_gateway_config_reloads_total{result="success"}'
    until(lambda: (world.metric(name) or 0) >= 1, "the reload is counted")
    assert world.chat("new")[0] == 200 and world.chat("m")[0] == 404


def test_reload_under_load_fails_no_request(world):
    world.serve()
    with Load(world) as load:
        for number in range(12):
            world.write_config(models=("m", f"extra-{number}"))
            done = world.call("reload")
            assert done.returncode == 0, done.stderr
            load.more(10)
    assert not load.failures, load.failures[:5]
    assert world.status()["models"] == 2


def test_a_bad_file_keeps_the_old_configuration(world):
    world.write_config(server="watch_config = false")
    world.serve()
    good = world.config.read_text()
    world.config.write_text(good + "[[models]]\nname = 7\n")
    done = world.call("reload")
    assert done.returncode == 1
    assert re.search(rf"{re.escape(str(world.config))}:\d+:\d+: ", done.stderr), done.stderr
    assert world.chat()[0] == 200
    assert world.metric('llm_gateway_config_reloads_total{result="failure"}') == 1
    assert "models" in world.status()["last_reload_error"]
    failed = until(lambda: [line for line in world.lines() if "not reloaded" in line["msg"]], "the log says so")
    assert len(failed) == 1 and failed[0]["level"] == "error" and "old one" in failed[0]["msg"]
    world.config.write_text(good)
    assert world.call("reload").returncode == 0
    assert world.status()["last_reload_error"] is None


@pytest.mark.parametrize("how", ["signal", "watch"])
@pytest.mark.parametrize("left", ["nothing", "no model"])
def test_an_emptied_file_does_not_end_all_traffic(world, how, left):
    world.write_config(server=f"watch_config = {'true' if how == 'watch' else 'false'}")
    process = world.serve()
    good = world.config.read_text()
    world.config.write_text("" if left == "nothing" else good[: good.index("[[models]]")])
    if how == "signal":
        process.send_signal(signal.SIGHUP)
    failures = 'llm_gateway_config_reloads_total{result="failure"}'
    until(lambda: (world.metric(failures) or 0) >= 1, "the failure counts")
    assert world.chat()[0] == 200
    # An empty file does not say where the gateway is.
    at = ("--data-dir", str(world.data))
    status = json.loads(world.command("status", "--json", *at).stdout)
    assert "llm-gateway reload --force" in status["last_reload_error"]
    if left == "nothing":
        # Nor does a new process take what the old one refused.
        assert world.command("upgrade", *at).returncode == 1 and world.chat()[0] == 200
        return
    assert world.call("reload").returncode == 1
    forced = world.command("reload", "--force", *at)
    assert forced.returncode == 0 and "no call can be served: there is no model" in forced.stdout
    assert world.status()["missing"] == "no model" and world.chat()[0] == 404
    assert "serves nothing  there is no model" in world.call("status").stdout
    world.config.write_text(good)
    until(lambda: world.call("reload").returncode == 0 and world.chat()[0] == 200, "it serves again")
    assert world.status()["missing"] is None


def test_a_configuration_that_serves_nothing_is_told(world):
    world.config.write_text("\n".join(world.config.read_text().split("\n")[:7]))
    valid = world.command("config", "validate", "--config", str(world.config))
    assert valid.returncode == 0
    assert "the file has no connection, no model, no key; without those of the store" in valid.stderr
    world.serve()
    [line] = world.told("no call can be served by this configuration")
    assert line["level"] == "warn" and line["reason"] == "there is no connection, no model, no key"


def test_a_syntax_error_is_reported_by_signal_too(world):
    process = world.serve()
    world.config.write_text("[server\n")
    process.send_signal(signal.SIGHUP)
    until(lambda: (world.metric('llm_gateway_config_reloads_total{result="failure"}') or 0) >= 1, "the failure counts")
    assert world.chat()[0] == 200


def test_reload_reads_secrets_again(world):
    secret = world.directory / "api-key"
    secret.write_text("first-upstream-key")
    world.write_config(server="watch_config = false", api_key=f"file:{secret}")
    world.serve()
    assert world.chat()[0] == 200
    secret.write_text("second-upstream-key")
    assert world.call("reload").returncode == 0
    assert world.chat()[0] == 200
    assert world.upstream.keys == ["Bearer first-upstream-key", "Bearer second-upstream-key"]
    assert "upstream-key" not in world.text()


def test_commands_find_the_gateway_whose_file_is_no_toml(world):
    """Whoever has just broken the file is the one who wants to know what runs."""
    process = world.serve()
    good = world.config.read_text()
    world.config.write_text(good + '[[models]\n')
    assert world.call("status").returncode == 0
    refused = world.call("reload")
    assert refused.returncode == 1 and f"{world.config}:" in refused.stderr
    assert world.chat()[0] == 200
    stopped = world.call("stop")
    assert stopped.returncode == 0 and process.wait(PATIENCE) == 0
    for command in ("status", "stop", "reload", "upgrade"):
        done = world.call(command)
        assert done.returncode == 2
        assert f"{world.config}:" in done.stderr
        assert done.stderr.endswith("run it with --data-dir DIR, the running gateway's data_dir\n")


def test_an_upgrade_does_not_move_the_data(world):
    world.write_config(server="watch_config = false")
    process = world.serve()
    old = world.data
    world.data = world.directory / "elsewhere"
    world.write_config(server="watch_config = false")
    world.data = old
    at = ["--data-dir", str(old)]
    # The file was not read again: only the new process sees what it says now.
    done = world.command("upgrade", *at)
    assert done.returncode != 0 and "the old one goes on serving" in done.stderr
    world.said("server.data_dir is ")
    world.said("stop it and start anew")
    reloaded = world.command("reload", *at)
    assert reloaded.returncode == 0 and "only after a stop and a start: server.data_dir" in reloaded.stdout
    assert re.search(r"^needs restart +server.data_dir$", world.command("status", *at).stdout, re.M)
    done = world.command("upgrade", *at)
    assert done.returncode != 0 and "an upgrade keeps the data directory" in done.stderr
    world.said("upgrade refused")
    assert world.chat()[0] == 200 and process.poll() is None


def test_an_upgrade_says_that_the_program_is_gone(world):
    program = world.directory / "llm-gateway"
    shutil.copy(BINARY, program)
    world.serve(prefix=["bash", "-c", f'exec {program} "$@"'])
    program.unlink()
    done = world.call("upgrade")
    assert done.returncode != 0 and f"{program} cannot be started: No such file or directory" in done.stderr
    world.said("upgrade refused")
    assert world.chat()[0] == 200


def test_settings_that_need_a_restart_are_named(world):
    world.write_config(server="watch_config = false")
    world.serve()
    old = world.port
    world.port = free_port()
    world.write_config(server="watch_config = false\nlisten_backlog = 100")
    done = world.call("reload")
    assert done.returncode == 0
    assert "server.listen" in done.stdout and "server.listen_backlog" in done.stdout and "upgrade" in done.stdout
    assert not world.accepts()
    assert re.search(r"^needs upgrade +server.listen, server.listen_backlog$", world.call("status").stdout, re.M)
    again = world.call("reload")
    assert "nothing changed; read before: " in again.stdout and "restart: server.listen, " in again.stdout
    world.port = old
    assert world.accepts()
    world.write_config(server="watch_config = false")
    assert "upgrade" not in world.call("reload").stdout
    assert "upgrade" not in world.call("status").stdout
    world.port = free_port()
    world.write_config(server="watch_config = false")
    assert world.call("reload").returncode == 0
    assert world.call("upgrade").returncode == 0
    assert world.accepts() and "upgrade" not in world.call("status").stdout


def test_sigterm_drains_a_stream(world):
    process = world.serve()
    stream = world.begin_stream()
    process.terminate()
    until(lambda: not world.accepts(), "the gateway accepts no more")
    assert world.get("/ready") == (503, '{"status":"draining"}')
    assert world.status()["state"] == "draining"
    process.terminate()  # a service manager repeating itself
    time.sleep(0.7)
    assert process.poll() is None
    world.upstream.released.set()
    assert b"[DONE]" in stream.read()
    assert process.wait(PATIENCE) == 0
    requests = [line for line in world.lines() if line["msg"] == "request"]
    assert len(requests) == 1 and requests[0]["status"] == 200
    assert world.lines()[-1]["msg"] == "stopped"


def test_drain_ends_at_its_limit(world):
    world.config.write_text(world.config.read_text().replace(f'"{DRAIN_SECONDS}s"', '"1s"'))
    process = world.serve()
    stream = world.begin_stream()
    began = time.monotonic()
    process.terminate()
    assert process.wait(PATIENCE) == 0
    assert 0.9 < time.monotonic() - began < DRAIN_SECONDS / 2
    # A stream that was cut off must not look whole.
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        rest = stream.read()
        if b"[DONE]" not in rest and b"error" in rest:
            raise http.client.IncompleteRead(rest)  # a legal terminal error event
    world.upstream.released.set()


def test_the_limit_of_all_calls_has_its_name(world):
    world.write_config(models=("held",), server='request_timeout = "1s"')
    world.serve()
    status, body = world.chat("held")
    assert status == 504 and "request_timeout" in json.loads(body)["error"]["message"]
    assert json.loads(body)["error"]["code"] == "request_timeout"
    world.told("request", error_type="request_timeout", status=504)


def test_second_interrupt_cuts_off(world):
    process = world.serve()
    stream = world.begin_stream()
    process.send_signal(signal.SIGINT)
    until(lambda: not world.accepts(), "the gateway accepts no more")
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 0
    stream.close()


def test_upgrade_under_load_fails_no_request(world):
    first = world.serve()
    with Load(world) as load:
        pids = {first.pid}
        for _ in range(3):
            done = world.call("upgrade")
            assert done.returncode == 0, done.stderr + world.text()
            pid = int(re.search(r"pid (\d+)", done.stdout)[1])
            pids.add(pid)
            world.wait_for_pid(pid)
            load.more(50)
        assert len(pids) == 4
        assert first.wait(PATIENCE) == 0
    assert not load.failures, load.failures[:5]
    assert world.call("stop").returncode == 0


def test_second_start_takes_over_under_load(world):
    first = world.serve(command="start")
    with Load(world) as load:
        second = world.serve(command="start")
        assert first.wait(PATIENCE) == 0
        load.more(50)
        third = world.serve(command="start")
        assert second.wait(PATIENCE) == 0
        load.more(50)
    assert not load.failures, load.failures[:5]
    assert world.call("stop").returncode == 0
    assert third.wait(PATIENCE) == 0


def test_upgrade_lets_streams_finish(world):
    first = world.serve()
    stream = world.begin_stream()
    assert world.call("upgrade").returncode == 0
    assert world.status()["pid"] != first.pid
    assert world.chat()[0] == 200
    assert first.poll() is None

    def told():
        [old] = world.status()["predecessors"]
        return old["in_flight"] == 1 and old
    old = until(told, "it says what it waits for")
    assert old["pid"] == first.pid and old["draining_since"] <= time.time() < old["draining_until"]
    assert abs(old["draining_until"] - old["draining_since"] - 1800) <= 2  # request_timeout
    shown = world.call("status").stdout
    begun = rf"^replaced +pid {first.pid}, finishes what it has begun: 1 call in flight, since \S+Z, until "
    assert re.search(begun, shown, re.M), shown
    world.upstream.released.set()
    assert b"[DONE]" in stream.read()
    assert first.wait(PATIENCE) == 0


def test_an_upgrade_has_a_drain_of_its_own(world):
    """A call that takes longer than drain_timeout is finished, but for a process that is stopped for good."""
    short = world.config.read_text().replace(f'"{DRAIN_SECONDS}s"', '"1s"')
    world.config.write_text(short)
    first = world.serve()
    stream = world.begin_stream()
    assert world.call("upgrade").returncode == 0
    time.sleep(2.5)
    assert first.poll() is None
    world.upstream.released.set()
    assert b"[DONE]" in stream.read()
    assert first.wait(PATIENCE) == 0
    world.upstream.released.clear()
    second = world.status()["pid"]
    stream = world.begin_stream()
    assert world.call("upgrade").returncode == 0
    os.kill(second, signal.SIGTERM)
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        stream.read()
    world.upstream.released.set()


def test_stop_ends_the_processes_of_before_an_upgrade_too(world):
    first = world.serve()
    stream = world.begin_stream()
    for _ in range(2):
        assert world.call("upgrade").returncode == 0
        until(lambda: [old["pid"] for old in world.status().get("predecessors", [])] == [first.pid],
              "the one without requests is gone")
    stopping = world.spawn("stop", "--config", str(world.config), "--timeout", str(PATIENCE))
    until(lambda: "SIGTERM after an upgrade" in world.text(), "the old one was told")
    # Nobody serves any more, and it is not forgotten.
    until(lambda: world.call("status").returncode == 3, "the last one has ended")
    assert f"(pid {first.pid}) finishes what it has begun" in world.call("status").stderr
    done = world.call("stop", "--timeout", "0")
    assert done.returncode == 1 and f"pid {first.pid} still finishes requests" in done.stderr
    assert stopping.poll() is None
    world.upstream.released.set()
    assert b"[DONE]" in stream.read()
    assert stopping.wait(PATIENCE) == 0
    until(lambda: f"had replaced: pid {first.pid}" in world.text(), "it has said so")
    assert first.wait(PATIENCE) == 0
    assert world.call("stop").returncode == 3
    assert not list(world.data.glob("draining-*"))


def test_an_upgrade_ends_what_takes_longer_than_its_own_limit(world):
    """It is the old process's own, as of its last reload; its drain ends as any does."""
    models = ("m", "held")
    world.write_config(models, server="watch_config = false")
    first = world.serve()
    world.write_config(models, server='watch_config = false\nupgrade_drain_timeout = "1s"')
    assert world.call("reload").returncode == 0
    stream = world.begin_stream()
    answers = queue.Queue()
    waiting = threading.Thread(target=lambda: answers.put(world.chat("held")))
    waiting.start()
    until(lambda: len(world.upstream.keys) == 2, "the upstream has both")
    began = time.monotonic()
    assert world.call("upgrade").returncode == 0
    assert first.wait(PATIENCE) == 0
    assert 0.9 < time.monotonic() - began < DRAIN_SECONDS / 2
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        stream.read()
    status, body = answers.get(timeout=PATIENCE)
    waiting.join(PATIENCE)
    assert status == 503 and "the gateway ends" in json.loads(body)["error"]["message"]

    def ended():
        return [line.get("error_type") for line in world.lines() if line["msg"] == "request"]

    assert until(lambda: len(ended()) == 2 and ended(), "both have their line") == ["drain_timeout"] * 2
    world.upstream.released.set()
    assert world.chat()[0] == 200 and world.call("stop").returncode == 0


def test_upgrade_to_a_new_number_of_workers(world):
    world.serve()
    for workers in (1, 3, 2):
        world.config.write_text(re.sub(r"workers = \d", f"workers = {workers}", world.config.read_text()))
        with Load(world) as load:
            assert world.call("upgrade").returncode == 0
            until(lambda: world.status().get("workers") == workers, "the new process serves")  # pylint: disable=W0640
            load.more(30)
        assert not load.failures, (workers, load.failures[:5])
        # Every worker accepts: a connection in a queue nobody looks at would wait for ever.
        for _ in range(20):
            assert world.chat()[0] == 200


def test_upgrade_moves_to_new_addresses(world):
    first = world.serve()
    old, world.port = world.port, free_port()
    world.write_config()
    assert world.call("upgrade").returncode == 0
    assert world.chat()[0] == 200
    assert first.wait(PATIENCE) == 0
    world.port = old
    until(lambda: not world.accepts(), "nobody listens on the old address")


def test_upgrade_to_a_faulty_configuration_changes_nothing(world):
    world.write_config(server="watch_config = false")
    first = world.serve()
    good = world.config.read_text()
    world.config.write_text(good + "nonsense = 1\n")
    done = world.call("upgrade")
    assert done.returncode == 1
    assert "ended with status 2" in done.stderr and "old one goes on" in done.stderr
    assert world.chat()[0] == 200 and world.status()["pid"] == first.pid
    world.config.write_text(good)
    assert world.call("upgrade").returncode == 0
    assert first.wait(PATIENCE) == 0


def test_unix_socket_survives_an_upgrade_and_goes_with_the_last(world):
    path = world.directory / "api.sock"
    world.serve("--listen", f"unix:{path}", "--listen", f"127.0.0.1:{world.port}")

    def call():
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE)
            client.connect(str(path))
            client.sendall(b"GET /ready HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            return client.recv(100).startswith(b"HTTP/1.1 200")

    assert call()
    assert world.call("upgrade").returncode == 0
    for _ in range(10):
        assert call()
    assert world.chat()[0] == 200
    assert world.call("stop").returncode == 0
    assert not path.exists()


class NotifySocket:
    """systemd's end, read all the time: the kernel keeps few datagrams, and those after them would be lost."""

    def __init__(self, directory):
        self.path = directory / "notify.sock"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.messages = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        with contextlib.suppress(OSError):
            while True:
                self.messages.put(self.socket.recv(4096).decode().splitlines())

    def wait_for(self, wanted):
        end = time.monotonic() + PATIENCE
        while True:
            message = self.messages.get(timeout=max(0, end - time.monotonic()))
            if any(line.startswith(wanted) for line in message):
                return message


def test_systemd_hears_of_everything(world):
    notify = NotifySocket(world.directory)
    process = world.spawn("serve", "--config", str(world.config),
                          environment={"NOTIFY_SOCKET": str(notify.path), "WATCHDOG_USEC": "1000000"})
    notify.wait_for("READY=1")
    assert world.chat()[0] == 200
    notify.wait_for("WATCHDOG=1")
    notify.wait_for("WATCHDOG=1")
    process.send_signal(signal.SIGHUP)
    assert any(line.startswith("MONOTONIC_USEC=") for line in notify.wait_for("RELOADING=1"))
    notify.wait_for("READY=1")
    assert world.call("upgrade").returncode == 0
    successor = notify.wait_for("MAINPID=")
    pid = world.status()["pid"]
    assert f"MAINPID={pid}" in successor
    notify.wait_for("READY=1")
    os.kill(pid, signal.SIGTERM)
    notify.wait_for("STOPPING=1")


@pytest.mark.parametrize("sockets", [1, 3])
def test_socket_activation(world, sockets):
    listeners = []
    for _ in range(sockets):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", world.port))
        listener.listen(100)
        listeners.append(listener)
    # A client that comes before the program runs waits in the queue.
    early = world.connection()
    early.connect()
    numbers = [listener.fileno() for listener in listeners]
    high = [fd + 100 for fd in numbers]  # out of the way of 3, 4 and 5
    for fd, target in zip(numbers, high):
        os.dup2(fd, target)
    moves = " ".join(f"{3 + index}<&{fd}" for index, fd in enumerate(high))
    closes = " ".join(f"{fd}<&-" for fd in high)
    script = f'export LISTEN_PID=$$ LISTEN_FDS={sockets} LISTEN_FDNAMES=main; exec "$0" "$@" {moves} {closes}'
    process = world.spawn("serve", "--config", str(world.config), pass_fds=high,
                          prefix=["bash", "-c", script])
    for fd in high:
        os.close(fd)
    for listener in listeners:
        listener.close()
    assert world.chat(connection=early)[0] == 200
    world.wait_for_pid(process.pid)
    assert world.status()["listen"] == [f"127.0.0.1:{world.port}"]
    for _ in range(20):
        assert world.chat()[0] == 200
    with Load(world) as load:
        assert world.call("upgrade").returncode == 0
        load.more(50)
    assert not load.failures, load.failures[:5]
    assert process.wait(PATIENCE) == 0


def test_stop_and_status_need_no_secrets_and_no_faultless_file(world):
    world.write_config(server="watch_config = false", api_key="env:PROCESS_TEST_SECRET")
    world.serve(environment={"PROCESS_TEST_SECRET": "upstream-key-from-the-environment"})
    assert "PROCESS_TEST_SECRET" not in os.environ
    assert world.chat()[0] == 200
    world.config.write_text(world.config.read_text() + "nonsense = 1\n")
    assert world.call("status").returncode == 0
    assert world.command("status", "--data-dir", str(world.data)).returncode == 0
    assert world.call("stop").returncode == 0


def test_a_fleet_takes_its_speeds_in_one_word(world):
    # The manual's form; what is wrong with the last one is said, so the others were read.
    for option in ("--decode-speed", "--prefill-speed"):
        refused = world.command("simulate", "--listen", "127.0.0.1:0", "--instances", "2", option, "100,50,x")
        assert refused.returncode == 2
        assert f"{option}: expected a number of at least 0, not 'x'" in refused.stderr


def test_no_room_for_the_pid_file(world):
    # As on a full disk. That the limit is no end by a signal is for whoever sets it.
    script = "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\""
    run = subprocess.run(["bash", "-c", script, BINARY, "serve", "--config", world.config], capture_output=True,
                         text=True, timeout=PATIENCE)
    assert run.returncode == 1
    assert re.search(r"llm-gateway\.pid cannot be written: File too large$", run.stderr, re.M), run.stderr
    assert not (world.data / "llm-gateway.pid").exists()
    world.serve()
    assert world.chat()[0] == 200


def test_version_and_help(world):
    assert world.command("--version").stdout.startswith("llm-gateway ")
    assert world.command("version").stdout == world.command("--version").stdout
    assert "Exit status" in world.command("--help").stdout

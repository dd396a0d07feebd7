"""The running process ends, or is told to, while a new one is taking its place: a second start, or an upgrade."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest
from process_test import BINARY, KEY, PATIENCE, World, until

pytestmark = pytest.mark.xdist_group("heavy")


class Gate:
    """A database that takes connections and says nothing: who starts waits for it, until it is opened."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.waiting = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"postgresql://nobody:none@127.0.0.1:{self.listener.getsockname()[1]}/none"

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                self.waiting.append(self.listener.accept()[0])

    def open(self):
        """There is no database any more, and nobody waits for it."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.waiting:
            connection.close()


class Halfway(World):
    """A gateway that listens on a unix socket, too, and whose next process is stopped before it serves."""

    def __init__(self, directory):
        super().__init__(directory)
        self.gate = Gate()
        self.write_config(server="watch_config = false")
        self.path = directory / "api.sock"
        self.addresses = ("--listen", f"127.0.0.1:{self.port}", "--listen", f"unix:{self.path}")

    def close_gate(self):
        self.write_config(server="watch_config = false", more=f'[store]\nurl = "{self.gate.url}"\n')

    def start(self):
        return self.spawn("start", "--config", str(self.config), *self.addresses)

    def half_start(self):
        """A new process that has been offered the sockets and stands still."""
        self.close_gate()
        new = self.start()
        self.said("a new process asks for the listening sockets")
        until(lambda: self.gate.waiting, "the new process waits for its database")
        new.send_signal(signal.SIGSTOP)
        return new

    def go_on(self, new):
        self.gate.open()
        new.send_signal(signal.SIGCONT)

    def serves_as(self, pid):
        self.wait_for_pid(pid)
        assert self.chat()[0] == 200
        assert (self.data / "llm-gateway.pid").read_text() == f"{pid}\n"
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE)
            client.connect(str(self.path))
            client.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 200")

    def leaves_nothing(self):
        assert self.call("status").returncode == 3
        for path in (self.data / "llm-gateway.pid", self.data / "control.sock", self.path):
            assert not path.exists()
        assert not self.accepts()


@pytest.fixture
def world(tmp_path):
    world = Halfway(tmp_path)
    yield world
    world.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_new_process_serves_though_the_old_one_ended_first(world, number):
    old = world.serve(*world.addresses)
    new = world.half_start()
    old.send_signal(number)
    assert old.wait(PATIENCE) == (0 if number == signal.SIGTERM else -number)
    # Clients wait in the queues of the sockets; who commands is told what is going on.
    client = world.connection()
    client.request("POST", "/v1/chat/completions", '{"model":"m","messages":[]}', {"authorization": f"Bearer {KEY}"})
    for command in ("status", "stop", "upgrade"):
        done = world.call(command)
        assert done.returncode == 1 and "takes no commands yet" in done.stderr, (command, done)
    world.go_on(new)
    assert client.getresponse().status == 200
    client.close()
    world.serves_as(new.pid)
    assert world.call("stop").returncode == 0 and new.wait(PATIENCE) == 0
    world.leaves_nothing()


def test_the_new_process_serves_while_the_old_one_drains(world):
    old = world.serve(*world.addresses)
    stream = world.begin_stream()
    new = world.half_start()
    old.terminate()
    world.told("draining", cause="SIGTERM")
    world.go_on(new)
    world.serves_as(new.pid)
    assert old.poll() is None
    world.upstream.released.set()
    assert b"[DONE]" in stream.read() and old.wait(PATIENCE) == 0
    world.serves_as(new.pid)
    assert [line["cause"] for line in world.told("draining")] == ["SIGTERM"]


@pytest.mark.parametrize("drains", [False, True])
def test_a_stop_is_meant_for_both(world, drains):
    """Also for an old process that was told to end before."""
    old = world.serve(*world.addresses)
    stream = world.begin_stream()
    new = world.half_start()
    if drains:
        old.terminate()
        world.told("draining", cause="SIGTERM")
    stop = world.spawn("stop", "--config", str(world.config))
    world.told("a new process is turned away: the gateway is stopping", pid=new.pid)
    world.go_on(new)
    assert new.wait(PATIENCE) == 1
    world.said("does not hand its sockets over: it was stopped while the new process started")
    world.upstream.released.set()
    assert b"[DONE]" in stream.read()
    assert old.wait(PATIENCE) == 0 and stop.wait(PATIENCE) == 0
    world.leaves_nothing()


def test_a_stop_waits_for_the_process_it_turns_away(world):
    """That one has the sockets: who starts anew would lose connections to it."""
    old = world.serve(*world.addresses)
    new = world.half_start()
    stop = world.spawn("stop", "--config", str(world.config))
    world.told("a new process is turned away: the gateway is stopping", pid=new.pid)
    world.go_on(new)
    assert stop.wait(PATIENCE) == 0 and old.wait(PATIENCE) == 0
    # It had nothing to finish, so what the stop waited for is the new one, or five seconds.
    assert new.wait(PATIENCE) == 1
    world.leaves_nothing()


def test_a_new_process_that_dies_while_the_old_one_drains_leaves_nothing(world):
    old = world.serve(*world.addresses)
    stream = world.begin_stream()
    new = world.half_start()
    old.terminate()
    world.told("draining", cause="SIGTERM")
    new.kill()
    world.told("a new process gave up before it was ready", pid=new.pid)
    world.upstream.released.set()
    assert b"[DONE]" in stream.read() and old.wait(PATIENCE) == 0
    world.leaves_nothing()


def test_an_upgrade_does_not_begin_while_a_new_process_takes_over(world):
    old = world.serve(*world.addresses)
    new = world.half_start()
    done = world.call("upgrade")
    assert done.returncode == 1 and f"a new process (pid {new.pid}) takes over already" in done.stderr
    world.go_on(new)
    assert old.wait(PATIENCE) == 0
    world.serves_as(new.pid)


def test_what_fails_when_the_old_one_has_stopped_does_not_end_the_new_one(world):
    """Its PID file has gone, and where its control socket belongs stands something else."""
    old = world.serve(*world.addresses)
    new = world.half_start()
    (world.data / "llm-gateway.pid").unlink()
    (world.data / "control.sock").unlink()
    (world.data / "control.sock").mkdir()
    world.go_on(new)
    world.told("commands do not reach this process: the control socket cannot take its name")
    assert old.wait(PATIENCE) == 0 and world.chat()[0] == 200
    (world.data / "control.sock").rmdir()
    world.told("commands reach this process now")
    world.serves_as(new.pid)


def test_an_upgrade_goes_on_without_the_old_process(world):
    old = world.serve(*world.addresses)
    world.close_gate()
    upgrade = world.spawn("upgrade", "--config", str(world.config))
    until(lambda: world.gate.waiting, "the new process waits for its database")
    [line] = world.told("new process started")
    old.kill()
    assert old.wait(PATIENCE) == -signal.SIGKILL
    assert upgrade.wait(PATIENCE) == 1
    world.gate.open()
    world.serves_as(line["pid"])


class Callers:
    """Each call on a connection of its own, all the time: those that found nobody to connect to, and the others."""

    def __init__(self, world, threads=4):
        self.world, self.refused, self.answered = world, [], 0
        self._over, self._lock = threading.Event(), threading.Lock()
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join(PATIENCE)

    def _run(self):
        while not self._over.is_set():
            try:
                status, body = self.world.chat()
                refusal = None if status == 200 else (status, body)
            except ConnectionRefusedError as error:
                refusal = repr(error)
            except (OSError, http.client.HTTPException):
                continue  # it was the killed one's
            with self._lock:
                self.answered += refusal is None
                self.refused += [refusal] if refusal is not None else []

    def more(self, count):
        wanted = self.answered + count
        until(lambda: self.answered >= wanted, f"{count} more calls")


def test_a_new_process_that_is_killed_on_trial_changes_nothing(world):
    """It has served for a while, so what killed it is no fault of its start."""
    old = world.serve(*world.addresses)
    with Callers(world) as callers:
        callers.more(10)
        upgrade = subprocess.Popen(
            [BINARY, "upgrade", "--config", str(world.config), "--trial", "30"], stderr=subprocess.PIPE, text=True)
        [line] = world.told("a new process serves beside this one", trial_ms=30_000)
        time.sleep(1.5)
        os.kill(line["pid"], signal.SIGKILL)
        _, said = upgrade.communicate(timeout=PATIENCE)
        assert upgrade.returncode == 1, said
        assert "the new process was killed by signal 9 while both served; the old one goes on serving" in said
        callers.more(50)
    assert not callers.refused, callers.refused[:5]
    world.told("a new process ended while it served beside this one; this one goes on", pid=line["pid"])
    world.told("upgrade failed, the old process goes on serving")
    world.serves_as(old.pid)
    assert world.status()["predecessors"] == [] and not world.told("serving")[1:]
    # And the next one takes its place.
    assert world.call("upgrade").returncode == 0
    assert old.wait(PATIENCE) == 0 and world.chat()[0] == 200


def test_a_new_process_that_is_told_to_end_on_trial_leaves_the_old_one(world):
    old = world.serve(*world.addresses)
    new = world.start()
    world.told("a new process serves beside this one", pid=new.pid, trial_ms=5000)
    new.terminate()
    assert new.wait(PATIENCE) == 1
    world.said("told to end (Terminated) while the running gateway still accepted beside it; that one goes on")
    world.told("a new process ended while it served beside this one; this one goes on", pid=new.pid)
    world.serves_as(old.pid)


def test_a_new_process_takes_the_changes_of_its_trial(world):
    world.write_config()
    old = world.serve(*world.addresses)
    upgrade = world.spawn("upgrade", "--config", str(world.config), "--trial", "2")
    world.told("a new process serves beside this one", trial_ms=2000)
    world.write_config(models=("m", "late"))
    assert upgrade.wait(PATIENCE) == 0 and old.wait(PATIENCE) == 0
    until(lambda: world.chat("late")[0] == 200, "the new one has read the file again")


@pytest.mark.parametrize("first_is", ["killed", "served by"])
def test_two_starts_at_once(world, first_is):
    """The second waits until the first takes commands, or its place is free."""
    world.close_gate()
    first = world.start()
    until(lambda: world.gate.waiting, "the first waits for its database")
    second = world.start()
    # It asks all the time; how often is nothing that can be seen from here.
    with pytest.raises(subprocess.TimeoutExpired):
        second.wait(0.5)
    if first_is == "killed":
        first.kill()
    world.gate.open()
    assert first.wait(PATIENCE) == (-signal.SIGKILL if first_is == "killed" else 0)
    world.serves_as(second.pid)
    assert not re.search("does not hand its sockets over", world.text()), world.text()
    assert json.loads(world.call("status", "--json").stdout)["state"] == "serving"

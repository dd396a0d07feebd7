"""Starting, pinning, reading and always ending the processes of the benchmark. Single thread, Linux only."""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

READY_TIMEOUT_S = 15
STOP_TIMEOUT_S = 10
# Ends a process with us, should we be killed and not get to stop it. Not SIGKILL: nginx's master has to stop its
# worker.
GUARD = ["setpriv", "--pdeathsig", "TERM"]


class BenchError(Exception):
    """Something the figures cannot be trusted after; the text says what."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def descendants(pid: int) -> list[int]:
    """The process and all its children's children, nginx's workers for one."""
    found = [pid]
    for one in found:
        try:
            tasks = os.listdir(f"/proc/{one}/task")
        except FileNotFoundError:
            continue
        for task in tasks:
            try:
                found += [int(child) for child in Path(f"/proc/{one}/task/{task}/children").read_text().split()]
            except FileNotFoundError:
                continue
    return found


def answers(port: int, path: str | None) -> bool:
    """Whether something accepts on the port and, with a path, answers GET with 200."""
    try:
        if path is None:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return True
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        connection.request("GET", path)
        status = connection.getresponse().status
        connection.close()
        return status == 200
    except (OSError, http.client.HTTPException):
        return False


def session_priority(nice: int):
    """Raises the whole session: the kernel's autogroups weigh sessions against each other first, and a process' own
    nice value counts only within its session. Returns what undoes it."""
    autogroup = Path("/proc/self/autogroup")
    try:
        previous = autogroup.read_text().split()[-1]
        autogroup.write_text(str(nice))
    except (OSError, IndexError):
        return lambda: None
    return lambda: autogroup.write_text(previous)


class Server:
    """A process that serves on loopback until stop(). Pinned to one CPU; dies with us, whatever happens to us."""

    def __init__(self, name: str, command: list[str], cpu: int, log: Path, nice: int = 0, guarded: bool = True):
        self.name = name
        self.log = log
        if guarded:
            command = [*GUARD, *command]
        if nice:
            command = ["nice", "-n", str(nice), *command]
        output = open(log, "ab")
        previous = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {cpu})  # inherited by the child, without a helper between fork and exec
        try:
            self.started = time.monotonic()
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        finally:
            os.sched_setaffinity(0, previous)
            output.close()

    @property
    def pid(self) -> int:
        return self.process.pid

    def log_tail(self) -> str:
        return self.log.read_text(errors="replace")[-1500:]

    def wait_ready(self, port: int, path: str | None = None) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise BenchError(f"{self.name} ended with {self.process.returncode}:\n{self.log_tail()}")
            if answers(port, path):
                return
            time.sleep(0.02)
        raise BenchError(f"{self.name} was not ready within {READY_TIMEOUT_S} s:\n{self.log_tail()}")

    def pids(self) -> list[int]:
        return descendants(self.pid)

    def memory(self) -> dict[str, int]:
        """RSS, PSS and the peak of RSS in bytes, over the process and its children."""
        total = {"rss": 0, "pss": 0, "peak": 0}
        for pid in self.pids():
            mapped = fields(f"/proc/{pid}/smaps_rollup")
            total["rss"] += mapped["Rss"]
            total["pss"] += mapped["Pss"]
            total["peak"] += fields(f"/proc/{pid}/status")["VmHWM"]
        return total

    def alive(self) -> bool:
        return self.process.poll() is None

    def stop(self) -> None:
        if self.process.poll() is None:
            children = self.pids()[1:]
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                for pid in [self.pid, *children]:
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                self.process.wait()


def fields(path: str) -> dict[str, int]:
    """The "Name:  123 kB" lines of a file of /proc, in bytes."""
    result = {}
    for line in Path(path).read_text().splitlines():
        parts = line.split()
        if len(parts) == 3 and parts[2] == "kB":
            result[parts[0].rstrip(":")] = int(parts[1]) * 1024
    return result


def need(program: str, how: str) -> str:
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        raise BenchError(f"{program} is not installed; {how}")
    return path

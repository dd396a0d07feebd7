"""Runs a command of the program to its end, and looks at one that does not come to it."""

import os
import pathlib
import subprocess

from . import processes

SECONDS_MAX = 60  # sanitizer builds on busy cores; also for those that wait for something themselves


def run(*arguments, seconds=SECONDS_MAX, standard_input=None, **options):
    """A subprocess.CompletedProcess with what it wrote as texts. `options` are Popen's."""
    command = [processes.binary(), *arguments]
    stdin = subprocess.DEVNULL if standard_input is None else subprocess.PIPE
    pipes = {"stdin": stdin, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes, **options) as process:
        try:
            out, error = process.communicate(standard_input, seconds)
        except subprocess.TimeoutExpired as late:
            state = _state(process.pid)
            process.kill()
            said = f"it had said {late.stdout!r} {late.stderr!r}"
            raise AssertionError(f"{arguments} did not end within {seconds} s; {said}\n{state}") from None
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, error)


def _state(pid):
    """Where the kernel has its threads, and who else holds an end of its pipes: those keep its output open."""
    own = pathlib.Path(f"/proc/{pid}")
    lines = []
    for task in sorted(own.glob("task/*")):
        states = [line for line in _read(task / "status").splitlines() if line.startswith(("State", "TracerPid"))]
        lines.append(f"thread {task.name} {_read(task / 'wchan')} {_read(task / 'syscall')} {states}")
    pipes = {_link(fd) for fd in own.glob("fd/[12]")}
    known = (own, pathlib.Path(f"/proc/{os.getpid()}"))
    for other in pathlib.Path("/proc").glob("[0-9]*"):
        if other not in known and any(_link(fd) in pipes for fd in other.glob("fd/*")):
            lines.append(f"its pipes are held by {other.name}: {_read(other / 'cmdline')!r}")
    return "\n".join(lines) or "it has ended, and something keeps its output open"


def _read(path):
    try:
        return path.read_text().strip()
    except OSError as error:
        return repr(error)


def _link(path):
    try:
        return path.readlink().as_posix()
    except OSError:
        return str(path)

"""Signals other than those that stop and reload, a stop in the middle of an upgrade, and logs that cannot be opened."""

import contextlib
import os
import shutil
import signal

import pytest
from process_test import BINARY, PATIENCE, World, until, written


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    yield world
    world.close()


def runs(pid):
    with contextlib.suppress(OSError):
        return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] != "Z"
    return False


@pytest.mark.parametrize("how", ["command", "signal"])
def test_a_stop_ends_the_upgrade_that_is_under_way(world, how):
    program, marker = world.directory / "llm-gateway", world.directory / "new.pid"
    shutil.copy(BINARY, program)
    process = world.serve(prefix=["bash", "-c", f'exec {program} "$@"'])
    slow = world.directory / "slow"
    slow.write_text(f"#!/bin/bash\necho $$ >{marker}.part\nmv {marker}.part {marker}\nexec sleep {PATIENCE}\n")
    slow.chmod(0o755)
    slow.replace(program)
    upgrade = world.spawn("upgrade", "--config", str(world.config))
    until(marker.exists, "the new process starts")
    new = int(marker.read_text())
    if how == "command":
        stopped = world.call("stop")
        assert stopped.returncode == 0 and stopped.stdout == "stopped\n"
    else:
        process.terminate()
    assert process.wait(PATIENCE) == 0
    assert not runs(new) and not world.accepts()
    assert upgrade.wait(PATIENCE) == 1
    world.said("the gateway was stopped before the new process served")
    assert world.call("status").returncode == 3


def test_sigquit_drains(world):
    process = world.serve()
    stream = world.begin_stream()
    process.send_signal(signal.SIGQUIT)
    until(lambda: not world.accepts(), "the gateway accepts no more")
    world.upstream.released.set()
    assert b"[DONE]" in stream.read()
    assert process.wait(PATIENCE) == 0
    world.told("draining", cause="SIGQUIT")


def test_signals_that_mean_nothing_end_nothing(world):
    process = world.serve()
    for number in (signal.SIGALRM, signal.SIGUSR2):
        process.send_signal(number)
    world.said("SIGALRM does nothing here")
    world.said("`llm-gateway upgrade`")
    assert process.poll() is None and world.chat()[0] == 200


def log_to(world, path):
    world.write_config(server="watch_config = false", more=f'[log]\noutput = "{path}"')


def test_sigusr1_opens_the_log_anew(world):
    log = world.directory / "own.log"
    log_to(world, log)
    process = world.serve()
    log.rename(world.directory / "own.log.1")
    process.send_signal(signal.SIGUSR1)
    until(log.exists, "the log is opened anew")
    assert world.chat()[0] == 200
    until(lambda: '"msg":"request"' in written(log), "requests are in the new file")
    assert process.poll() is None


def test_a_log_that_cannot_be_opened_anew_is_told_everywhere(world):
    directory = world.directory / "logs"
    directory.mkdir()
    log = directory / "own.log"
    log_to(world, log)
    world.serve()
    errors = "llm_gateway_log_write_errors_total"
    assert world.metric(errors) == 0
    moved = directory.rename(world.directory / "moved")
    done = world.call("reload")
    assert done.returncode == 0 and f"the log file could not be opened anew: {log}: No such file" in done.stdout
    assert world.status()["log_trouble"].startswith(str(log))
    assert "log not reopened" in world.call("status").stdout
    assert world.metric(errors) == 1
    assert world.chat()[0] == 200
    until(lambda: '"msg":"request"' in written(moved / "own.log"), "lines go on into the old file")
    directory.mkdir()
    done = world.call("reload")
    assert done.returncode == 0 and "opened anew" not in done.stdout
    assert world.status()["log_trouble"] is None and log.exists()


def test_a_pipe_without_a_reader_is_no_log(world):
    pipe = world.directory / "pipe"
    os.mkfifo(pipe)
    log_to(world, pipe)
    done = world.command("config", "validate", str(world.config))
    assert done.returncode == 2 and "nobody reads from this pipe" in done.stderr, done.stderr
    started = world.spawn("serve", "--config", str(world.config))
    assert started.wait(PATIENCE) == 2
    world.said("nobody reads from this pipe")

    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        process = world.serve()
        assert world.chat()[0] == 200
        until(lambda: b'"msg":"serving"' in os.read(reader, 1 << 16), "who reads gets the log")
    finally:
        os.close(reader)
    # Its reader is gone, and the gateway serves on.
    done = world.call("reload")
    assert done.returncode == 0 and f"opened anew: {pipe}: No such device or address" in done.stdout
    assert world.chat()[0] == 200
    process.terminate()
    assert process.wait(PATIENCE) == 0

"""What a new user does first: `config init`, and the gateway with a simulator behind it that `make run` starts."""

import os
import re
import signal
import stat
import subprocess
import tomllib

import pytest

from harness import config, processes, raw, waiting
from harness.upstream import Upstream

PATIENCE = 60  # seconds; only a broken test, or a sanitizer on a busy machine, comes near


def command(directory, *arguments):
    environment = {name: value for name, value in os.environ.items() if name != "LLM_GATEWAY_CONFIG"}
    return subprocess.run(
        [processes.binary(), *arguments],
        cwd=directory,
        env=environment | {"XDG_STATE_HOME": str(directory / "state")},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


@pytest.fixture(name="first")
def make_first(tmp_path):
    """A directory with what `config init` wrote there."""
    done = command(tmp_path, "config", "init")
    assert done.returncode == 0, done.stderr
    assert "config validate" in done.stdout
    return tmp_path


def test_init_writes_a_file_that_is_valid_and_private(first):
    file = first / "llm-gateway.toml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    written = tomllib.loads(file.read_text())
    [key] = written["keys"]
    assert re.fullmatch(r"sk-gw-[0-9a-f]{48}", key["key"])
    valid = command(first, "config", "validate")
    assert valid.returncode == 0 and "valid: 1 connection, 1 model, 1 key" in valid.stdout
    assert valid.stderr == ""
    doubtful = re.sub("^models = .*", 'models = ["no-such-model"]', file.read_text(), flags=re.M)
    doubtful = doubtful.replace('name = "*"', 'name = "m"')
    (first / "doubtful.toml").write_text(doubtful)
    doubted = command(first, "config", "validate", "--config", "doubtful.toml")
    assert doubted.returncode == 0 and "keys.models: there is no model 'no-such-model'" in doubted.stderr
    shown = command(first, "config", "show")
    assert shown.returncode == 0 and key["key"] not in shown.stdout + shown.stderr


def test_the_program_can_be_copied_to_a_machine_with_nothing_but_the_c_library():
    if processes.binary().parent.name != "release":
        pytest.skip("only a release is linked so")
    listed = subprocess.run(["ldd", processes.binary()], capture_output=True, text=True, check=True, timeout=PATIENCE)
    names = {line.split()[0].rsplit("/", 1)[-1] for line in listed.stdout.splitlines()}
    assert names <= {"linux-vdso.so.1", "ld-linux-x86-64.so.2", "libc.so.6", "libm.so.6"}


def test_init_never_overwrites_and_makes_another_key_each_time(first):
    before = (first / "llm-gateway.toml").read_bytes()
    again = command(first, "config", "init")
    assert again.returncode == 1 and "exists already" in again.stderr
    assert (first / "llm-gateway.toml").read_bytes() == before
    assert command(first, "config", "init", "other.toml").returncode == 0
    keys = [tomllib.loads((first / name).read_text())["keys"] for name in ("llm-gateway.toml", "other.toml")]
    assert keys[0] != keys[1]


def test_what_init_wrote_serves(first):
    upstream = Upstream()
    [port] = processes.free_ports(1)
    file = first / "llm-gateway.toml"
    text = file.read_text().replace('"http://127.0.0.1:8000/v1"', f'"{upstream.url}/v1"')
    server = {"listen": f"127.0.0.1:{port}", "data_dir": str(first / "data")}
    text = text.replace("[server]\n", config.toml({"server": server}), 1)
    # Where this user cannot write to the default directory, another one stands there already.
    text = re.sub(r'(?m)^(?!data_dir = "' + re.escape(str(first / "data")) + r'")data_dir = .*\n', "", text)
    file.write_text(text)
    key = tomllib.loads(text)["keys"][0]["key"]
    gateway = processes.Process("gateway", ["serve", "--config", str(file)], port, "/ready", first)
    try:
        answer = raw.post_json(
            gateway.address, "/v1/chat/completions", {"model": "any"}, [("Authorization", f"Bearer {key}")]
        )
        assert answer.status == 200
        [seen] = upstream.requests
        assert seen.json()["model"] == "any" and seen.header("authorization") is None
    finally:
        problems = gateway.stop()
        upstream.stop()
    assert not problems, problems


def listen_to_signals():
    """What these tests run in may be in the background, where a shell and its children ignore such signals."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_DFL)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_run_prints_a_curl_that_works_and_stops_both(tmp_path, end):
    gateway_port, simulator_port = processes.free_ports(2)
    log = tmp_path / "run.log"
    with open(log, "wb") as output:
        process = subprocess.Popen(
            [processes.ROOT / "scripts" / "run"],
            env=os.environ
            | {
                "GATEWAY_PORT": str(gateway_port),
                "SIMULATOR_PORT": str(simulator_port),
                "LLMGW_BINARY": str(processes.binary()),
                "TMPDIR": str(tmp_path),
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=listen_to_signals,
        )
    try:

        def printed():
            assert process.poll() is None, log.read_text()
            return "Ctrl-C stops both." in log.read_text()

        waiting.until(printed, "the key and the curl are printed", PATIENCE)
        shown = log.read_text()
        key = re.search(r"^key +(\S+)$", shown, re.MULTILINE)[1]
        curl = shown[shown.index("  curl -N") : shown.index("Ctrl-C stops both.")]
        assert key in curl and f"http://127.0.0.1:{gateway_port}/" in curl
        done = subprocess.run(["bash", "-c", curl], capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        assert '"content":"' in done.stdout and done.stdout.rstrip().endswith("data: [DONE]")
        # A terminal tells everybody in the foreground; what is in the background is none of its business.
        process.send_signal(end) if end == signal.SIGTERM else os.killpg(process.pid, end)
        assert process.wait(PATIENCE) == 0, log.read_text()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert not processes.SANITIZER_REPORT.search(log.read_text()), log.read_text()
    # Nothing runs on, and the directory with the key is gone.
    for port in (gateway_port, simulator_port):
        with pytest.raises(OSError):
            raw.call(("127.0.0.1", port), "GET", "/health", seconds=5)
    assert [each.name for each in tmp_path.iterdir()] == ["run.log"]

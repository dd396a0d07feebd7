"""No secret in anything the program writes: error bodies, headers, metrics, lists, config show, status, logs."""

import pathlib
import subprocess

import pytest

from harness import files, metrics, processes, raw, waiting
from harness import world as worlds

pytestmark = pytest.mark.xdist_group("wire")

TARGETS = [
    "/v1/chat/completions",
    "/v1/messages",
    "/v1beta/models/scripted-gemini:generateContent",
    "/openai/deployments/scripted-azure/chat/completions",
    "/v1/responses",
    "/v1/embeddings",
]


def holds_a_secret(wire, text):
    return [secret for secret in (*wire.keys.all(), f"{worlds.CANARY}-header-value") if secret in text]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("key", ["wrong", "right-with-a-typo", "two-different", "in-the-path", "in-the-model"])
def test_error_answers(wire, target, key):
    full = wire.keys.full
    headers, body = {"Authorization": f"Bearer {full}"}, {"model": "scripted"}
    if key == "wrong":
        headers = {"x-api-key": wire.keys.upstream}
    elif key == "right-with-a-typo":
        headers = {"x-api-key": full + "x"}
    elif key == "two-different":
        headers |= {"x-api-key": wire.keys.narrow}
    elif key == "in-the-path":
        target = f"{target}/nothing?key={full}"
    else:
        body = {"model": "no-such-model", "api_key": full}
        target = target.replace("scripted-gemini", "no-such-model").replace("scripted-azure", "no-such-model")
    answer = raw.post_json(wire.address, target, body, headers)
    assert 400 <= answer.status < 500
    assert not holds_a_secret(wire, answer.body.decode()) and not holds_a_secret(wire, str(answer.headers))


@pytest.mark.parametrize("script", ["reset", "garbage", "two-lengths", "hang"])
@pytest.mark.parametrize("target", ["/v1/chat/completions"])
def test_errors_of_the_upstream(wire, target, script):
    answer = raw.post_json(wire.address, target, {"model": "hasty"}, wire.bearer(("x-script", script)))
    assert answer.status in (502, 504) and not holds_a_secret(wire, answer.body.decode() + str(answer.headers))


@pytest.mark.parametrize("target", ["/metrics", "/health", "/ready", "/v1/models", "/v1beta/models"])
def test_what_the_gateway_says_of_itself(wire, target):
    answer = raw.call(wire.address, "GET", target, wire.bearer())
    assert answer.status == 200 and answer.body
    assert not holds_a_secret(wire, answer.body.decode())


@pytest.mark.parametrize(
    "arguments",
    [
        ["config", "show"],
        ["config", "validate"],
        ["status"],
        ["status", "--json"],
        ["reload"],
        ["route", "explain", "--model", "scripted"],
        ["connection", "list"],
        ["connection", "list", "--json"],
        ["vkey", "list", "--json"],
        ["ledger", "export", "--format", "json"],
        ["audit"],
    ],
    ids=" ".join,
)
def test_commands(wire, arguments):
    result = subprocess.run(
        [processes.binary(), *arguments, "--config", str(wire.config_file)], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr
    assert not holds_a_secret(wire, result.stdout + result.stderr)
    assert not processes.SANITIZER_REPORT.search(result.stderr)


def test_nothing_the_process_keeps_holds_a_secret(wire):
    """Neither its command line, which everybody can read, nor a file of its data directory; the keys are in use."""
    assert raw.post_json(wire.address, "/v1/chat/completions", {"model": "scripted"}, wire.bearer()).status == 200
    command_line = (pathlib.Path("/proc") / str(wire.gateway.process.pid) / "cmdline").read_bytes().decode()
    assert "serve" in command_line and not holds_a_secret(wire, command_line)
    kept = files.contents(wire.directory / "data")
    assert kept
    for file, data in kept:
        assert not holds_a_secret(wire, data.decode("latin-1")), file


def test_a_faulty_configuration_is_refused_without_its_secrets(wire, tmp_path):
    file = tmp_path / "faulty.toml"
    file.write_text(wire.config_file.read_text().replace("[[models]]", "[[modles]]", 1) + "\nnonsense = 1\n")
    result = subprocess.run(
        [processes.binary(), "config", "validate", "--config", str(file)], capture_output=True, text=True, timeout=60
    )
    assert result.returncode != 0 and "modles" in result.stdout + result.stderr
    assert not holds_a_secret(wire, result.stdout + result.stderr)


def test_the_log_is_json_with_request_ids_and_without_secrets(wire, request_id):
    answer = raw.post_json(
        wire.address, "/v1/chat/completions?key=" + wire.keys.full, {"model": "scripted"}, {"X-Request-ID": request_id}
    )
    assert answer.status == 200

    def lines():
        own = [line for line in wire.gateway.records() if line.get("request_id") == request_id]
        return [line for line in own if line["msg"] == "request"]

    [record] = waiting.until(lines, "the request is in the log")
    assert record["key"] == "full" and record["model"] == "scripted" and record["status"] == 200
    assert record["input_tokens"] == 3 and record["output_tokens"] == 5
    assert record["ts"] > "2025"
    assert not holds_a_secret(wire, wire.gateway.text())


def test_metrics_count_requests_and_tokens(wire, request_id):
    labels = {"api_key": "full", "provider": "openai", "model": "fresh", "endpoint": "chat"}

    def state():
        found = metrics.scrape(wire.gateway)
        return [
            metrics.total(found, "llm_requests_total", **labels),
            metrics.total(found, "llm_tokens_total", type="input", **labels),
            metrics.total(found, "llm_tokens_total", type="output", **labels),
            metrics.total(found, "llm_gateway_added_seconds_count", endpoint="chat"),
        ]

    metrics.wait_until_idle(wire.gateway)
    before = state()
    for _ in range(7):
        assert raw.post_json(wire.address, "/v1/chat/completions", {"model": "fresh"}, wire.bearer()).status == 200

    def grown():
        return [now - then for now, then in zip(state(), before)]

    waiting.until(lambda: grown()[0] == grown()[3] == 7, "all of them are counted")
    assert grown() == [7, 21, 35, 7]

"""TLS towards clients: what is negotiated, whose certificate is shown, who is let in."""

import http.client
import json
import socket
import ssl

import boto3
import botocore.exceptions
import pytest
from handover_test import SecureWorld, write_certificate
from process_test import KEY, PATIENCE, until

BODY = json.dumps({"model": "m", "messages": []}).encode()


@pytest.fixture(name="world")
def make_world(tmp_path):
    world = SecureWorld(tmp_path)
    yield world
    world.close()


def handshake(world, context):
    plain = socket.create_connection(("127.0.0.1", world.port), timeout=PATIENCE)
    return context.wrap_socket(plain, server_hostname="127.0.0.1")


def chat(world, context):
    """Status of a call; an OSError where the handshake or the connection failed."""
    connection = http.client.HTTPSConnection("127.0.0.1", world.port, timeout=PATIENCE, context=context)
    try:
        connection.request("POST", "/v1/chat/completions", BODY, {"authorization": f"Bearer {KEY}"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def with_server(world, lines):
    text = world.config.read_text().replace("[server.tls]\n", f"[server.tls]\n{lines}\n")
    world.config.write_text(text)


@pytest.mark.parametrize(
    "offered, chosen",
    [(["h2", "http/1.1"], "h2"), (["http/1.1", "h2"], "h2"), (["http/1.1"], "http/1.1"), ([], None)],
    ids=["both", "both, the other way", "HTTP/1.1", "nothing"],
)
def test_the_protocol_is_negotiated(world, offered, chosen):
    world.serve()
    context = ssl.create_default_context(cadata=world.trusted)
    if offered:
        context.set_alpn_protocols(offered)
    with handshake(world, context) as secured:
        assert secured.selected_alpn_protocol() == chosen
    if chosen != "h2":
        assert chat(world, context) == 200


@pytest.mark.parametrize("oldest, version, accepted", [("1.2", "TLSv1_2", True), ("1.3", "TLSv1_2", False)])
def test_the_oldest_version(world, oldest, version, accepted):
    with_server(world, f'min_version = "{oldest}"')
    world.serve()
    context = world.context("http/1.1")
    context.maximum_version = ssl.TLSVersion[version]
    if accepted:
        assert chat(world, context) == 200
    else:
        with pytest.raises(OSError):
            chat(world, context)
    assert chat(world, world.context("http/1.1")) == 200


def test_boto3_with_a_bearer(world, tmp_path, monkeypatch):
    """It sends a bearer over HTTPS only."""
    world.serve()
    trusted = tmp_path / "trusted.pem"
    trusted.write_text(world.trusted)
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", KEY)

    def count(scheme):
        client = boto3.client(
            "bedrock-runtime",
            endpoint_url=f"{scheme}://127.0.0.1:{world.port}",
            region_name="us-east-1",
            verify=str(trusted),
        )
        messages = [{"role": "user", "content": [{"text": "ping"}]}]
        return client.count_tokens(modelId="m", input={"converse": {"messages": messages}})["inputTokens"]

    assert count("https") > 0
    with pytest.raises(botocore.exceptions.InvalidEndpointConfigurationError):
        count("http")


def test_a_session_is_resumed_on_any_worker(world):
    world.serve()
    context = world.context("http/1.1")
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # the ticket comes within the handshake
    with handshake(world, context) as first:
        session = first.session
        assert not first.session_reused
    resumed = []
    for _ in range(12):
        plain = socket.create_connection(("127.0.0.1", world.port), timeout=PATIENCE)
        with context.wrap_socket(plain, server_hostname="127.0.0.1", session=session) as again:
            resumed.append(again.session_reused)
    assert all(resumed)


def test_only_clients_with_a_certificate_are_let_in(world, tmp_path):
    for name in ("client", "stranger"):
        write_certificate(tmp_path / f"{name}.pem", tmp_path / f"{name}.key", name)
    with_server(world, 'client_ca = "client.pem"')
    process = world.spawn("serve", "--config", str(world.config))
    until(lambda: world.status().get("pid") == process.pid, "the gateway serves")
    known = world.context("http/1.1")
    known.load_cert_chain(tmp_path / "client.pem", tmp_path / "client.key")
    assert chat(world, known) == 200
    unknown = world.context("http/1.1")
    unknown.load_cert_chain(tmp_path / "stranger.pem", tmp_path / "stranger.key")
    for context in (unknown, world.context("http/1.1")):
        with pytest.raises(OSError):
            chat(world, context)
    assert len(world.upstream.keys) == 1
    # Another authority comes with a reload.
    (tmp_path / "client.pem").write_bytes((tmp_path / "stranger.pem").read_bytes())
    assert world.call("reload").returncode == 0
    assert chat(world, unknown) == 200


def test_a_renewed_certificate_is_shown_without_a_restart(world):
    process = world.serve()

    def shown():
        with handshake(world, world.context("http/1.1")) as secured:
            return dict(pair[0] for pair in secured.getpeercert()["subject"])["commonName"]

    before = shown()
    kept = world.connection()
    assert world.chat(connection=kept)[0] == 200
    world.renew()
    until(lambda: shown() != before, "the file watch has seen the new certificate")
    assert "chain.pem changed" in world.call("reload").stdout
    # The connection of the old one goes on.
    assert world.chat(connection=kept)[0] == 200
    assert process.poll() is None
    # A key that does not belong to it keeps the one that works.
    now = shown()
    (world.directory / "key.pem").write_bytes(b"-----BEGIN PRIVATE KEY-----\nno key\n-----END PRIVATE KEY-----\n")
    done = world.call("reload")
    assert done.returncode == 1 and "key.pem" in done.stderr and "no key" not in done.stderr
    assert shown() == now


def test_failed_handshakes_are_counted_and_told(world, tmp_path):
    write_certificate(tmp_path / "client.pem", tmp_path / "client.key", "client")
    with_server(world, 'client_ca = "client.pem"')
    world.config.write_text(world.config.read_text() + '[log]\nlevel = "debug"\n')
    process = world.spawn("serve", "--config", str(world.config))
    until(lambda: world.status().get("pid") == process.pid, "the gateway serves")
    old = world.context("http/1.1")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    for context in (old, world.context("http/1.1")):
        with pytest.raises(OSError):
            chat(world, context)
    with socket.create_connection(("127.0.0.1", world.port), timeout=PATIENCE) as plain:
        plain.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        while plain.recv(4096):
            pass
    socket.create_connection(("127.0.0.1", world.port), timeout=PATIENCE).close()

    def told():
        return sorted(
            (line["fault"], line["reason"]) for line in world.lines() if line["msg"] == "client connection failed"
        )

    until(lambda: len(told()) == 4, "all of them have a line")
    faults, reasons = zip(*told())
    assert faults == ("tls", "tls", "tls", "tls_closed")
    for part in ("http request", "certificate", "protocol"):
        assert any(part in reason for reason in reasons), reasons
    for fault, count in (("tls", 3), ("tls_closed", 1)):
        name = f'llm_gateway_connection_faults_total{{fault="{fault}"}}'
        until(lambda name=name, count=count: world.metric(name) == count, f"{name} is {count}")

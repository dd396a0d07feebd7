"""Clients of TLS and HTTP/2 while the gateway reloads, hands over to a new process, and drains: no request fails."""

import contextlib
import datetime
import http.client
import ipaddress
import json
import re
import secrets
import ssl
import threading
import time

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from harness.h2_client import Broken, H2Client, Refused
from process_test import KEY, PATIENCE, Load, World, until

pytestmark = pytest.mark.xdist_group("heavy")

HEADERS = [("authorization", f"Bearer {KEY}"), ("content-type", "application/json")]
PATH = "/v1/chat/completions"


def write_certificate(certificate_file, key_file, name=None):
    """One that signs itself. Each has another name, or a verifier that knows several would confuse them."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name or f"gateway-{secrets.token_hex(8)}")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    certificate_file.write_bytes(pem)
    return pem.decode()


class SecureWorld(World):
    """The same with a certificate. Its paths are relative, and so start at the configuration's directory."""

    def __init__(self, directory):
        self.trusted = ""
        self.directory = directory
        self.renew()
        super().__init__(directory)

    def renew(self):
        self.trusted += write_certificate(self.directory / "chain.pem", self.directory / "key.pem")

    def write_config(self, models=("m",), server="", more="", api_key="upstream-key-1"):
        tls = '[server.tls]\ncertificate = "chain.pem"\nkey = "key.pem"\n'
        super().write_config(models, server, tls + more, api_key)

    def context(self, *protocols):
        context = ssl.create_default_context(cadata=self.trusted)
        context.set_alpn_protocols(list(protocols))
        return context

    def connection(self, port=None):
        if port == self.admin_port:
            return super().connection(port)
        return http.client.HTTPSConnection(
            "127.0.0.1", port or self.port, timeout=PATIENCE, context=self.context("http/1.1")
        )

    @property
    def base_url(self):
        return f"https://127.0.0.1:{self.port}"

    def h2(self):
        return H2Client(self.port, self.context("h2"), PATIENCE)


class PlainWorld(World):
    @property
    def base_url(self):
        return f"http://127.0.0.1:{self.port}"

    def h2(self):
        return H2Client(self.port, None, PATIENCE)


def test_validate_finds_what_serve_and_reload_refuse(tmp_path):
    world = SecureWorld(tmp_path)
    try:
        world.write_config(server="watch_config = false")
        process = world.serve()
        good = world.config.read_text()
        write_certificate(tmp_path / "other.pem", tmp_path / "other-key.pem")
        (tmp_path / "junk.pem").write_text("-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n")
        keys, connections = "[[keys]]", "[[connections]]"
        faults = [
            ("server.tls.key", 'key = "key.pem"', 'key = "other-key.pem"', "does not belong to"),
            ("server.tls.certificate", 'certificate = "chain.pem"', 'certificate = "junk.pem"', "cannot be used"),
            ("server.tls.client_ca", 'key = "key.pem"', 'key = "key.pem"\nclient_ca = "junk.pem"', "no authorities"),
            ("connections.tls.ca_file", keys, f'[connections.tls]\nca_file = "junk.pem"\n{keys}', "holds no"),
            ("log.output", connections, f'[log]\noutput = "nowhere/log"\n{connections}', "there is no directory"),
        ]
        for setting, old, new, why in faults:
            text = good.replace(old, new, 1)
            assert text != good
            world.config.write_text(text)
            wanted = setting.split(".")[-1] + " = "
            line = max(i for i, each in enumerate(text.splitlines(), 1) if each.startswith(wanted) and each in new)
            validated = world.command("config", "validate", "--config", str(world.config))
            assert validated.returncode == 2, setting
            assert validated.stderr.startswith(f"{world.config}:{line}:1: {setting}: "), validated.stderr
            assert why in validated.stderr
            reloaded = world.call("reload")
            assert reloaded.returncode == 1 and validated.stderr in reloaded.stderr
            served = world.command("serve", "--config", str(world.config))
            assert served.returncode == 2 and validated.stderr in served.stderr
        world.config.write_text(good)
        assert world.call("reload").returncode == 0 and world.chat()[0] == 200
        assert process.poll() is None
    finally:
        world.close()


@pytest.fixture(name="world", params=["plain", "tls"])
def make_world(tmp_path, request):
    world = (SecureWorld if request.param == "tls" else PlainWorld)(tmp_path)
    yield world
    world.close()


class H2Load(Load):
    """Several requests at a time on connections that are kept until the server says otherwise."""

    AT_ONCE = 4

    def _run(self, fresh):
        client = None
        body = json.dumps({"model": self.model, "messages": []}).encode()
        left = 0
        while not self._over.is_set():
            result = None
            try:
                if client is None or fresh or client.going_away:
                    if client is not None:
                        client.close()
                    client = self.world.h2()
                left = left or self.AT_ONCE
                streams = [client.send(PATH, HEADERS, body) for _ in range(left)]
                for stream in streams:
                    with contextlib.suppress(Refused):
                        answer = client.wait(stream)
                        left -= 1
                        if answer.status != 200:
                            result = (answer.status, answer.body)
            except (OSError, Broken) as error:
                result, client, left = repr(error), None, 0
            with self._lock:
                if result is None:
                    self.successes += 1
                else:
                    self.failures.append(result)
        if client is not None:
            client.close()


LOADS = pytest.mark.parametrize("load_of", [Load, H2Load], ids=["http1", "http2"])


@LOADS
def test_reload_fails_no_request(world, load_of):
    world.write_config(server="watch_config = false")
    world.serve()
    with load_of(world) as load:
        for number in range(6):
            if isinstance(world, SecureWorld):
                world.renew()
            world.write_config(models=("m", f"extra-{number}"), server="watch_config = false")
            done = world.call("reload")
            assert done.returncode == 0, done.stderr
            load.more(10)
    assert not load.failures, load.failures[:5]
    assert world.call("stop").returncode == 0


@LOADS
def test_upgrade_fails_no_request(world, load_of):
    first = world.serve()
    with load_of(world) as load:
        for _ in range(2):
            done = world.call("upgrade")
            assert done.returncode == 0, done.stderr + world.text()
            world.wait_for_pid(int(re.search(r"pid (\d+)", done.stdout)[1]))
            load.more(30)
        assert first.wait(PATIENCE) == 0
    assert not load.failures, load.failures[:5]
    assert world.call("stop").returncode == 0


@LOADS
def test_second_start_fails_no_request(world, load_of):
    first = world.serve(command="start")
    with load_of(world) as load:
        second = world.serve(command="start")
        assert first.wait(PATIENCE) == 0
        load.more(30)
    assert not load.failures, load.failures[:5]
    assert world.call("stop").returncode == 0
    assert second.wait(PATIENCE) == 0


def begin_h2_stream(world):
    client = world.h2()
    body = json.dumps({"model": "m", "messages": [], "stream": True}).encode()
    stream = client.send(PATH, HEADERS, body)
    assert client.wait(stream, lambda answer: b"first" in answer.body).status == 200
    return client, stream


@pytest.mark.parametrize("how", ["stop", "upgrade"])
def test_streams_finish(world, how):
    process = world.serve()
    http1 = world.begin_stream()
    client, stream = begin_h2_stream(world)
    if how == "stop":
        process.terminate()
        until(lambda: not world.accepts(), "the gateway accepts no more")
    else:
        assert world.call("upgrade").returncode == 0
        assert world.chat()[0] == 200
    assert process.poll() is None
    # Whoever is told to go elsewhere may give its requests up, so that waits for the last of them.
    second = client.send(PATH, HEADERS, b'{"model":"m","messages":[]}')
    assert client.wait(second).status == 200 and not client.going_away
    threading.Timer(0.5, world.upstream.released.set).start()
    assert b"[DONE]" in http1.read()
    assert b"[DONE]" in client.wait(stream).body
    until(lambda: client.going_away, "the client is told to go elsewhere")
    client.close()
    assert process.wait(PATIENCE) == 0


def httpx_client(world):
    verify = world.context("h2") if isinstance(world, SecureWorld) else False
    return httpx.Client(http1=False, http2=True, verify=verify, base_url=world.base_url, timeout=PATIENCE)


HTTPX_CALL = {"method": "POST", "url": PATH, "headers": dict(HEADERS)}
HTTPX_CHAT = HTTPX_CALL | {"content": b'{"model":"m","messages":[]}'}


@pytest.mark.parametrize("how", ["stop", "upgrade"])
def test_streams_of_httpx_finish(world, how):
    """Its pool gives all streams of a connection up when a GOAWAY comes."""
    process = world.serve()
    with (
        httpx_client(world) as client,
        client.stream(**HTTPX_CALL, content=b'{"model":"m","messages":[],"stream":true}') as stream,
    ):
        pieces = stream.iter_raw()
        assert b"first" in next(pieces)
        if how == "stop":
            process.terminate()
            until(lambda: not world.accepts(), "the gateway accepts no more")
        else:
            assert world.call("upgrade").returncode == 0
        for _ in range(2):
            assert client.request(**HTTPX_CHAT).status_code == 200
        assert process.poll() is None
        world.upstream.released.set()
        assert b"[DONE]" in b"".join(pieces)
    assert process.wait(PATIENCE) == 0


def test_idle_connections_of_httpx_lose_no_request(world):
    """What came meanwhile it reads when it has sent its next request, and repeats that only if nobody looked at it."""
    world.serve()
    with httpx_client(world) as client:
        for pause in (0, 0.2, 1.5, 4):
            assert client.request(**HTTPX_CHAT).status_code == 200
            done = world.call("upgrade")
            assert done.returncode == 0, done.stderr + world.text()
            world.wait_for_pid(int(re.search(r"pid (\d+)", done.stdout)[1]))
            time.sleep(pause)
        assert client.request(**HTTPX_CHAT).status_code == 200


def test_httpx_goes_on_where_a_connection_has_had_its_share(world):
    world.write_config(server="max_requests_per_connection = 3")
    world.serve()
    with httpx_client(world) as client:
        for number in range(20):
            assert client.request(**HTTPX_CHAT).status_code == 200
            time.sleep(0.05 * (number % 3))


def test_a_request_that_crosses_the_drain_is_answered_or_refused(world):
    """An idle connection: its owner sends in the moment when the gateway stops."""
    process = world.serve()
    clients = [world.h2() for _ in range(8)]
    for client in clients:
        assert client.wait(client.send(PATH, HEADERS, b'{"model":"m","messages":[]}')).status == 200
    process.terminate()
    for client in clients:
        with contextlib.suppress(Refused):
            if not client.going_away:
                assert client.wait(client.send(PATH, HEADERS, b'{"model":"m","messages":[]}')).status == 200
        client.close()
    assert process.wait(PATIENCE) == 0

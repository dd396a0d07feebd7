"""The way to upstreams: TLS with all that can be wrong about it, HTTP/2 by ALPN, proxies, unix sockets."""

import http.server
import json
import re
import select
import socket
import socketserver
import ssl
import threading

import pytest
from handover_test import SecureWorld, write_certificate
from process_test import KEY, PATIENCE, Upstream, World, until


ENGINE = "engine.invalid"  # a name that only the proxy knows (RFC 6761, section 6.4)


class TlsUpstream(Upstream):
    """The same behind TLS, with its own certificate; may ask for the client's."""

    def __init__(self, directory, client_ca=None):
        self.authority = directory / "upstream-ca.pem"
        key = directory / "upstream-key.pem"
        write_certificate(self.authority, key)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.authority, key)
        if client_ca is not None:
            self.context.verify_mode = ssl.CERT_REQUIRED
            self.context.load_verify_locations(client_ca)
        self.clients = []  # subjects of the certificates that clients have shown
        super().__init__()

    def get_request(self):
        sock, address = super().get_request()
        sock.settimeout(PATIENCE)
        secured = self.context.wrap_socket(sock, server_side=True)  # an OSError drops the connection alone
        self.clients.append((secured.getpeercert() or {}).get("subject"))
        return secured, address


class Proxy(socketserver.ThreadingTCPServer):
    """A forward proxy: CONNECT, and requests in absolute form. Every name is this machine. Keeps the heads it saw."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, context=None):
        super().__init__(("127.0.0.1", 0), Proxy.Handler)
        self.context = context  # it is reached by TLS; None: without
        self.heads = []
        self.refusal = None  # the status line of what it says to everybody
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]

    def get_request(self):
        sock, address = super().get_request()
        if self.context is not None:
            sock.settimeout(PATIENCE)
            sock = self.context.wrap_socket(sock, server_side=True)  # an OSError drops the connection alone
        return sock, address

    def handle_error(self, request, client_address):
        """A side that resets is no concern of ours."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            data = b""
            while b"\r\n\r\n" not in data:
                piece = self.request.recv(65536)
                if not piece:
                    return
                data += piece
            head, _, rest = data.partition(b"\r\n\r\n")
            self.server.heads.append(head.decode())
            if self.server.refusal:
                page = b"<p>squid.corp.internal wants your name</p>"
                told = f"HTTP/1.1 {self.server.refusal}\r\nProxy-Authenticate: Basic\r\nContent-Type: text/html\r\n"
                self.request.sendall(told.encode() + b"Content-Length: %d\r\n\r\n" % len(page) + page)
                return
            method, target, _ = head.split(b"\r\n")[0].split(b" ")
            if method == b"CONNECT":
                port = target.decode().rsplit(":", 1)[1]
                first = b""
                self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                found = re.match(rb"http://([^/:]+):(\d+)(/.*)", target)
                port = found[2].decode()
                first = data.replace(target, found[3], 1)
            with socket.create_connection(("127.0.0.1", int(port)), timeout=PATIENCE) as other:
                other.sendall(first or rest)
                self.pump(other)

        def pump(self, other):
            while True:
                for side in select.select([self.request, other], [], [], PATIENCE)[0]:
                    data = side.recv(65536)
                    if not data:
                        return
                    (other if side is self.request else self.request).sendall(data)


def configure(world, endpoint, lines=""):
    """The world's configuration with another upstream."""
    text = world.config.read_text()
    text = re.sub(r'endpoint = ".*"', f'endpoint = "{endpoint}"', text)
    text = text.replace('proxy = "none"\n', lines)
    world.config.write_text(text)


@pytest.fixture(name="world")
def make_world(tmp_path):
    world = World(tmp_path)
    yield world
    world.close()


@pytest.fixture(name="secure")
def make_secure(tmp_path):
    upstream = TlsUpstream(tmp_path)
    yield upstream
    upstream.shutdown()
    upstream.server_close()


def reasons(world):
    return [line["error"] for line in world.lines() if line["msg"] == "upstream failed"]


@pytest.mark.parametrize(
    "host, tls, status",
    [
        ("127.0.0.1", 'ca_file = "upstream-ca.pem"', 200),
        ("127.0.0.1", "", 502),
        ("127.0.0.1", "verify = false", 200),
        # The certificate is for the address alone.
        ("localhost", 'ca_file = "upstream-ca.pem"', 502),
        ("localhost", 'ca_file = "upstream-ca.pem", server_name = "127.0.0.1"', 200),
        ("127.0.0.1", 'ca_file = "upstream-ca.pem", server_name = "other.example"', 502),
    ],
    ids=["its authority", "unknown authority", "not verified", "another name", "told which name", "a wrong name"],
)
def test_tls(world, secure, host, tls, status):
    configure(world, f"https://{host}:{secure.port}/v1", f'proxy = "none"\ntls = {{ {tls} }}\n')
    world.serve()
    answer = world.chat()
    assert answer[0] == status
    if status == 200:
        assert len(secure.keys) == 1
    else:
        assert not secure.keys, "the key was sent to somebody unknown"
        error = json.loads(answer[1])["error"]
        assert "secure connection" in error["message"] and str(secure.port) not in answer[1].decode()
        until(lambda: reasons(world) == ["tls"], "the log says why")


def test_client_certificate(world, tmp_path):
    write_certificate(tmp_path / "client.pem", tmp_path / "client.key", "the-gateway")
    upstream = TlsUpstream(tmp_path, tmp_path / "client.pem")
    endpoint = f"https://127.0.0.1:{upstream.port}/v1"
    shown = 'client_certificate = "client.pem", client_key = "client.key"'
    configure(world, endpoint, f'proxy = "none"\ntls = {{ ca_file = "upstream-ca.pem", {shown} }}\n')
    world.serve()
    assert world.chat()[0] == 200
    assert upstream.clients == [((("commonName", "the-gateway"),),)]
    upstream.shutdown()
    upstream.server_close()


def test_a_renewed_authority_is_read_on_reload(world, secure, tmp_path):
    write_certificate(tmp_path / "other-ca.pem", tmp_path / "other-key.pem")
    right = secure.authority.read_bytes()
    secure.authority.write_bytes((tmp_path / "other-ca.pem").read_bytes())
    configure(world, f"https://127.0.0.1:{secure.port}/v1", 'proxy = "none"\ntls = { ca_file = "upstream-ca.pem" }\n')
    world.serve()
    assert world.chat()[0] == 502
    secure.authority.write_bytes(right)
    assert world.call("reload").returncode == 0
    assert world.chat()[0] == 200
    # Who was let in by the old authority is not by the new one.
    secure.authority.write_bytes((tmp_path / "other-ca.pem").read_bytes())
    assert world.call("reload").returncode == 0
    assert world.chat()[0] == 502 and len(secure.keys) == 1


def test_a_connection_that_leads_back_is_refused(world):
    configure(world, f"http://127.0.0.1:{world.port}/v1")
    world.config.write_text(world.config.read_text().replace("upstream-key-1", KEY))
    checked = world.command("config", "validate", str(world.config))
    assert checked.returncode == 0 and "is where this gateway itself listens" in checked.stdout + checked.stderr
    world.serve()
    status, body = world.chat()
    error = json.loads(body)["error"]
    assert status == 400 and error["code"] == "loop_detected" and "leads back" in error["message"]
    until(lambda: len([line for line in world.lines() if line["msg"] == "request"]) == 6, "each round has a line")
    assert world.chat()[0] == 400


def test_http2_by_alpn(tmp_path):
    """Two gateways in a row: the second speaks HTTP/2, which the first must find out."""
    (tmp_path / "behind").mkdir()
    (tmp_path / "front").mkdir()
    behind, front = SecureWorld(tmp_path / "behind"), World(tmp_path / "front")
    try:
        behind.serve()
        (tmp_path / "front" / "ca.pem").write_text(behind.trusted)
        lines = 'proxy = "none"\ntls = { ca_file = "ca.pem" }\nhttp2 = "MODE"\n'
        endpoint = f"https://127.0.0.1:{behind.port}/v1"
        configure(front, endpoint, lines.replace("MODE", "on"))
        front.config.write_text(front.config.read_text().replace('"upstream-key-1"', f'"{KEY}"'))
        front.serve()
        for _ in range(5):
            assert front.chat()[0] == 200
        stream = front.begin_stream()
        behind.upstream.released.set()
        assert b"[DONE]" in stream.read()
        # All of it on one connection for each of the two workers.
        until(lambda: behind.status()["requests"] == 6, "the second has answered all of them")
        assert behind.status()["client_connections"] <= 2
        front.config.write_text(front.config.read_text().replace('http2 = "on"', 'http2 = "off"'))
        assert front.call("reload").returncode == 0
        assert front.chat()[0] == 200
    finally:
        front.close()
        behind.close()


def test_unix_socket(world, tmp_path):
    path = tmp_path / "engine.sock"

    class UnixUpstream(Upstream):
        address_family = socket.AF_UNIX

        def __init__(self):  # pylint: disable=super-init-not-called
            http.server.HTTPServer.__bases__[0].__init__(self, str(path), UnixHandler)
            self.keys, self.released = [], threading.Event()
            threading.Thread(target=self.serve_forever, daemon=True).start()

        def server_bind(self):
            socketserver.TCPServer.server_bind(self)

    class UnixHandler(Upstream.Handler):
        disable_nagle_algorithm = False

        def address_string(self):
            return "unix"

    upstream = UnixUpstream()
    configure(world, f"unix:{path}:/v1", 'proxy = "none"\n')
    world.serve()
    assert world.chat() == (200, b'{"model": "m", "choices": []}')
    assert len(upstream.keys) == 1
    upstream.shutdown()
    upstream.server_close()


@pytest.mark.parametrize("secured", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("source", ["setting", "environment"])
def test_forward_proxy(world, secure, secured, source):
    proxy = Proxy()
    upstream = secure if secured else world.upstream
    scheme = "https" if secured else "http"
    url = f"http://somebody:secret-of-the-proxy@127.0.0.1:{proxy.port}"
    line = f'proxy = "{url}"\n' if source == "setting" else 'proxy = "environment"\n'
    tls = 'tls = { ca_file = "upstream-ca.pem", server_name = "127.0.0.1" }\n'
    configure(world, f"{scheme}://{ENGINE}:{upstream.port}/v1", line + tls)
    variables = {"http_proxy": url, "HTTPS_PROXY": url} if source == "environment" else {}
    world.serve(environment=variables)
    assert world.chat()[0] == 200
    assert len(upstream.keys) == 1 and len(proxy.heads) == 1
    assert proxy.heads[0].startswith(f"CONNECT {ENGINE}:" if secured else f"POST http://{ENGINE}:")
    assert "c29tZWJvZHk6c2VjcmV0LW9mLXRoZS1wcm94eQ==" in proxy.heads[0]
    assert "secret-of-the-proxy" not in world.text() and "upstream-key" not in world.text()
    if secured:
        assert "upstream-key" not in proxy.heads[0]
    proxy.shutdown()
    proxy.server_close()


@pytest.mark.parametrize("secured", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("trusted", [True, False], ids=["trusted", "unknown"])
def test_a_proxy_behind_tls_has_the_authorities_of_its_connections(world, secure, secured, trusted):
    proxy = Proxy(secure.context)
    port = secure.port if secured else world.upstream.port
    tls = 'ca_file = "upstream-ca.pem", server_name = "127.0.0.1"' if trusted else "verify = false"
    line = f'proxy = "https://127.0.0.1:{proxy.port}"\ntls = {{ {tls} }}\n'
    configure(world, f"{'https' if secured else 'http'}://{ENGINE}:{port}/v1", line)
    world.serve()
    status, body = world.chat()
    if trusted:
        assert status == 200 and len(proxy.heads) == 1
    else:
        # What is said of the upstream's certificate says nothing of the proxy's.
        assert status == 502 and not proxy.heads
        told = json.loads(body)["error"]["message"]
        assert told == "the secure connection to the proxy on the way to the provider failed"
        [failed] = world.told("upstream failed")
        assert failed["error"] == "tls" and failed["context"].startswith("TLS with the proxy: ")
        assert failed["proxy"] == f"127.0.0.1:{proxy.port}"
    proxy.shutdown()
    proxy.server_close()


@pytest.mark.parametrize(
    "host, no_proxy, status", [("127.0.0.1", "", 200), (ENGINE, "engine.invalid", 502)], ids=["loopback", "listed"]
)
def test_what_the_environments_proxy_is_not_for(world, host, no_proxy, status):
    proxy = Proxy()
    configure(world, f"http://{host}:{world.upstream.port}/v1", 'proxy = "environment"\n')
    world.serve(environment={"http_proxy": f"http://127.0.0.1:{proxy.port}", "no_proxy": no_proxy})
    assert world.chat()[0] == status and not proxy.heads
    proxy.shutdown()
    proxy.server_close()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_refuses_is_named(world, scheme):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        configure(world, f"{scheme}://{ENGINE}:1/v1", f'proxy = "http://somebody:secret-of-the-proxy@{address}"\n')
        world.serve()
        assert world.chat()[0] == 502
    [failed] = world.told("upstream failed")
    assert failed["proxy"] == address and failed["error"] == "refused" and "proxy" in failed["context"]
    assert "secret-of-the-proxy" not in world.text()


@pytest.mark.parametrize(
    "scheme, refusal, told",
    [
        ("http", "407 Proxy Authentication Required", "the operator has to set the proxy's user and password"),
        ("https", "407 Proxy Authentication Required", "the operator has to set the proxy's user and password"),
        ("https", "403 Forbidden", "the operator has to allow the provider there"),
        ("https", "502 Bad Gateway", "did not open a connection"),
    ],
)
def test_what_a_proxy_refuses_is_the_operators_affair(world, scheme, refusal, told):
    proxy = Proxy()
    proxy.refusal = refusal
    url = f"http://somebody:secret-of-the-proxy@127.0.0.1:{proxy.port}"
    configure(world, f"{scheme}://{ENGINE}:1/v1", f'proxy = "{url}"\n')
    world.serve()
    status, body = world.chat()
    error = json.loads(body)["error"]
    assert status == 502 and error["type"] == "server_error" and told in error["message"]
    assert str(proxy.port) not in error["message"] and "squid" not in body.decode()
    [failed] = world.told("upstream failed")
    assert failed["proxy"] == f"127.0.0.1:{proxy.port}" and "proxy" in failed["context"]
    assert "secret-of-the-proxy" not in world.text()
    proxy.shutdown()
    proxy.server_close()

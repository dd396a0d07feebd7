"""Everything a run of the benchmark needs at hand: the upstream, the proxies, the load generator. One Lab a run."""

import json
import os
import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path

from . import proxies
from .process import GUARD, BenchError, Server, answers, free_port, need, session_priority
from .steal import TICKS_MAX, calmest

HOW_TO_INSTALL = 'run "scripts/setup bench"'
PROXY_CPU = 0
LOAD_CPU = 1
LOAD_TIMEOUT_S = 120


class Target:
    """Something the load generator can be pointed at."""

    def __init__(self, name: str, ports: dict[str, int], server: Server | None, arguments=None, ready=None):
        """`arguments(kind)` are the load generator's for it; `ready` is the path to ask for, None only to connect."""
        self.name = name
        self.ports = ports
        self.server = server
        self.arguments = arguments or (lambda kind: [])
        self.ready = ready


class Lab:
    """Use with `with`: leaving it ends every process and removes the temporary directory."""

    def __init__(self, root: Path, options):
        self.root = root
        self.options = options
        self.tools = Path(options.tools)
        self.gateway_binary = Path(options.gateway)
        self.stack = ExitStack()
        self.upstreams: dict[str, int] = {}
        self.shared: dict = {}  # measurements that more than one row reads
        self.raw: list[dict] = []
        self.runs = self.runs_again = self.runs_stolen_from = 0  # of calm_load

    def __enter__(self):
        for tool in ("bench-canned", "bench-loadgen"):
            if not (self.tools / tool).exists():
                raise BenchError(f'{self.tools / tool} is not built; run "scripts/build release bench-tools"')
        if len(os.sched_getaffinity(0)) < 2:
            raise BenchError("two CPUs are needed: one for the proxy, one for load generator and upstream")
        self.nginx_binary = need("nginx", HOW_TO_INSTALL)
        self.haproxy_binary = need("haproxy", HOW_TO_INSTALL)
        if self.options.nice:
            self.stack.callback(session_priority(self.options.nice))
        self.directory = Path(tempfile.mkdtemp(prefix="llmgw-bench-"))
        self.stack.callback(shutil.rmtree, self.directory, ignore_errors=True)
        try:
            self._certificate()
            canned, ports = self.start_canned(list(proxies.UPSTREAMS))
            self.upstreams = ports
            self.canned = canned
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *_):
        self.stack.close()

    def has_gateway(self) -> bool:
        return self.gateway_binary.exists()

    def _certificate(self) -> None:
        self.ca = self.directory / "upstream.pem"
        self.key = self.directory / "upstream.key"
        command = [need("openssl", 'run "scripts/setup test"'), "req", "-x509", "-newkey", "ec", "-pkeyopt",
                   "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                   "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(self.key), "-out", str(self.ca)]
        subprocess.run(command, check=True, capture_output=True)

    def _server(self, name: str, command: list[str], cpu: int, guarded: bool = True) -> Server:
        server = Server(name, command, cpu, self.directory / f"{name}.log", self.options.nice, guarded)
        self.stack.callback(server.stop)
        return server

    def start_canned(self, kinds: list[str]) -> tuple[Server, dict[str, int]]:
        listeners = [proxies.UPSTREAMS[kind] for kind in kinds]
        ports = [free_port() for _ in listeners]
        listeners = [text.replace("0", str(port), 1) for text, port in zip(listeners, ports)]
        command = [str(self.tools / "bench-canned"), "--certificate", str(self.ca), "--key", str(self.key), *listeners]
        name = "canned" if len(kinds) > 1 else f"canned-{kinds[0]}-{ports[0]}"
        server = self._server(name, command, LOAD_CPU)
        for port in ports:
            server.wait_ready(port)
        return server, dict(zip(kinds, ports))

    def canned_stats(self, server: Server) -> dict:
        """Ends the upstream and reads the line it leaves."""
        server.stop()
        return json.loads(server.log.read_text().splitlines()[-1])

    def direct(self) -> Target:
        return Target("direct", self.upstreams | {"stream": self.upstreams["plain"]}, None)

    def _proxy_ports(self) -> dict[str, int]:
        return {kind: free_port() for kind in (*proxies.UPSTREAMS, "stream")}

    def start_nginx(self, upstreams=None, guarded: bool = True, wait: bool = True) -> Target:
        ports = self._proxy_ports()
        config = self.directory / f"nginx-{ports['plain']}.conf"
        as_root = os.geteuid() == 0
        config.write_text(proxies.nginx_config(self.directory, ports, upstreams or self.upstreams, as_root, self.ca))
        command = [self.nginx_binary, "-c", str(config), "-p", str(self.directory)]
        return self._ready(Target("nginx", ports, self._server("nginx", command, PROXY_CPU, guarded)), wait)

    def start_haproxy(self, upstreams=None) -> Target:
        ports = self._proxy_ports()
        config = self.directory / f"haproxy-{ports['plain']}.conf"
        config.write_text(proxies.haproxy_config(ports, upstreams or self.upstreams, self.ca))
        command = [self.haproxy_binary, "-q", "-db", "-f", str(config)]
        return self._ready(Target("haproxy", ports, self._server("haproxy", command, PROXY_CPU)), True)

    def start_gateway(self, upstreams=None, guarded: bool = True, wait: bool = True, governed: bool | None = None,
                      name: str = "gateway") -> Target:
        port = free_port()
        ports = {kind: port for kind in (*proxies.UPSTREAMS, "stream")}
        config = self.directory / f"gateway-{port}.toml"
        (self.directory / f"gateway-{port}").mkdir()
        config.write_text(proxies.gateway_config(self.directory, port, upstreams or self.upstreams, self.ca, governed))
        config.chmod(0o600)
        command = [str(self.gateway_binary), "serve", "--config", str(config)]
        arguments = lambda kind: ["--authorization", f"Bearer {proxies.KEY}",  # noqa: E731
                                  "--model", f"bench-{'plain' if kind == 'stream' else kind}"]
        target = Target(name, ports, self._server(name, command, PROXY_CPU, guarded), arguments, "/ready")
        return self._ready(target, wait)

    @staticmethod
    def _ready(target: Target, wait: bool) -> Target:
        if wait:
            target.server.wait_ready(target.ports["plain"], target.ready)
        return target

    def all_proxies(self) -> list[Target]:
        """nginx, haproxy and, if built, the gateway, started once for all rows that measure CPU and delay."""
        if "proxies" not in self.shared:
            found = [self.start_nginx(), self.start_haproxy()]
            if self.has_gateway():
                found.append(self.start_gateway())
            self.shared["proxies"] = found
        return self.shared["proxies"]

    def load(self, target: Target, kind: str, arguments: list, row: str) -> dict:
        """One run of the load generator. Any wrong answer makes it a BenchError: an error must not pass as speed."""
        command = [*GUARD, str(self.tools / "bench-loadgen"), "--cpu", str(LOAD_CPU), "--port", str(target.ports[kind])]
        command += target.arguments(kind)
        if target.server is not None:
            command += [word for pid in target.server.pids() for word in ("--cpu-of", str(pid))]
        command += [str(word) for word in arguments]
        if self.options.nice:
            command = ["nice", "-n", str(self.options.nice), *command]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LOAD_TIMEOUT_S, check=False)
        if done.returncode != 0:
            raise BenchError(f"load generator: {done.stderr[:800]}")
        result = json.loads(done.stdout)
        self.raw.append({"row": row, "target": target.name, "result": result})
        if result["errors"] or not result["requests"]:
            raise BenchError(f"{row}, {target.name}: {result['errors']} errors, {result['requests']} good answers; "
                             f"first: {result['first_error']}")
        if target.server is not None and not (result["processes_alive"] and target.server.alive()):
            raise BenchError(f"{row}: {target.name} died:\n{target.server.log_tail()}")
        return result

    def calm_load(self, target: Target, kind: str, arguments: list, row: str) -> dict:
        """load() for figures of time: measured again where a hypervisor took the processors away meanwhile."""
        result, stolen, runs = calmest(lambda: self.load(target, kind, arguments, row))
        self.runs += 1
        self.runs_again += runs - 1
        self.runs_stolen_from += stolen > TICKS_MAX
        return result

    @staticmethod
    def probe(target: Target) -> bool:
        return answers(target.ports["plain"], target.ready)

"""The real program: its configuration, its life."""

import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from harness import config, processes  # noqa: E402

CLIENT_KEY = "canary-client-key-77c1a9"
WORKERS = 1
UPSTREAM_IDLE = "30s"  # the upstream is the judge's own process, which may be busy judging for seconds


def write_config(where, port, connections, models):
    """The configuration file of a gateway on `port`."""
    (where / "data").mkdir(mode=0o700, exist_ok=True)
    file = where / "gateway.toml"
    file.write_text(
        config.toml(
            {
                "server": {
                    "listen": f"127.0.0.1:{port}",
                    "data_dir": str(where / "data"),
                    "workers": WORKERS,
                    "watch_config": False,
                    "max_body_bytes": "64MiB",
                    "fetch_private_addresses": True,
                },
                "upstream": {"idle_timeout": UPSTREAM_IDLE, "proxy": "none"},
                "connections": connections,
                "models": models,
                "keys": [{"name": "conformance", "key": CLIENT_KEY}],
            }
        )
    )
    file.chmod(0o600)
    return file


class Gateway:
    def __init__(self, where, connections, models):
        self.where = where
        where.mkdir(parents=True, exist_ok=True)
        [self.port] = processes.free_ports(1)
        self.file = write_config(where, self.port, connections, models)
        self.process = None

    def start(self):
        environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
        environment.setdefault("ASAN_OPTIONS", "detect_leaks=0")
        arguments = ["serve", "--config", str(self.file)]
        self.process = processes.Process("gateway", arguments, self.port, "/ready", self.where, environment)

    def stop(self):
        """What was wrong with its life, as texts."""
        return self.process.stop() if self.process else []

    def text(self):
        return self.process.text()

"""PostgreSQL of Debian's package in a temporary directory, as a user without rights where the tests run as root."""

import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from . import waiting

BINARIES = pathlib.Path("/usr/lib/postgresql/15/bin")
CHANNEL = "llm_gateway_objects"


class Postgres:
    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="llmgw-pg-", dir="/tmp"))
        self._user = None
        if os.geteuid() == 0:
            self._user = "postgres" if self._exists("postgres") else "nobody"
            entry = pwd.getpwnam(self._user)
            os.chown(self.directory, entry.pw_uid, entry.pw_gid)
        options = ["-U", "test", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"]
        self._run("initdb", "-D", str(self.directory / "data"), *options)
        self._databases = 0
        self.process = None
        self.start()

    @staticmethod
    def _exists(user):
        try:
            return bool(pwd.getpwnam(user))
        except KeyError:
            return False

    def _arguments(self):
        return {"user": self._user, "extra_groups": []} if self._user else {}

    def _run(self, name, *arguments):
        subprocess.run(
            [BINARIES / name, *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.directory,
            **self._arguments(),
        )

    def start(self):
        with open(self.directory.parent / f"{self.directory.name}.log", "ab") as log:
            self.process = subprocess.Popen(
                [BINARIES / "postgres", "-D", str(self.directory / "data"), "-k", str(self.directory)]
                + ["-c", "listen_addresses=", "-c", "fsync=off"],
                stdout=log,
                stderr=log,
                cwd=self.directory,
                **self._arguments(),
            )
        ready = [BINARIES / "pg_isready", "-q", "-h", str(self.directory)]
        waiting.until(lambda: subprocess.run(ready, check=False).returncode == 0, "PostgreSQL is ready")

    def _all(self):
        pid = self.process.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *map(int, children)]

    def freeze(self, frozen):
        for pid in self._all():
            try:
                os.kill(pid, signal.SIGSTOP if frozen else signal.SIGCONT)
            except ProcessLookupError:
                pass  # a backend that has just ended

    def kill(self):
        """At once, as with the power."""
        if self.process.poll() is None:
            self.freeze(False)
            self.process.send_signal(signal.SIGQUIT)
        self.process.wait()

    def own(self, directory):
        """Makes it the server's."""
        if self._user:
            entry = pwd.getpwnam(self._user)
            os.chown(directory, entry.pw_uid, entry.pw_gid)

    def new_database(self, tablespace=None):
        """`tablespace`: an empty directory for its files."""
        self._databases += 1
        name = f"db{self._databases}"
        where = []
        if tablespace is not None:
            server = f"postgresql://test@/postgres?host={self.directory}"
            self.query(server, f"CREATE TABLESPACE t LOCATION '{tablespace}'")
            where = ["-D", "t"]
        self._run("createdb", "-h", str(self.directory), "-U", "test", *where, name)
        return f"postgresql://test@/{name}?host={self.directory}"

    def query(self, url, sql):
        command = [BINARIES / "psql", "-At", "-d", url, "-c", sql]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def stop(self):
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)
        pathlib.Path(f"{self.directory}.log").unlink(missing_ok=True)


class SlowWay:
    """A way to a PostgreSQL on which everything that is sent there takes `delay` seconds."""

    def __init__(self, server):
        self.delay = 0
        self._to = str(server.directory / ".s.PGSQL.5432")
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="llmgw-slow-", dir="/tmp"))
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.directory / ".s.PGSQL.5432"))
        self._listener.listen(64)
        self._sockets = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, url):
        return url.replace(self._to.removesuffix("/.s.PGSQL.5432"), str(self.directory))

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._to)
            except OSError:
                return
            self._sockets += [client, server]
            threading.Thread(target=self._carry, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._carry, args=(server, client, False), daemon=True).start()

    def _carry(self, source, target, slow):
        try:
            while data := source.recv(1 << 16):
                if slow:
                    time.sleep(self.delay)
                target.sendall(data)
        except OSError:
            pass
        for each in (source, target):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def stop(self):
        self.delay = 0
        for each in self._sockets:
            each.close()
        shutil.rmtree(self.directory, ignore_errors=True)

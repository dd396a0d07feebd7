"""Runs the recordings' replay server on a free port: replay_host.py SERVER.py CAPTURE. Prints the port.

Loaded instead of started, so that its sockets send every piece at once (pieces of one byte stay such) and its queue of
connections is long enough for many at a time."""

import importlib.util
import sys
from http.server import ThreadingHTTPServer

QUEUE = 1024


class Server(ThreadingHTTPServer):
    request_queue_size = QUEUE
    daemon_threads = True


def main():
    path, capture = sys.argv[1:]
    spec = importlib.util.spec_from_file_location("replay_server", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.H.disable_nagle_algorithm = True
    server = Server(("127.0.0.1", 0), module.H)
    server.capture = capture
    print(server.server_address[1], flush=True)
    server.serve_forever()


main()

"""A listener that takes no connection."""

import socket


class Deaf:
    """Listens, and takes no more connections: the kernel lets the next one wait."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(0)
        self.address = self.listener.getsockname()
        self.waiting = []
        for _ in range(4):
            each = socket.socket()
            each.setblocking(False)
            each.connect_ex(self.address)
            self.waiting.append(each)

    def close(self):
        for each in (*self.waiting, self.listener):
            each.close()

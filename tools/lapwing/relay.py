# SPDX-License-Identifier: BSD-2-Clause
"""A debugger's way to the guest: emulators connect their second serial port to us when they start,
GDB connects when it likes, again and again."""

import selectors
import socket
import threading


class Relay(threading.Thread):
    """Passes bytes on between the emulator, at .inner_port, and GDB, at .port."""

    def __init__(self, port=0):
        super().__init__(daemon=True)
        self._inner = socket.create_server(("127.0.0.1", 0))
        self._outer = socket.create_server(("127.0.0.1", port))
        self.inner_port = self._inner.getsockname()[1]
        self.port = self._outer.getsockname()[1]
        self._line = self._gdb = None
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._inner, selectors.EVENT_READ, self._line_comes)
        self._selector.register(self._outer, selectors.EVENT_READ, self._gdb_comes)
        self._ended = False

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._ended = True

    def run(self):
        while not self._ended:
            for key, _ in self._selector.select(0.5):
                key.data()

    def _take(self, listener, old, passes):
        self._drop(old)
        new = listener.accept()[0]
        new.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(new, selectors.EVENT_READ, passes)
        return new

    def _drop(self, connection):
        if connection:
            self._selector.unregister(connection)
            connection.close()

    def _line_comes(self):
        self._line = self._take(self._inner, self._line, self._from_line)

    def _gdb_comes(self):
        self._gdb = self._take(self._outer, self._gdb, self._from_gdb)

    def _from_line(self):
        data = self._receive(self._line)
        if not data:
            self._drop(self._line)
            self._line = None
        elif self._gdb:
            self._send(self._gdb, data)

    def _from_gdb(self):
        data = self._receive(self._gdb)
        if not data:
            self._drop(self._gdb)
            self._gdb = None
        elif self._line:
            self._send(self._line, data)

    @staticmethod
    def _receive(connection):
        try:
            return connection.recv(65536)
        except ConnectionError:
            return b""

    @staticmethod
    def _send(connection, data):
        try:
            connection.sendall(data)
        except ConnectionError:
            pass  # the next read reports the end

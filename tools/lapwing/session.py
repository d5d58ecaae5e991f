# SPDX-License-Identifier: BSD-2-Clause
"""A running emulator with its serial line. Whatever ends us also ends the emulator."""

import ctypes
import os
import pty
import selectors
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Session:
    """Start with `with Session(...) as session`; the serial output is in .log (bytes) as well,
    and in .console what a host below Lapwing reports.

    All calls come from the thread that created it: the emulator dies with that thread.
    """

    def __init__(self, emulator, machine):
        self.emulator = emulator
        self.machine = machine
        self.log = bytearray()
        self.console = bytearray()
        self.started = time.monotonic()
        self._folder = Path(tempfile.mkdtemp(prefix="lapwing-"))
        self._line = None
        self._console = None
        self._process = None
        self._terminal = -1
        self._output = bytearray()
        # poll, unlike epoll, also takes files and /dev/null as `other`.
        self._selector = selectors.PollSelector()

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def _start(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            command = self.emulator.command(self.machine, listener.getsockname()[1], self._folder)
            # Bochs draws its display on a terminal; what it writes there is only kept for errors.
            self._terminal, slave = pty.openpty()
            try:
                self._process = subprocess.Popen(
                    command.arguments, env=command.environment, stdin=slave, stdout=slave,
                    stderr=slave, start_new_session=True, preexec_fn=_die_with_parent)
            finally:
                os.close(slave)
            self._selector.register(self._terminal, selectors.EVENT_READ, self._read_terminal)
            self._selector.register(listener, selectors.EVENT_READ, "listener")
            lines = []
            while len(lines) < 1 + command.console:
                if self._process.poll() is not None:
                    self.wait(0)
                    raise RuntimeError(f"{self.emulator.title} ended at once:\n"
                                       + self._output[-2000:].decode(errors="replace"))
                for key, _ in self._selector.select(0.2):
                    if key.data == "listener":
                        lines.append(listener.accept()[0])
                    else:
                        key.data()
            self._selector.unregister(listener)
        self._line = lines[0]
        if command.console:
            self._console = lines[1]
            self._selector.register(self._console, selectors.EVENT_READ, self._read_console)
        self._line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(self._line, selectors.EVENT_READ, "line")

    def _read_terminal(self):
        try:
            data = os.read(self._terminal, 65536)
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(self._terminal)
        self._output += data
        del self._output[:-65536]

    def _read_console(self):
        try:
            data = self._console.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            self._selector.unregister(self._console)
        self.console += data

    def read(self, timeout, other=None):
        """What has arrived on the serial line: b"" after timeout seconds, or as soon as the
        descriptor `other` is readable; None at the line's end."""
        if other is not None:
            self._selector.register(other, selectors.EVENT_READ, "other")
        try:
            return self._read(time.monotonic() + timeout)
        finally:
            if other is not None:
                self._selector.unregister(other)

    def _read(self, end):
        while True:
            left = end - time.monotonic()
            events = self._selector.select(max(0, left))
            for key, _ in events:
                if key.data == "line":
                    return self._receive()
                if key.data != "other":
                    key.data()
            if left <= 0 or any(key.data == "other" for key, _ in events):
                return b""

    def _receive(self):
        try:
            data = self._line.recv(65536)
        except ConnectionError:
            data = b""
        self.log += data
        return data or None

    def send(self, data):
        try:
            self._line.sendall(data)
        except ConnectionError:
            pass  # read() reports the end

    def traced(self):
        """How many bytes the second serial port has given."""
        port = self.machine.com2
        return port.stat().st_size if port and port.exists() else 0

    def elapsed(self):
        return time.monotonic() - self.started

    def emulator_log(self):
        """The emulator's own log so far, as text."""
        text = self._output.decode(errors="replace")
        log = self._folder / "bochs.log"
        return log.read_text(errors="replace") if log.exists() else text

    def everything(self):
        """All logs in one, as bytes; of the emulator's the end."""
        host = b"\n---- the host's console ----\n" + self.console if self.console else b""
        own = b"\n---- the emulator's log ----\n" + self.emulator_log()[-20000:].encode()
        return bytes(self.log) + host + own

    def wait(self, timeout):
        """The emulator's exit status, or None when it still runs after timeout seconds."""
        end = time.monotonic() + timeout
        while True:
            status = self._process.poll()
            for key, _ in self._selector.select(0.05):
                if key.data == self._read_terminal:
                    self._read_terminal()
            if status is not None or time.monotonic() >= end:
                return status

    def close(self):
        if self._process and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._selector.close()
        for line in (self._line, self._console):
            if line:
                line.close()
        if self._terminal >= 0:
            os.close(self._terminal)
            self._terminal = -1
        shutil.rmtree(self._folder, ignore_errors=True)


def end_on_signals():
    """SIGTERM and SIGHUP end this program like Ctrl-C does, so that `with` blocks are left."""
    def stop(*_):
        raise KeyboardInterrupt
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, stop)

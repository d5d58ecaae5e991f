# SPDX-License-Identifier: BSD-2-Clause
"""The person's side of a session: their terminal, or pipes, on the serial line."""

import os
import select
import sys
import termios
import time
import tty

from lapwing.markers import CHATTER, ESCAPES, FIRST_WORDS, Story

ESCAPE_KEY = b"\x01"  # Ctrl-A
END_OF_INPUT = b"\x04"  # Ctrl-D
PROMPTS = ("# ", "$ ")
TAIL = 64  # bytes of output in which a prompt is looked for
LAST_WORDS = 10  # seconds of silence after all was said, in which the emulator may end by itself


class Quit(Exception):
    """The person typed Ctrl-A x."""


def _ready(fileno):
    return bool(select.select([fileno], [], [], 0)[0])


class Keys:
    """A terminal in raw mode: every key goes to the guest, but for Ctrl-A and what follows it."""

    def __init__(self):
        self._fileno = sys.stdin.fileno()
        self._saved = None
        self._escaped = False
        self._typed = b""

    def __enter__(self):
        self._saved = termios.tcgetattr(self._fileno)
        tty.setraw(self._fileno)
        # Our own messages still want their line ends translated.
        raw = termios.tcgetattr(self._fileno)
        raw[1] |= termios.OPOST
        termios.tcsetattr(self._fileno, termios.TCSANOW, raw)
        return self

    def __exit__(self, *_):
        termios.tcsetattr(self._fileno, termios.TCSADRAIN, self._saved)

    def watch(self, _):
        """The descriptor that has news for take()."""
        return self._fileno

    def take(self, tail):
        """What goes to the guest now. Keys typed before the guest runs are kept for it: the
        firmware would take them as a wish to see its menu."""
        if _ready(self._fileno):
            self._read()
        if tail is None:
            return b""
        typed, self._typed = self._typed, b""
        return typed

    def _read(self):
        data = os.read(self._fileno, 4096)
        if not data:
            raise Quit
        for key in (data[i:i + 1] for i in range(len(data))):
            if self._escaped:
                self._escaped = False
                if key in (b"x", b"X"):
                    raise Quit
                self._typed += key if key == ESCAPE_KEY else ESCAPE_KEY + key
            elif key == ESCAPE_KEY:
                self._escaped = True
            else:
                self._typed += key


class Lines:
    """Standard input that is no terminal: a line goes out when the guest shows a prompt, so that
    a script need not know how long the guest takes. Its end is Ctrl-D at the prompt."""

    def __init__(self):
        self._fileno = sys.stdin.fileno()
        self._input = b""
        self._ended = False
        self._answered = None  # the prompt that was answered last

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def _at_prompt(self, tail):
        return (tail is not None and tail != self._answered and
                ESCAPES.sub("", tail.decode(errors="replace")).endswith(PROMPTS))

    def watch(self, tail):
        waiting = self._at_prompt(tail) and not self._ended and b"\n" not in self._input
        return self._fileno if waiting else None

    def take(self, tail):
        if not self._at_prompt(tail):
            return b""
        if self.watch(tail) is not None and _ready(self._fileno):
            data = os.read(self._fileno, 4096)
            self._input += data
            self._ended = not data
        line, newline, rest = self._input.partition(b"\n")
        if not newline and not self._ended:
            return b""
        self._input = rest
        self._answered = tail
        return line + newline or END_OF_INPUT


class Conversation:
    """Connects the person to a session until all is said."""

    def __init__(self, session, quiet=False):
        self._session = session
        self._quiet = quiet  # show what guests print, not what Lapwing does
        self._keys = Keys() if sys.stdin.isatty() else Lines()
        self._shown = None  # how much of session.log the person saw; None: still firmware
        self.story = Story()

    def run(self):
        """Returns when the emulator ended or Lapwing is done. Raises Quit."""
        with self._keys:
            while self._step():
                pass
            if self._shown is None:
                self._clear_progress()

    def _step(self):
        session = self._session
        tail = bytes(session.log[-TAIL:]) if self.story.started else None
        data = session.read(0.2, self._keys.watch(tail))
        self._show()
        if data is None:
            return False
        if self.story.over():
            self._last_words()
            return False
        if not data:
            session.send(self._keys.take(tail))
        return True

    def _show(self):
        """Lapwing's output from its first line on; what the firmware prints is only logged."""
        log = self._session.log
        if self._shown is None:
            match = FIRST_WORDS.search(log)
            if not match:
                self._progress()
                return
            self._clear_progress()
            self._shown = match.start()
        new = bytes(log[self._shown:])
        self._shown = len(log)
        lines = self.story.feed(new)
        if self._quiet:
            new = "".join(f"{line}\n" for line in lines if not CHATTER.match(line)).encode()
        sys.stdout.buffer.write(new)
        sys.stdout.buffer.flush()

    def _last_words(self):
        traced = self._session.traced()
        end = time.monotonic() + LAST_WORDS
        while time.monotonic() < end:
            data = self._session.read(1)
            self._show()
            if data is None:
                return
            if data or self._session.traced() != traced:
                traced = self._session.traced()
                end = time.monotonic() + LAST_WORDS

    def _progress(self):
        if sys.stderr.isatty():
            print(f"\r{self._session.emulator.title}: the firmware is starting, "
                  f"{self._session.elapsed():.0f} s ", end="", file=sys.stderr, flush=True)

    @staticmethod
    def _clear_progress():
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

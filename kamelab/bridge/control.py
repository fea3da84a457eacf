"""The control socket: console lines from other programs into a running lab.

A Unix stream socket that only its owner may use. Clients send lines of JSON and get one line back for each
(`kamelab.bridge.client` has the form); several clients may be connected, each may send several lines one after another.
Answers leave in the order of a client's requests. What the requests do is the loop's business (`realtime`).
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import stat
from collections.abc import Callable
from typing import Any

import msgspec

from kamelab.bridge.port import BridgeError

READ = 65536
LINE_MAX = 1 << 20
"""Octets that a request may have."""
ANSWERS_MAX = 64 << 20
"""Octets of answers that may wait for a client that does not read."""
PATH_MAX = 104
"""Octets of a socket's path, with its end, on the tightest system (4.4BSD)."""

Reply = Callable[[str, str, int], None]
"""Takes output, messages, status."""


class Want(msgspec.Struct, frozen=True):
    """A request as it comes."""

    line: str


class Client:
    """One connection."""

    def __init__(self, server: ControlServer, sock: socket.socket) -> None:
        self.server = server
        self.sock = sock
        self.gone = False
        self._in = bytearray()
        self._out = bytearray()

    def ready(self, events: int) -> None:
        """The socket can be read or written."""
        if self.gone:
            return
        if events & selectors.EVENT_WRITE:
            self._flush()
        if events & selectors.EVENT_READ and not self.gone:
            self._read()

    def _read(self) -> None:
        try:
            data = self.sock.recv(READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.hang_up()
            return
        self._in += data
        while not self.gone:
            line, newline, rest = self._in.partition(b"\n")
            if not newline:
                if len(self._in) > LINE_MAX:
                    self.answer("", f"kamelab: a request has at most {LINE_MAX} octets\n", 2)
                    self.hang_up()
                return
            self._in = rest
            self._take(bytes(line))

    def _take(self, line: bytes) -> None:
        try:
            want = msgspec.json.decode(line, type=Want)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            self.answer("", f'kamelab: expected {{"line": "..."}}: {error}\n', 2)
            return
        self.server.asked(self, want.line)

    def answer(self, output: str, messages: str, status: int) -> None:
        """Send an answer; nothing where the client is gone."""
        if self.gone:
            return
        tree: dict[str, Any] = {"output": output, "messages": messages, "status": status}
        self._out += msgspec.json.encode(tree) + b"\n"
        self._flush()
        if len(self._out) > ANSWERS_MAX:
            self.hang_up()

    def _flush(self) -> None:
        try:
            while self._out:
                del self._out[: self.sock.send(self._out)]
        except BlockingIOError:
            pass
        except OSError:
            self.hang_up()
            return
        if not self.gone:
            self.server.selector.modify(
                self.sock, selectors.EVENT_READ | (selectors.EVENT_WRITE if self._out else 0), self.ready
            )

    def hang_up(self) -> None:
        """The connection ends."""
        if self.gone:
            return
        self.gone = True
        self.server.selector.unregister(self.sock)
        self.sock.close()
        self.server.clients.remove(self)
        self.server.left(self)


class ControlServer:
    """Listens on ``path``; ``asked(client, line)`` hears every request, ``left(client)`` every end of a connection."""

    def __init__(
        self,
        path: str,
        selector: selectors.BaseSelector,
        asked: Callable[[Client, str], None],
        left: Callable[[Client], None],
    ) -> None:
        """Raises BridgeError: the path is taken, too long, or can't be made."""
        self.path = path
        self.selector = selector
        self.asked = asked
        self.left = left
        self.clients: list[Client] = []
        self._sock = _listen(path)
        self._made = os.stat(path).st_ino
        selector.register(self._sock, selectors.EVENT_READ, self._accept)

    def _accept(self, events: int) -> None:
        try:
            sock, _ = self._sock.accept()
        except OSError:
            return
        sock.setblocking(False)
        client = Client(self, sock)
        self.clients.append(client)
        self.selector.register(sock, selectors.EVENT_READ, client.ready)

    def close(self) -> None:
        """Hang up on everybody and take the socket's file away, if it is still ours."""
        for client in list(self.clients):
            client.hang_up()
        self.selector.unregister(self._sock)
        self._sock.close()
        try:
            if os.stat(self.path).st_ino == self._made:
                os.unlink(self.path)
        except OSError:
            pass


def _listen(path: str) -> socket.socket:
    if not hasattr(socket, "AF_UNIX"):
        raise BridgeError("a control socket needs a system with Unix sockets")
    if len(os.fsencode(path)) >= PATH_MAX:
        raise BridgeError(f"{path}: a socket's path has at most {PATH_MAX - 1} octets")
    _clear(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        # Others may not even connect between bind and chmod: nobody can before listen.
        sock.bind(path)
        os.chmod(path, 0o600)
        sock.listen(64)
    except OSError as error:
        sock.close()
        raise BridgeError(f"{path}: no control socket can be made there: {error.strerror}") from None
    return sock


def _clear(path: str) -> None:
    """Take away the socket that a lab which ended badly left. Raises BridgeError where something else is there."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return
    if not stat.S_ISSOCK(mode):
        raise BridgeError(f"{path}: there is already something that is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError as error:
            if error.errno == errno.ECONNREFUSED:
                try:
                    os.unlink(path)
                except OSError as refused:
                    raise BridgeError(f"{path}: a dead socket is there: {refused.strerror}") from None
                return
            raise BridgeError(f"{path}: {error.strerror}") from None
    raise BridgeError(f"{path}: another lab listens there")

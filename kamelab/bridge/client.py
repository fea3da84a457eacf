"""The caller's end of a control socket. Loads nothing of the engine: `kamelab exec` has to be quick.

One request, one answer, each a line of JSON: ``{"line": "h1: ndp -an"}``, then
``{"output": "...", "messages": "...", "status": 0}``. ``output`` is what programs printed, ``messages`` are kamelab's
own words. Hanging up before the answer interrupts the line, as ^C would.
"""

from __future__ import annotations

import json
import socket
from typing import NamedTuple

READ = 65536


class Answer(NamedTuple):
    """What became of a line."""

    output: str
    messages: str
    status: int


class ControlError(Exception):
    """No answer, with the reason in one sentence."""


def ask(path: str, line: str) -> Answer:
    """Have a running lab run one console line; waits as long as the line takes. Raises ControlError."""
    if not hasattr(socket, "AF_UNIX"):
        raise ControlError("control sockets need a system with Unix sockets")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        try:
            sock.connect(path)
            sock.sendall(json.dumps({"line": line}).encode() + b"\n")
            data = bytearray()
            while not data.endswith(b"\n"):
                piece = sock.recv(READ)
                if not piece:
                    raise ControlError(f"{path}: the lab ended before it answered")
                data += piece
        except FileNotFoundError:
            raise ControlError(
                f"{path}: no such control socket: start a lab with 'kamelab run LAB --realtime --control {path}'"
            ) from None
        except ConnectionRefusedError:
            raise ControlError(f"{path}: nobody answers there: the lab that made this socket has ended") from None
        except OSError as error:
            raise ControlError(f"{path}: {error.strerror or error}") from None
    try:
        tree = json.loads(data)
        return Answer(str(tree["output"]), str(tree["messages"]), int(tree["status"]))
    except (ValueError, KeyError, TypeError):
        raise ControlError(f"{path}: that is no control socket of kamelab") from None

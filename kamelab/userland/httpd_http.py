"""HTTP/1.0 and 1.1 as `httpd` speaks it: a request out of octets, a response's head (RFC 9110, RFC 9112).

Left out: chunked bodies, ranges, conditions, trailers, HTTP/0.9.
"""

from __future__ import annotations

import zlib
from hashlib import sha256
from typing import Final, NamedTuple

from kamelab.core.clock import SECOND
from kamelab.userland.ctime import ctime

REASONS: Final = {
    100: "Continue",
    200: "OK",
    301: "Moved Permanently",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    411: "Length Required",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
    501: "Not Implemented",
    505: "HTTP Version Not Supported",
}
METHODS: Final = ("GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH")
HEAD_LIMIT: Final = 8192
"""Octets of a request before its body."""
LINE: Final = 16
"""Octets of a line of the generated body."""

_TOKEN: Final = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_TYPES: Final = {"html": "text/html", "htm": "text/html", "css": "text/css", "js": "text/javascript"}


class BadRequest(Exception):
    """``status`` tells what to answer; the connection can't go on."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Request(NamedTuple):
    """A request without its body."""

    method: str
    target: str
    """The path, percent-encoding undone, without the query."""
    version: str
    """``HTTP/1.0`` or ``HTTP/1.1``."""
    length: int
    """Octets of body that follow."""
    keep: bool
    """Whether the connection may go on afterwards."""
    expects: bool
    """It waits for 100 Continue before it sends its body."""
    line: str
    """The request line, for the log."""


def head_end(data: bytes) -> int:
    """Where a request's head ends, behind its empty line; 0 where that has not come. Raises BadRequest."""
    found = [at + len(mark) for mark in (b"\r\n\r\n", b"\n\n") if (at := data.find(mark)) >= 0]
    end = min(found, default=0)
    if end > HEAD_LIMIT or (not end and len(data) >= HEAD_LIMIT):
        raise BadRequest(431)
    return end


def parse(head: bytes) -> Request:
    """A request's head. Raises BadRequest."""
    lines = head.decode("latin-1").replace("\r\n", "\n").strip("\n").split("\n")
    words = lines[0].split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/") or not _is_token(words[0]):
        raise BadRequest(400)
    method, target, version = words
    if version not in ("HTTP/1.0", "HTTP/1.1"):
        raise BadRequest(505 if version[5:6].isdigit() else 400)
    fields = _fields(lines[1:])
    if version == "HTTP/1.1" and len(fields.get("host", ())) != 1:
        raise BadRequest(400)
    if "transfer-encoding" in fields:
        raise BadRequest(411)
    lengths = set(fields.get("content-length", ["0"]))
    length = lengths.pop()
    if lengths or not (length.isascii() and length.isdigit() and len(length) < 16):
        raise BadRequest(400)
    if method not in METHODS:
        raise BadRequest(501)
    options = {one.strip().lower() for value in fields.get("connection", ()) for one in value.split(",")}
    keep = "close" not in options and (version == "HTTP/1.1" or "keep-alive" in options)
    expects = version == "HTTP/1.1" and "100-continue" in (value.lower() for value in fields.get("expect", ()))
    return Request(method, _path(target), version, int(length), keep, expects, lines[0])


def _is_token(text: str) -> bool:
    return bool(text) and all(ord(letter) < 128 and ord(letter) in _TOKEN for letter in text)


def _fields(lines: list[str]) -> dict[str, list[str]]:
    """Values by name in lower case. Raises BadRequest."""
    fields: dict[str, list[str]] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not _is_token(name):
            raise BadRequest(400)
        fields.setdefault(name.lower(), []).append(value.strip(" \t"))
    return fields


def _path(target: str) -> str:
    """The path of a request's target, in origin or absolute form. Raises BadRequest."""
    if target.lower().startswith("http://"):
        target = "/" + target[7:].partition("/")[2]
    path = target.partition("?")[0].partition("#")[0]
    if not path.startswith("/"):
        if path == "*":
            return path
        raise BadRequest(400)
    out = bytearray()
    at = 0
    while at < len(path):
        if path[at] == "%":
            digits = path[at + 1 : at + 3]
            if len(digits) < 2 or any(digit not in "0123456789abcdefABCDEF" for digit in digits):
                raise BadRequest(400)
            out.append(int(digits, 16))
            at += 3
        else:
            out += path[at].encode("latin-1")
            at += 1
    if 0 in out:
        raise BadRequest(400)
    return out.decode("utf-8", "surrogateescape")


def response(status: int, wall: int, length: int, *, keep: bool, fields: tuple[tuple[str, str], ...] = ()) -> bytes:
    """A response's head; ``wall`` is the time in ns since 1970."""
    lines = [
        f"HTTP/1.1 {status} {REASONS[status]}",
        f"Date: {date(wall)}",
        "Server: kamelab-httpd",
        *(f"{name}: {value}" for name, value in fields),
        f"Content-Length: {length}",
        f"Connection: {'keep-alive' if keep else 'close'}",
    ]
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1")


def date(wall: int) -> str:
    """``Mon, 14 Feb 2000 10:00:00 GMT`` (RFC 9110 5.6.7)."""
    day, month, number, clock, year = ctime(wall // SECOND * SECOND).split()
    return f"{day}, {int(number):02d} {month} {year} {clock} GMT"


def content_type(path: str) -> str:
    """By the name's ending; a lab's files are text."""
    return _TYPES.get(path.rpartition(".")[2], "text/plain") + "; charset=utf-8"


def escape(text: str) -> str:
    """Text inside HTML."""
    for mark, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(mark, entity)
    return text


def pattern(offset: int, size: int) -> bytes:
    """``size`` octets from ``offset`` of the generated body: lines of 16 octets, each its own offset in decimal."""
    first = offset // LINE
    last = (offset + size + LINE - 1) // LINE
    text = b"".join(b"%015d\n" % (line * LINE) for line in range(first, last))
    start = offset - first * LINE
    return text[start : start + size]


def checksums(length: int) -> tuple[str, str]:
    """(CRC-32, SHA-256) in hex of a generated body."""
    crc, digest = 0, sha256()
    for at in range(0, length, 1 << 16):
        block = pattern(at, min(1 << 16, length - at))
        crc = zlib.crc32(block, crc)
        digest.update(block)
    return f"{crc:08x}", digest.hexdigest()

"""Errors with which system calls answer: BSD's numbers, names and words.

The words are those that 4.4BSD's ``strerror`` prints, because programs show them
(``ping6: sendmsg: No route to host``).
"""

from __future__ import annotations

EPERM = 1
ENOENT = 2
ESRCH = 3
EINTR = 4
EIO = 5
ENXIO = 6
EBADF = 9
ECHILD = 10
EACCES = 13
EBUSY = 16
EEXIST = 17
ENOTDIR = 20
EISDIR = 21
EINVAL = 22
ENOTTY = 25
EPIPE = 32
EAGAIN = 35
EINPROGRESS = 36
EALREADY = 37
EMSGSIZE = 40
ENOPROTOOPT = 42
EPROTONOSUPPORT = 43
EOPNOTSUPP = 45
EAFNOSUPPORT = 47
EADDRINUSE = 48
EADDRNOTAVAIL = 49
ENETDOWN = 50
ENETUNREACH = 51
ECONNABORTED = 53
ECONNRESET = 54
ENOBUFS = 55
EISCONN = 56
ENOTCONN = 57
ETIMEDOUT = 60
ECONNREFUSED = 61
EHOSTDOWN = 64
EHOSTUNREACH = 65
EDQUOT = 69

_WORDS: dict[int, tuple[str, str]] = {
    EPERM: ("EPERM", "Operation not permitted"),
    ENOENT: ("ENOENT", "No such file or directory"),
    ESRCH: ("ESRCH", "No such process"),
    EINTR: ("EINTR", "Interrupted system call"),
    EIO: ("EIO", "Input/output error"),
    ENXIO: ("ENXIO", "Device not configured"),
    EBADF: ("EBADF", "Bad file descriptor"),
    ECHILD: ("ECHILD", "No child processes"),
    EACCES: ("EACCES", "Permission denied"),
    EBUSY: ("EBUSY", "Device busy"),
    EEXIST: ("EEXIST", "File exists"),
    ENOTDIR: ("ENOTDIR", "Not a directory"),
    EISDIR: ("EISDIR", "Is a directory"),
    EINVAL: ("EINVAL", "Invalid argument"),
    ENOTTY: ("ENOTTY", "Inappropriate ioctl for device"),
    EPIPE: ("EPIPE", "Broken pipe"),
    EAGAIN: ("EAGAIN", "Resource temporarily unavailable"),
    EINPROGRESS: ("EINPROGRESS", "Operation now in progress"),
    EALREADY: ("EALREADY", "Operation already in progress"),
    EMSGSIZE: ("EMSGSIZE", "Message too long"),
    ENOPROTOOPT: ("ENOPROTOOPT", "Protocol not available"),
    EPROTONOSUPPORT: ("EPROTONOSUPPORT", "Protocol not supported"),
    EOPNOTSUPP: ("EOPNOTSUPP", "Operation not supported"),
    EAFNOSUPPORT: ("EAFNOSUPPORT", "Address family not supported by protocol family"),
    EADDRINUSE: ("EADDRINUSE", "Address already in use"),
    EADDRNOTAVAIL: ("EADDRNOTAVAIL", "Can't assign requested address"),
    ENETDOWN: ("ENETDOWN", "Network is down"),
    ENETUNREACH: ("ENETUNREACH", "Network is unreachable"),
    ECONNABORTED: ("ECONNABORTED", "Software caused connection abort"),
    ECONNRESET: ("ECONNRESET", "Connection reset by peer"),
    ENOBUFS: ("ENOBUFS", "No buffer space available"),
    EISCONN: ("EISCONN", "Socket is already connected"),
    ENOTCONN: ("ENOTCONN", "Socket is not connected"),
    ETIMEDOUT: ("ETIMEDOUT", "Operation timed out"),
    ECONNREFUSED: ("ECONNREFUSED", "Connection refused"),
    EHOSTDOWN: ("EHOSTDOWN", "Host is down"),
    EHOSTUNREACH: ("EHOSTUNREACH", "No route to host"),
    EDQUOT: ("EDQUOT", "Disc quota exceeded"),
}


def errno_name(number: int) -> str:
    """``EHOSTUNREACH`` for 65; ``E65`` for a number that has no name here."""
    return _WORDS.get(number, (f"E{number}", ""))[0]


def strerror(number: int) -> str:
    """BSD's words for an error number."""
    return _WORDS.get(number, ("", f"Unknown error: {number}"))[1]


class Errno(Exception):
    """A system call's refusal. ``number`` is one of the constants above."""

    def __init__(self, number: int, detail: str = "") -> None:
        super().__init__(number, detail)
        self.number = number
        self.detail = detail

    def __str__(self) -> str:
        return strerror(self.number)


class KamelabError(Exception):
    """A fault that is kamelab's user's to mend: the message says what to do."""

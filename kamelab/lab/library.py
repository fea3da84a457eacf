"""Finding labs: those that come with kamelab, and files.

A shipped lab is called by its file's stem, with or without its number: `demo` is `00-demo`. The wheel carries the
labs as `kamelab/_labs`; a checkout has them in its top-level `labs/`. Left out: sessions and the user's own
collections.
"""

from __future__ import annotations

import re
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import NamedTuple

from kamelab.lab.reading import LabError, Problem
from kamelab.lab.suggest import did_you_mean

_NUMBER = re.compile(r"[0-9]+-")


class LabSource(NamedTuple):
    """A lab file that was found, not yet read as a lab."""

    name: str
    """The file's stem."""
    path: str
    """The file, as messages name it."""
    text: str


class LabNotFound(FileNotFoundError):
    """There is no such file and no shipped lab of that name; the message proposes the nearest one."""


def short_name(name: str) -> str:
    """A lab's name without its number: `demo` for `00-demo`."""
    return _NUMBER.sub("", name, count=1)


def find_lab(path_or_name: str) -> LabSource:
    """The lab file at a path, or the shipped lab of a name.

    What has a path separator or ends in `.toml` is a path; a shipped name wins over a file of the same name.
    Raises LabNotFound if there is neither, OSError if a file can't be read, LabError if it is no UTF-8 text.
    """
    path = Path(path_or_name)
    if not _looks_like_a_path(path_or_name):
        shipped = _shipped()
        for name, entry in shipped.items():
            if path_or_name in (name, short_name(name)):
                return _source(name, entry)
        if not path.is_file():
            names = [*shipped, *map(short_name, shipped)]
            hint = did_you_mean(path_or_name, names)
            raise LabNotFound(f"no lab or file is called {path_or_name!r}{hint}")
    if not path.exists():
        siblings = [entry.name for entry in path.parent.glob("*.toml")] if path.parent.is_dir() else []
        raise LabNotFound(f"no such file: {path_or_name}{did_you_mean(path.name, siblings)}")
    return LabSource(path.stem, path_or_name, _decode(path.read_bytes(), path_or_name))


def list_labs() -> tuple[LabSource, ...]:
    """The shipped labs in the order of their names.

    Raises LabError if one is no UTF-8 text.
    """
    return tuple(_source(name, entry) for name, entry in _shipped().items())


def _looks_like_a_path(text: str) -> bool:
    return "/" in text or "\\" in text or text.endswith(".toml")


def _shipped() -> dict[str, Traversable]:
    """Stem to file, sorted."""
    package = resources.files("kamelab")
    folder = package / "_labs"
    if not folder.is_dir():
        # Not an installed wheel: the checkout that this file lies in.
        folder = Path(__file__).resolve().parents[2] / "labs"
    if not folder.is_dir():
        return {}
    found = {entry.name.removesuffix(".toml"): entry for entry in folder.iterdir() if entry.name.endswith(".toml")}
    return dict(sorted(found.items()))


def _source(name: str, entry: Traversable) -> LabSource:
    # The folder differs from machine to machine; messages and sessions must not.
    path = f"labs/{entry.name}"
    return LabSource(name, path, _decode(entry.read_bytes(), path))


def _decode(data: bytes, path: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        octet = data[error.start]
        problem = Problem(path, line, "syntax", f"expected text in UTF-8, the octet 0x{octet:02x} here is none")
        raise LabError([problem]) from None

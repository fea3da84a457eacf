"""A node's small file system: a dict from absolute path to text.

Directories are not stored: a path's parents exist, and `DIRECTORIES` always do. /dev/null swallows and is empty.
"""

from __future__ import annotations

from kamelab.core.errors import EISDIR, ENOENT, ENOTDIR, EPERM, Errno

DIRECTORIES = ("/", "/dev", "/etc", "/tmp", "/var", "/var/log", "/var/run")
NULL = "/dev/null"


def absolute(path: str) -> str:
    """``path`` from the root, without ``.``, ``..`` and empty parts; Errno ENOENT for the empty path."""
    if not path:
        raise Errno(ENOENT)
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def is_directory(files: dict[str, str], path: str) -> bool:
    """Whether the absolute path is a directory."""
    return path in DIRECTORIES or any(name.startswith(path + "/") for name in files)


def exists(files: dict[str, str], path: str) -> bool:
    """Whether there is a file or directory."""
    if not path:
        return False
    path = absolute(path)
    return path == NULL or path in files or is_directory(files, path)


def read(files: dict[str, str], path: str) -> str:
    """A file's text. Errno: ENOENT, EISDIR."""
    path = absolute(path)
    if path == NULL:
        return ""
    if path in files:
        return files[path]
    raise Errno(EISDIR if is_directory(files, path) else ENOENT, path)


def write(files: dict[str, str], path: str, text: str, append: bool = False) -> None:
    """Write or append. Errno: EISDIR, ENOTDIR where a parent is a file."""
    path = absolute(path)
    if path == NULL:
        return
    if is_directory(files, path):
        raise Errno(EISDIR, path)
    parent = path
    while parent := parent.rpartition("/")[0]:
        if parent in files or parent == NULL:
            raise Errno(ENOTDIR, parent)
    if append:
        # The only reference: CPython can then extend the text in place, which long logs and downloads need.
        old, files[path] = files.get(path, ""), ""
        old += text
        text = old
    files[path] = text


def unlink(files: dict[str, str], path: str) -> None:
    """Remove a file. Errno: ENOENT; EPERM for directories and /dev/null."""
    path = absolute(path)
    if path in files:
        del files[path]
    else:
        raise Errno(EPERM if path == NULL or is_directory(files, path) else ENOENT, path)


def listing(files: dict[str, str], path: str) -> tuple[str, ...]:
    """Names in a directory, sorted, directories with a slash behind. Errno: ENOENT, ENOTDIR."""
    path = absolute(path)
    if not is_directory(files, path):
        raise Errno(ENOTDIR if path in files or path == NULL else ENOENT, path)
    prefix = path.rstrip("/") + "/"
    names = {NULL, *files}
    found = {
        rest if not behind else rest + "/"
        for name in names
        if name.startswith(prefix)
        for rest, behind, _ in [name[len(prefix) :].partition("/")]
    }
    found |= {
        name[len(prefix) :].partition("/")[0] + "/"
        for name in DIRECTORIES
        if name.startswith(prefix) and name != prefix
    }
    return tuple(sorted(found))

"""ls, rm and cp over the node's small file system."""

from __future__ import annotations

from kamelab.core.errors import EISDIR, ENOENT, ENOTDIR, Errno
from kamelab.userland.getopt import GetoptError, getopt
from kamelab.userland.octets import encoded
from kamelab.userland.proc import Proc

LS_USAGE = "usage: ls [-1adl] [file ...]\n"
RM_USAGE = "usage: rm [-f] file ...\n"
CP_USAGE = "usage: cp source_file target_file\n       cp source_file ... target_directory\n"


def _listing(proc: Proc, path: str, names: tuple[str, ...], long: bool) -> str:
    """Names, one a line; ``long`` with their sizes in octets."""
    out: list[str] = []
    for name in names:
        plain = name.rstrip("/")
        if not long:
            out.append(plain)
        elif name != plain:
            out.append(f"drwxr-xr-x  root  wheel  {0:>8}  {plain}")
        else:
            size = len(encoded(proc.read_file(f"{path}/{name}" if path else name)))
            out.append(f"-rw-r--r--  root  wheel  {size:>8}  {name}")
    return "".join(line + "\n" for line in out)


async def ls(proc: Proc, argv: list[str]) -> int:
    """ls(1): one name a line, a file's own or a directory's contents; ``-l`` with sizes, ``-d`` directories by name."""
    try:
        options, names = getopt(argv, "1adl")
    except GetoptError as error:
        proc.error(f"ls: {error}\n{LS_USAGE}")
        return 1
    long = ("-l", "") in options
    status = 0
    plain: list[str] = []
    folders: list[tuple[str, tuple[str, ...]]] = []
    for name in names or ["/"]:
        try:
            if ("-d", "") in options and proc.exists(name):
                proc.listdir(name)
                plain.append(name.rstrip("/") + "/")
            else:
                folders.append((name, proc.listdir(name)))
        except Errno as error:
            if error.number == ENOTDIR:
                plain.append(name)
            else:
                proc.error(f"ls: {name}: {error}\n")
                status = 1
    proc.write(_listing(proc, "", tuple(plain), long))
    for place, (name, content) in enumerate(folders):
        if len(names) > 1:
            proc.write(("\n" if place or plain else "") + f"{name}:\n")
        proc.write(_listing(proc, name, content, long))
    return status


async def rm(proc: Proc, argv: list[str]) -> int:
    """rm(1): ``-f`` says nothing about files that are not there."""
    try:
        options, names = getopt(argv, "f")
    except GetoptError as error:
        proc.error(f"rm: {error}\n{RM_USAGE}")
        return 1
    force = ("-f", "") in options
    if not names and not force:
        proc.error(RM_USAGE)
        return 1
    status = 0
    for name in names:
        try:
            proc.unlink(name)
        except Errno as error:
            if not (force and error.number == ENOENT):
                proc.error(f"rm: {name}: {error}\n")
                status = 1
    return status


def _is_directory(proc: Proc, path: str) -> bool:
    try:
        proc.listdir(path)
    except Errno:
        return False
    return True


async def cp(proc: Proc, argv: list[str]) -> int:
    """cp(1): a file to a file, or files into a directory."""
    sources, target = argv[1:-1], argv[-1]
    if not sources or argv[1].startswith("-"):
        proc.error(CP_USAGE)
        return 1
    into = _is_directory(proc, target)
    if len(sources) > 1 and not into:
        proc.error(f"cp: {target}: {Errno(ENOTDIR)}\n")
        return 1
    status = 0
    for source in sources:
        try:
            text = proc.read_file(source)
        except Errno as error:
            said = "is a directory (not copied)." if error.number == EISDIR else str(error)
            proc.error(f"cp: {source}: {said}\n" if error.number != EISDIR else f"cp: {source} {said}\n")
            status = 1
            continue
        path = f"{target.rstrip('/')}/{source.rpartition('/')[2]}" if into else target
        try:
            proc.write_file(path, text)
        except Errno as error:
            proc.error(f"cp: {path}: {error}\n")
            status = 1
    return status

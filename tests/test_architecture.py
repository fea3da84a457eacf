"""The house is cut as CONTRIBUTING.md says: the engine runs without a screen, a wall clock or state of its own.

The import contract itself is in pyproject.toml and is run by `make check`. Here stands what it can't see: what is
really loaded, what is called, and what a module keeps between two labs.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "kamelab"
NODE_LAYERS = ("wire", "core", "stack", "sim", "userland")
ENGINE_LAYERS = (*NODE_LAYERS, "capture", "lab")

SCREEN = ("textual", "rich", "scapy", "click", "asyncio")
"""Packages that no engine module may load, not even through a library."""

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
OUTSIDE = frozenset(
    module
    for contract in PYPROJECT["tool"]["importlinter"]["contracts"]
    if "kamelab.wire" in contract.get("source_modules", ())
    for module in contract["forbidden_modules"]
)
"""Modules that bring the host's clock, chance, threads, network or screen: the list of the import contract."""

MUTABLE_CALLS = frozenset(
    ["list", "dict", "set", "bytearray", "defaultdict", "OrderedDict", "Counter", "deque", "count", "cycle"]
)
MUTATORS = frozenset(
    [
        "add",
        "append",
        "appendleft",
        "clear",
        "discard",
        "extend",
        "insert",
        "pop",
        "popitem",
        "popleft",
        "remove",
        "reverse",
        "setdefault",
        "sort",
        "update",
    ]
)
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def modules(*layers: str) -> list[Path]:
    """The source files of some layers, of all without arguments."""
    folders = [PACKAGE / layer for layer in layers] or [PACKAGE]
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def dotted(path: Path) -> str:
    """The import name of a source file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def findings(paths: list[Path], check: Callable[[ast.Module], Iterator[tuple[int, str]]]) -> list[str]:
    """What `check` finds in each file, as `file:line: what`."""
    return [
        f"{path.relative_to(ROOT)}:{line}: {what}"
        for path in paths
        for line, what in check(ast.parse(path.read_text(encoding="utf-8")))
    ]


def imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every name that an import statement anywhere in the file loads."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.lineno, node.module or ""


# -- what is loaded ------------------------------------------------------------------------------------------------

PROBE = """
import importlib, json, sys
names, banned = json.load(sys.stdin)
guilty = {}
for name in names:
    importlib.import_module(name)
    for package in banned:
        if package in sys.modules:
            guilty.setdefault(package, name)
json.dump(guilty, sys.stdout)
"""


@pytest.mark.parametrize("layer", ENGINE_LAYERS)
def test_engine_layer_loads_no_screen(layer: str) -> None:
    """A fresh interpreter that has imported every module of the layer has met no screen library and no event loop."""
    names = [dotted(path) for path in modules(layer)]
    probe = subprocess.run(
        [sys.executable, "-c", PROBE], input=json.dumps([names, SCREEN]), cwd=ROOT, capture_output=True, text=True
    )
    assert probe.returncode == 0, probe.stderr
    assert json.loads(probe.stdout) == {}, "package: the module whose import brought it"


def test_version_loads_neither_screen_nor_parser() -> None:
    """`kamelab --version` answers at once: it loads no screen library, no grammar parser and no node."""
    said = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "kamelab", "--version"], cwd=ROOT, capture_output=True, text=True
    )
    log = [line for line in said.stderr.splitlines() if line.startswith("import time:")]
    assert said.returncode == 0, said.stderr.splitlines()[len(log) :]
    assert re.search(r"\b\d+\.\d+\.\d+\b", said.stdout)
    loaded = {line.rpartition("|")[2].strip() for line in log}
    assert "click" in loaded, "the import log was not understood"
    heavy = {"textual", "rich", "lark", "scapy", "asyncio", "kamelab.stack", "kamelab.userland"}
    assert sorted(loaded & heavy) == []


# -- no outside world ----------------------------------------------------------------------------------------------


def outside_imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for line, name in imported(tree):
        if name.partition(".")[0] in OUTSIDE:
            yield line, f"imports {name}"


def outside_calls(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Calls whose answer depends on the machine, the moment or where an object happens to lie."""
    in_hash = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name == "__hash__"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        if (name == "hash" and id(node) not in in_hash) or name == "id":
            yield node.lineno, f"{name}() differs between two runs"
        elif re.search(r"\b(datetime|date)\.(now|utcnow|today|fromtimestamp)$", name):
            yield node.lineno, f"{name}() reads the host's clock or zone"
        elif name in ("os.urandom", "os.getenv", "os.environ.get", "os.getpid", "print", "input"):
            yield node.lineno, f"{name}() reaches the host"


def test_engine_imports_nothing_of_the_host() -> None:
    """Lower layers import no clock, no chance, no thread, no host socket; typing-only imports count too."""
    assert findings(modules(*ENGINE_LAYERS), outside_imports) == []


def test_engine_asks_nothing_of_the_host() -> None:
    """Lower layers read no wall clock and no environment, print nothing, and decide nothing by hash() or id()."""
    assert findings(modules(*ENGINE_LAYERS), outside_calls) == []


# -- no state in modules -------------------------------------------------------------------------------------------


def is_constant(name: str) -> bool:
    """Whether a name is spelt as a constant: `TABLE`, `_TABLE`, or a dunder such as `__all__`."""
    return bool(re.fullmatch(r"_*[A-Z][A-Z0-9_]*|__\w+__", name))


def is_mutable(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Call):
        return ast.unparse(value.func).rpartition(".")[2] in MUTABLE_CALLS
    return isinstance(value, (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp))


def outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run when the file is loaded: all but the bodies of functions."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, FUNCTION):
            yield child
            yield from outside_functions(child)


def shared_values(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Lists, dicts and sets that all nodes of a process would share, unless spelt as a constant table."""
    for node in outside_functions(tree):
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and is_mutable(node.value):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name) and not is_constant(target.id):
                    yield node.lineno, f"{target.id} is shared by all nodes"


def constants_changed(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """`global` statements, and constant tables that a function changes."""
    for function in ast.walk(tree):
        if not isinstance(function, FUNCTION):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Global):
                yield node.lineno, f"global {', '.join(node.names)}"
                continue
            changed: list[ast.expr] = []
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
                changed = [node.func.value]
            elif isinstance(node, (ast.Assign, ast.Delete)):
                changed = [target.value for target in node.targets if isinstance(target, ast.Subscript)]
            elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Subscript):
                changed = [node.target.value]
            for expression in changed:
                last = ast.unparse(expression).rpartition(".")[2]
                if is_constant(last) and not last.startswith("__"):
                    yield expression.lineno, f"changes the constant {last}"


def endless_caches(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Caches of a function with arguments that never forget: a hostile peer fills them."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and ast.unparse(node.args):
            for decorator in node.decorator_list:
                text = ast.unparse(decorator)
                if re.fullmatch(r"(functools\.)?(cache|lru_cache\((maxsize=)?None.*\))", text):
                    yield node.lineno, f"@{text} on {node.name} has no bound"


def test_modules_keep_no_state() -> None:
    """Two labs in one process can't meet: no module or class of the node's layers holds a container of its own."""
    assert findings(modules(*NODE_LAYERS), shared_values) == []


def test_constants_stay_constant() -> None:
    """No function rebinds a module's name or changes one of its tables."""
    assert findings(modules(*NODE_LAYERS), constants_changed) == []


def test_caches_are_bounded() -> None:
    """Nothing that packets or users can fill grows without end behind a decorator."""
    assert findings(modules(*ENGINE_LAYERS), endless_caches) == []


# -- files ---------------------------------------------------------------------------------------------------------


def test_files_are_read_in_one_sitting() -> None:
    """No file passes 1000 lines; most should stay far below."""
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert {name: lines for name, lines in lengths.items() if lines > 1000} == {}


def test_files_say_what_they_are_for() -> None:
    """Every module opens with a docstring, and every module with code has postponed annotations."""

    def head(tree: ast.Module) -> Iterator[tuple[int, str]]:
        if not ast.get_docstring(tree):
            yield 1, "no module docstring"
        if len(tree.body) > 1 and "__future__" not in {name for _, name in imported(tree)}:
            yield 1, "no `from __future__ import annotations`"

    assert findings(modules(), head) == []


def test_every_folder_is_a_package() -> None:
    """Without its `__init__.py` kamelab would merge with the copy of the labs that an editable install makes."""
    folders = {path.parent for path in modules()} | {PACKAGE}
    assert [str(folder.relative_to(ROOT)) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_coverage_names_what_exists() -> None:
    """Each source file that docs/COVERAGE.md names is there, and each RFC it calls covered names one."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (ROOT / "docs" / "COVERAGE.md").read_text(encoding="utf-8").splitlines()
        if re.match(r"\| (RFC|draft)", line)
    ]
    assert len(rows) > 40
    wrong = []
    for document, *_, status, where in rows:
        named = re.findall(r"`(\w+(?:/\w+)+)`", where)
        if status in ("yes", "part") and not named:
            wrong.append(f"{document}: {status}, but nothing named")
        missing = [name for name in named if not ((PACKAGE / f"{name}.py").exists() or (PACKAGE / name).is_dir())]
        wrong += [f"{document}: {name} is not there" for name in missing]
    assert wrong == []


# -- the finders find ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("check", "source"),
    [
        (outside_imports, "def f():\n    import time"),
        (outside_imports, "from random import choice"),
        (outside_calls, "key = id(object())"),
        (outside_calls, "def f(x):\n    return hash(x)"),
        (outside_calls, "stamp = datetime.datetime.now()"),
        (shared_values, "cache = {}"),
        (shared_values, "if True:\n    seen: set[int] = set()"),
        (shared_values, "class Node:\n    entries = []"),
        (shared_values, "ids = itertools.count(1)"),
        (constants_changed, "def f():\n    global x"),
        (constants_changed, "TABLE = {}\ndef f(k):\n    TABLE[k] = 1"),
        (constants_changed, "TABLE = {}\ndef f(k):\n    mod.TABLE.setdefault(k, 1)"),
        (endless_caches, "@functools.cache\ndef f(x): ..."),
        (endless_caches, "@lru_cache(maxsize=None)\ndef f(x): ..."),
    ],
)
def test_finder_sees_a_breach(check: Callable[[ast.Module], Iterator[tuple[int, str]]], source: str) -> None:
    """The checks above are not empty: each speaks up for a planted breach."""
    assert len(list(check(ast.parse(source)))) == 1


@pytest.mark.parametrize(
    ("check", "source"),
    [
        (outside_imports, "import struct\nfrom . import timers"),
        (outside_calls, "class A:\n    def __hash__(self):\n        return hash(1)"),
        (shared_values, "TABLE = {1: 2}\n_NAMES: list[str] = []\n__all__ = ['x']\ndef f():\n    x = []"),
        (constants_changed, "TABLE = {}\nTABLE[1] = 2\ndef f(self):\n    self.rows[1] = 2"),
        (endless_caches, "@lru_cache(maxsize=256)\ndef f(x): ...\n@cache\ndef g(): ..."),
    ],
)
def test_finder_lets_the_rest_be(check: Callable[[ast.Module], Iterator[tuple[int, str]]], source: str) -> None:
    """What the rules allow is not reported."""
    assert list(check(ast.parse(source))) == []

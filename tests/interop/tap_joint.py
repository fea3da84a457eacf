"""A lab at wall speed in a network namespace, with the namespace's Linux kernel on one of its links."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kamelab.bridge.client import Answer, ask
from kamelab.bridge.preflight import missing

ROOT = Path(__file__).resolve().parent.parent.parent
LINUX_MAC = "02:00:00:00:99:99"
LINUX_ID = "ff:fe00:9999"
LINUX_LL = f"fe80::{LINUX_ID}"


def wait_for(what: str, done: Callable[[], Any], seconds: float = 15.0) -> Any:
    """Poll until something is so. Two kernels on the wall clock give no other sign."""
    deadline = time.monotonic() + seconds
    while True:
        found = done()
        if found:
            return found
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: not within {seconds} s")
        time.sleep(0.05)


class Joint:
    """A lab at wall speed, and a Linux kernel on its link lan1."""

    def __init__(self, folder: Path, lab: str, name: str) -> None:
        self.ns = f"kamelab-{os.getpid()}-{name}"
        self.folder = folder
        self.socket = str(folder / "control")
        self.pcapng = folder / "lab.pcapng"
        self.lab_file = folder / f"{name}.toml"
        self.lab_file.write_text(lab, encoding="utf-8")
        self.log = open(folder / "lab.log", "w")  # noqa: SIM115 - closed with the lab
        self.others: list[subprocess.Popen[str]] = []
        """What has been started, the lab first; all of it ends with us."""
        subprocess.run(["ip", "netns", "add", self.ns], check=True)
        try:
            self.linux("ip", "link", "set", "lo", "up")
            self.linux("ip", "tuntap", "add", "dev", "kl0", "mode", "tap")
            self.linux("ip", "link", "set", "kl0", "address", LINUX_MAC)
            self.lab = self.start(
                sys.executable, "-m", "kamelab", "run", str(self.lab_file), "--realtime", "--tap", "lan1=kl0",
                "--control", self.socket, "--pcapng", str(self.pcapng), output=self.log,
            )  # fmt: skip
            self.others.append(self.lab)
            wait_for("the control socket", lambda: os.path.exists(self.socket) or self.lab.poll() is not None)
            assert self.lab.poll() is None, (folder / "lab.log").read_text()
        except BaseException:
            self.close()
            raise

    def sysctl(self, name: str, value: int) -> None:
        """A variable of the namespace's kernel."""
        self.linux("sh", "-c", f"echo {value} > /proc/sys/net/ipv6/{name}")

    def start(self, *words: str, output: Any = subprocess.DEVNULL) -> subprocess.Popen[str]:
        """A program in the namespace, which goes on."""
        return subprocess.Popen(
            ["ip", "netns", "exec", self.ns, *words], cwd=ROOT, stdout=output, stderr=output, text=True
        )

    def linux(self, *words: str, check: bool = True) -> str:
        """A command in the namespace: its output."""
        done = subprocess.run(
            ["ip", "netns", "exec", self.ns, *words], capture_output=True, text=True, check=False, timeout=150
        )
        if check and done.returncode:
            pytest.fail(f"{' '.join(words)}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def node(self, line: str) -> Answer:
        """A console line in the lab."""
        return ask(self.socket, line)

    def addresses(self) -> dict[str, list[str]]:
        """Linux's addresses on the TAP device, each with its flags."""
        tree = json.loads(self.linux("ip", "-6", "-j", "addr", "show", "dev", "kl0"))
        return {
            one["local"]: [flag for flag in ("tentative", "dadfailed", "dynamic", "deprecated") if one.get(flag)]
            for entry in tree
            for one in entry.get("addr_info", [])
        }

    def ready(self, prefix: str) -> str:
        """Wait until Linux has an address of a prefix that is not tentative."""
        found: str = wait_for(
            f"an address of Linux in {prefix}",
            lambda: next(
                (
                    addr
                    for addr, flags in self.addresses().items()
                    if addr.startswith(prefix) and "tentative" not in flags
                ),
                "",
            ),
        )
        return found

    def defaults(self) -> set[str]:
        """Linux's default routers."""
        tree = json.loads(self.linux("ip", "-6", "-j", "route", "show", "default"))
        routers: set[str] = set()
        for one in tree:
            routers.update(hop["gateway"] for hop in one.get("nexthops", [one]))
        return routers

    def reaches(self, address: str) -> bool:
        """Whether a ping from the Linux kernel comes back."""
        return "1 received" in self.linux("ping", "-6", "-n", "-c", "1", "-W", "1", address, check=False)

    def random_file(self, name: str, size: int) -> Path:
        """A file of ``size`` octets that nobody has seen before."""
        path = self.folder / name
        path.write_bytes(os.urandom(size))
        return path

    def counter(self, node: str, protocol: str, phrase: str) -> int:
        """A row of a node's ``netstat -s -p``: the number before words that match ``phrase``."""
        said = self.node(f"{node}: netstat -s -p {protocol}").output
        found = re.search(rf"^\t(\d+) (?:{phrase})$", said, re.MULTILINE)
        assert found is not None, said
        return int(found[1])

    def stop(self, process: subprocess.Popen[str]) -> None:
        """End a program that we started."""
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def close(self) -> None:
        """End everything, and take the namespace away."""
        for process in reversed(self.others):
            if process.poll() is None:
                self.stop(process)
        self.log.close()
        subprocess.run(["ip", "netns", "del", self.ns], check=False)


def sha256(path: Path) -> str:
    """The digest of a file, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def crc32(path: Path) -> str:
    """The check sum of a file as httpd tells it."""
    return f"{zlib.crc32(path.read_bytes()):08x}"


def need(programs: dict[str, str]) -> None:
    """What this machine lacks is an error, not a reason to be silent. ``programs``: each with its Debian package."""
    if os.geteuid():
        pytest.fail("these tests make network namespaces: run `make interop` as root")
    why = missing("kl0")
    if why:
        pytest.fail(why)
    lacking = sorted({package for program, package in programs.items() if shutil.which(program) is None})
    if lacking:
        pytest.fail(f"missing: apt-get install {' '.join(lacking)}")

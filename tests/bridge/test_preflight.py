"""One sentence says what keeps a TAP device from being opened; UDP options likewise."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from kamelab.bridge.port import BridgeError
from kamelab.bridge.preflight import Host, missing
from kamelab.bridge.tap import open_tap
from kamelab.bridge.udp import open_udp, text, udp_option

ADMIN = 1 << 12


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A Linux machine where all is well: user 1000 with CAP_NET_ADMIN."""
    (tmp_path / "tun").touch()
    (tmp_path / "net").mkdir()
    (tmp_path / "status").write_text(f"Name:\tpython\nCapEff:\t{ADMIN:016x}\n")
    return Host("linux", tmp_path / "tun", tmp_path / "net", tmp_path / "status", 1000)


def device(host: Host, name: str, **files: str) -> None:
    """A network device of the host."""
    (host.net / name).mkdir()
    for file, content in files.items():
        (host.net / name / file).write_text(content)


def without_admin(host: Host) -> None:
    host.status.write_text("CapEff:\t0000000000000000\n")


def test_nothing_is_missing_where_all_is_there(host: Host) -> None:
    assert missing("tap0", host) == ""
    device(host, "tap1", tun_flags="0x1002\n", owner="-1\n")
    assert missing("tap1", host) == ""


def test_only_linux_has_these_devices(host: Host) -> None:
    assert missing("tap0", host._replace(platform="darwin")).startswith("a TAP device needs Linux")


@pytest.mark.parametrize("name", ["", "a/b", "a b", "sixteen-letters-", "..", "tap:0"])
def test_a_name_that_is_none(host: Host, name: str) -> None:
    assert "is no name for a network device" in missing(name, host)


def test_no_tun_device(host: Host) -> None:
    host.dev.unlink()
    assert missing("tap0", host).startswith(f"there is no {host.dev}: load the kernel's tun module")


def test_no_capability(host: Host) -> None:
    """The remedy is in the sentence: a device that root makes for this user."""
    without_admin(host)
    assert missing("tap0", host) == (
        "making the TAP device tap0 needs CAP_NET_ADMIN: run as root, or have root make it with"
        " 'ip tuntap add dev tap0 mode tap user 1000'"
    )


def test_a_device_of_ones_own_needs_no_capability(host: Host) -> None:
    without_admin(host)
    device(host, "tap0", tun_flags="0x1002\n", owner="1000\n")
    assert missing("tap0", host) == ""


def test_somebody_elses_device(host: Host) -> None:
    without_admin(host)
    device(host, "tap0", tun_flags="0x1002\n", owner="7\n")
    assert missing("tap0", host).startswith("tap0 belongs to somebody else")


@pytest.mark.parametrize("files", [{}, {"tun_flags": "0x1001\n"}])
def test_a_device_of_another_kind(host: Host, files: dict[str, str]) -> None:
    """Ethernet cards, and TUN devices, which carry no Ethernet frames."""
    device(host, "eth0", **files)
    assert missing("eth0", host) == "eth0 is a network device, but not a TAP device: choose another name"


def test_opening_says_the_same_sentence() -> None:
    with pytest.raises(BridgeError, match="is no name for a network device"):
        open_tap("a/b")


def test_a_udp_wire_carries_frames_both_ways() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer, socket.socket(type=socket.SOCK_DGRAM) as stranger:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(1)
        with socket.socket(type=socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            here = probe.getsockname()
        wire = open_udp(here, peer.getsockname())
        assert wire.read() is None
        assert wire.write(b"out")
        assert peer.recv(100) == b"out"
        stranger.sendto(b"not for us", here)
        peer.sendto(b"in", here)
        assert wire.read() == b"in"
        assert not wire.write(bytes(70_000))
        wire.close()


def test_a_udp_wire_without_a_far_end_loses_frames_and_goes_on() -> None:
    """ICMP port unreachable comes back: no exception, the next frame is tried again."""
    with socket.socket(type=socket.SOCK_DGRAM) as one, socket.socket(type=socket.SOCK_DGRAM) as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        here, there = one.getsockname(), two.getsockname()
    wire = open_udp(here, there)
    assert [wire.write(b"frame"), wire.write(b"frame")].count(True) >= 1
    assert wire.read() is None
    wire.close()


def test_udp_options() -> None:
    assert udp_option("lan1=127.0.0.1:5000,[::1]:5001") == ("lan1", ("127.0.0.1", 5000), ("::1", 5001))
    assert text(("::1", 5001)) == "[::1]:5001"
    with pytest.raises(BridgeError, match="no UDP wire from "):
        open_udp(("127.0.0.1", 5000), ("::1", 5001))

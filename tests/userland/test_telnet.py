"""telnet: lines to a port and back, options refused, both ends of a connection."""

from __future__ import annotations

import pytest
from streams_kit import aside, named
from test_probes_restored import both_go_on

from kamelab.stack import syscalls
from kamelab.userland import telnet
from kamelab.wire import in6

HELLO = "Trying 2001:db8:2::2...\nConnected to h2.\nEscape character is '^]'.\n"


def test_a_line_there_and_back() -> None:
    bench = named(1, "inetd")
    client = bench.start("h1", "telnet h2 echo")
    bench.run(1)
    assert bench.output("h1") == HELLO
    bench.system("h1").input("h1", "hello\n")
    bench.run(1)
    assert bench.output("h1") == "hello\n"
    bench.system("h1").input("h1", "^]\n")
    assert bench.finish("h1", client) == ("Connection closed.\n", 0)


def test_the_other_side_ends_it() -> None:
    bench = named(1, "inetd")
    result = bench.sh("h1", "telnet h2 daytime < /dev/null")
    assert result == (f"{HELLO}Mon Feb 14 10:00:03 2000\nConnection closed by foreign host.\n", 1)


def test_lines_end_in_cr_lf_on_the_wire() -> None:
    bench = named()
    server = bench.start("h2", "nc -l 23 > /tmp/got")
    assert bench.sh("h1", "echo one line | telnet h2").status == 1
    bench.finish("h2", server)
    assert bench.system("h2").files["/tmp/got"] == "one line\r\n"


def test_every_address_of_a_name_is_tried() -> None:
    bench = named(1, "inetd")
    bench.sh("h1", "echo 2001:db8:2::99 both >> /etc/hosts; echo 2001:db8:2::2 both >> /etc/hosts")
    result = bench.sh("h1", "telnet both 13 < /dev/null")
    assert result.lines[:5] == [
        "Trying 2001:db8:2::99...",
        "telnet: connect to address 2001:db8:2::99: No route to host",
        "Trying 2001:db8:2::2...",
        "Connected to both.",
        "Escape character is '^]'.",
    ]


def test_nobody_there() -> None:
    result = named().sh("h1", "telnet h2 7")
    assert result.lines == [
        "Trying 2001:db8:2::2...",
        "telnet: connect to address 2001:db8:2::2: Connection refused",
        "telnet: Unable to connect to remote host",
    ]
    assert result.status == 1


def test_options_are_refused_and_the_text_is_shown() -> None:
    """RFC 854, RFC 855: DO is answered by WONT, WILL by DONT, once; commands don't show."""
    bench = named()
    node = bench.net.nodes["h2"]
    listener = syscalls.socket(node, 0, "tcp6", 0)
    syscalls.bind(node, listener, in6.UNSPECIFIED, 23, 0)
    syscalls.listen(node, listener)
    client = bench.start("h1", "telnet h2")
    bench.run(1)
    sid = syscalls.accept(node, listener)
    offers = bytes((255, 253, 24, 255, 251, 1, 255, 253, 24, 255, 252, 3, 255, 254, 5))
    inside = bytes((255, 250, 24, 1, 255, 255, 2, 255, 240))
    for octet in offers + inside + b"log\xff\xffin:\r\n" + b"a\rb\r\0c" + bytes((255, 241)):
        syscalls.send(node, sid, bytes((octet,)))
        bench.run(0.3)
    assert syscalls.recv(node, sid) == bytes((255, 252, 24, 255, 254, 1))
    assert bench.output("h1") == HELLO + "log\ufffdin:\na\rb\rc"
    bench.system("h1").input("h1", "\udcff\n")
    bench.run(1)
    assert syscalls.recv(node, sid) == b"\xff\xff\r\n"
    syscalls.close(node, sid)
    assert bench.finish("h1", client) == ("Connection closed by foreign host.\n", 1)


def test_the_same_however_the_octets_come() -> None:
    data = b"x\r\n" + bytes((255, 253, 1, 255, 255, 255, 250, 9, 255, 240)) + b"\r\0y\r" + bytes((255, 251, 3)) + b"z"
    whole = telnet.State(0)
    text = telnet.received(whole, data)
    for cut in range(len(data)):
        state = telnet.State(0)
        assert telnet.received(state, data[:cut]) + telnet.received(state, data[cut:]) == text
        assert state == whole
    assert text == b"x\n\xff\ry\rz"
    assert whole.out == bytes((255, 252, 1, 255, 254, 3))


@pytest.mark.parametrize("at", [0.00001, 1.0])
def test_it_goes_on_after_a_checkpoint(at: float) -> None:
    bench = named(1, "inetd")
    bench.start("h1", "telnet h2 7 <<END\nfirst\nsecond\nEND")
    aside(bench, "h1", "telnet h2 7")
    bench.run(at)
    both_go_on(bench, 10, "h1")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("telnet", "usage: telnet [-6n] [-s source] host [port]"),
        ("telnet -x h2", "telnet: illegal option -- x"),
        ("telnet h2 nothing", "nothing: bad port number"),
        ("telnet h9", "h9: hostname nor servname provided, or not known"),
        ("telnet -n h2", "h2: hostname nor servname provided, or not known"),
        ("telnet -s 2001:db8::77 h2", "Trying 2001:db8:2::2..."),
    ],
)
def test_mistakes(line: str, said: str) -> None:
    result = named().sh("h1", line)
    assert result.lines[0] == said
    assert result.status == 1

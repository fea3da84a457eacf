"""nc: standard input to the network and back, as OpenBSD's nc does it."""

from __future__ import annotations

import pytest
from streams_kit import aside, big, hashed, named, pid_of, position, states
from test_probes_restored import both_go_on

from kamelab.core.errors import ECONNREFUSED, strerror
from kamelab.userland.octets import decoded, encoded, joined, split

SERVICES = "inetd"


def test_a_port_is_looked_at() -> None:
    bench = named(1, SERVICES)
    assert bench.sh("h1", "nc -z -v h2 7") == ("Connection to h2 7 port [tcp/echo] succeeded!\n", 0)
    assert bench.sh("h1", "nc -z -v h2 8") == (
        f"nc: connect to h2 port 8 (tcp) failed: {strerror(ECONNREFUSED)}\n",
        1,
    )
    assert bench.sh("h1", "nc -z h2 8") == ("", 1), "without -v a failure is told by the status alone"


def test_a_range_of_ports_is_looked_at_upwards() -> None:
    bench = named(1, SERVICES)
    result = bench.sh("h1", "nc -z h2 13-7")
    assert result.lines == [
        f"Connection to h2 {port} port [tcp/{name}] succeeded!"
        for port, name in ((7, "echo"), (9, "discard"), (13, "daytime"))
    ]
    assert result.status == 0


def test_without_names() -> None:
    bench = named(1, SERVICES)
    assert bench.sh("h1", "nc -n -z 2001:db8:2::2 7").output == (
        "Connection to 2001:db8:2::2 7 port [tcp/*] succeeded!\n"
    )
    assert bench.sh("h1", "nc -n -z h2 7") == ("nc: hostname nor servname provided, or not known\n", 1)


def test_a_link_local_address_with_its_zone() -> None:
    bench = named(1, SERVICES)
    result = bench.sh("r1", "echo across | nc -N fe80::ff:fe00:4%ne1 echo")
    assert result == ("across\n", 0)


def test_a_udp_port_is_looked_at() -> None:
    bench = named(1, SERVICES)
    assert bench.sh("h1", "nc -u -z h2 7") == ("Connection to h2 7 port [udp/echo] succeeded!\n", 0)
    assert bench.sh("h1", "nc -u -z h2 8") == ("", 1)


def test_there_and_back_through_pipes() -> None:
    bench = named(1, SERVICES)
    assert bench.sh("h1", "echo one two | nc -N h2 7 | cat -n") == ("     1\tone two\n", 0)


def test_a_here_document_into_a_file() -> None:
    bench = named(1, SERVICES)
    assert bench.sh("h1", "nc -N h2 7 > /tmp/back <<END\nfirst\nsécond\nEND\ncat /tmp/back").output == (
        "first\nsécond\n"
    )


@pytest.mark.parametrize("loss", [0.0, 0.02])
def test_a_megabyte_up_and_down_arrives_as_it_was_sent(loss: float) -> None:
    bench = named(7)
    bench.net.links["right"].set("loss", loss)
    up, down = big(bench, "h1", "/tmp/up"), big(bench, "h2", "/tmp/down", 700_001)
    server = bench.start("h2", "nc -l 5000 > /tmp/there < /tmp/down")
    result = bench.sh("h1", "nc -N h2 5000 < /tmp/up > /tmp/here")
    assert result == ("", 0)
    assert bench.finish("h2", server) == ("", 0)
    assert hashed(bench, "h2", "/tmp/there") == up
    assert hashed(bench, "h1", "/tmp/here") == down
    assert bool(bench.net.links["right"].lost) == bool(loss)


def test_the_side_that_has_sent_all_still_hears_the_other() -> None:
    """RFC 9293 3.6: a half-closed connection carries data the other way."""
    bench = named()
    server = bench.start("h2", "nc -l 5000")
    client = bench.start("h1", "echo that is all | nc -N h2 5000")
    bench.run(1)
    assert bench.system("h1").status(client) is None or bench.system("h2").status(server) is not None
    assert bench.output("h2") == "that is all\n"
    assert bench.finish("h2", server).status == 0
    assert bench.finish("h1", client).status == 0


def test_a_conversation_on_two_terminals() -> None:
    bench = named()
    server = bench.start("h2", "nc -l -v 5000")
    client = bench.start("h1", "nc h2 5000")
    bench.run(1)
    bench.system("h1").input("h1", "hello\n")
    bench.run(1)
    bench.system("h2").input("h2", "good morning\n")
    bench.run(1)
    assert bench.output("h1") == "good morning\n"
    seen = bench.output("h2").splitlines()
    assert seen[0] == "Listening on :: 5000"
    assert seen[1].startswith("Connection received on h1 ")
    assert seen[2:] == ["hello"]
    bench.system("h1").eof("h1")
    bench.run(1)
    assert bench.system("h1").status(client) is None, "without -N the other side does not hear of it"
    assert bench.system("h2").interrupt("h2")
    assert bench.finish("h2", server).status == 130
    assert bench.finish("h1", client).status == 0


def test_an_interrupt_closes_the_connection() -> None:
    bench = named()
    server = bench.start("h2", "nc -l 5000 > /dev/null")
    client = bench.start("h1", "nc h2 5000")
    bench.run(1)
    assert bench.system("h1").interrupt("h1")
    assert bench.finish("h1", client).status == 130
    assert bench.finish("h2", server).status == 0
    assert "ESTABLISHED" not in states(bench, "h1") + states(bench, "h2")


def test_a_client_that_dies_in_the_middle() -> None:
    bench = named(1)
    bench.net.links["right"].set("bandwidth", 1_000_000)
    big(bench, "h1", "/tmp/up")
    server = bench.start("h2", "nc -l 5000 > /tmp/there")
    client = bench.start("h1", "nc h2 5000 < /tmp/up")
    bench.run(2)
    bench.system("h1").kill(pid_of(bench, "h1", "nc"), 9)
    assert bench.finish("h1", client).status == 137
    assert bench.finish("h2", server).status == 0
    whole = bench.system("h1").files["/tmp/up"]
    there = bench.system("h2").files["/tmp/there"]
    assert 100_000 < len(there) < len(whole)
    assert whole.startswith(there)


def test_a_server_that_dies_in_the_middle() -> None:
    bench = named(1)
    bench.net.links["right"].set("bandwidth", 1_000_000)
    big(bench, "h1", "/tmp/up")
    bench.start("h2", "nc -l 5000 > /tmp/there")
    client = bench.start("h1", "nc h2 5000 < /tmp/up")
    bench.run(2)
    bench.system("h2").kill(pid_of(bench, "h2", "nc"), 9)
    result = bench.finish("h1", client)
    assert result.status == 1
    assert result.output in ("nc: Connection reset by peer\n", "nc: Broken pipe\n")


def test_one_after_the_other() -> None:
    bench = named()
    aside(bench, "h2", "nc -k -l 5000 > /tmp/all")
    for word in ("one", "two", "three"):
        assert bench.sh("h1", f"echo {word} | nc -N h2 5000").status == 0
    bench.run(1)
    assert bench.system("h2").files["/tmp/all"] == "one\ntwo\nthree\n"


def test_our_own_address_and_port() -> None:
    bench = named()
    server = bench.start("h2", "nc -l -v -n 2001:db8:2::2 5000")
    assert bench.sh("h1", "echo x | nc -N -s 2001:db8:1::1 -p 4000 h2 5000").status == 0
    assert bench.finish("h2", server).lines == [
        "Listening on 2001:db8:2::2 5000",
        "Connection received on 2001:db8:1::1 4000",
        "x",
    ]


def test_the_listening_port_may_stand_behind_p() -> None:
    bench = named()
    server = bench.start("h2", "nc -l -p 5000")
    bench.sh("h1", "echo x | nc -N h2 5000")
    assert bench.finish("h2", server) == ("x\n", 0)


def test_patience() -> None:
    bench = named(1, SERVICES)
    before = bench.now
    assert bench.sh("h1", "nc -w 3 h2 7").status == 0, "nobody says anything"
    assert 3.0 <= (bench.now - before) / 1e9 < 3.1
    bench.net.set_link("right", False)
    before = bench.now
    assert bench.sh("h1", "nc -v -w 4 h2 7") == ("nc: connect to h2 port 7 (tcp) failed: Operation timed out\n", 1)
    assert 4.0 <= (bench.now - before) / 1e9 < 4.1


def test_datagrams() -> None:
    bench = named()
    server = bench.start("h2", "nc -u -l -v 5000")
    client = bench.start("h1", "nc -u h2 5000")
    for word in ("one", "two"):
        bench.system("h1").input("h1", f"{word}\n")
        bench.run(1)
    bench.system("h2").input("h2", "three\n")
    bench.run(1)
    assert bench.output("h1") == "three\n"
    seen = bench.output("h2").splitlines()
    assert seen[1].startswith("Connection received on h1 ")
    assert seen[2:] == ["one", "two"]
    for name, pid in (("h1", client), ("h2", server)):
        bench.system(name).interrupt(name)
        assert bench.finish(name, pid).status == 130


def test_datagrams_of_everybody() -> None:
    bench = named()
    aside(bench, "h2", "nc -u -k -l 5000 > /tmp/all")
    bench.sh("h1", "echo from h1 | nc -u -w 1 h2 5000")
    bench.sh("r1", "echo from r1 | nc -u -w 1 2001:db8:2::2 5000")
    assert bench.system("h2").files["/tmp/all"] == "from h1\nfrom r1\n"


def test_a_line_a_second() -> None:
    bench = named(1, SERVICES)
    bench.start("h1", "nc -i 1 -N h2 7 <<END\na\nb\nc\nEND")
    bench.run(2.5)
    early = bench.output("h1")
    bench.run(10)
    assert len(early) < 6
    assert early + bench.output("h1") == "a\nb\nc\n"


def test_head_ends_an_endless_stream() -> None:
    bench = named(1, SERVICES)
    result = bench.sh("h1", "nc h2 19 | head -2 | wc")
    assert result.output == f"{2:8}{2:8}{148:8}\n"
    bench.run(1)
    assert "nc" not in {process.name for process in bench.system("h1").procs.values()}


@pytest.mark.parametrize("at", [0.0, 0.01, 0.3, 2.0, 4.5])
def test_a_transfer_goes_on_after_a_checkpoint(at: float) -> None:
    bench = named(3)
    bench.net.links["right"].set("bandwidth", 1_000_000)
    bench.net.links["right"].set("loss", 0.01)
    up = big(bench, "h1", "/tmp/up", 400_000)
    bench.start("h2", "nc -l 5000 > /tmp/there")
    bench.start("h1", "nc -N h2 5000 < /tmp/up")
    bench.run(at)
    both_go_on(bench, 60, "h1")
    assert hashed(bench, "h2", "/tmp/there") == up


def test_twice_the_same() -> None:
    found = []
    for _ in range(2):
        bench = named(5, SERVICES)
        bench.net.links["left"].set("loss", 0.05)
        big(bench, "h1", "/tmp/up", 50_000)
        bench.sh("h1", "nc -N h2 7 < /tmp/up > /tmp/back")
        found.append(position(bench))
    assert found[0] == found[1]


def test_what_is_no_text_comes_through_unchanged() -> None:
    octets = bytes(range(256)) * 3 + "gé€😀".encode()
    for cut in range(len(octets)):
        first, rest = split(octets[:cut])
        second, left = split(rest + octets[cut:])
        assert encoded(first + second) + left == octets
        assert joined(decoded(octets[:cut]), octets[cut:]) == decoded(octets)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nc", "usage: nc [-6klNnuvz] [-i interval] [-p port] [-s source] [-w timeout]"),
        ("nc h2", "usage: nc [-6klNnuvz] [-i interval] [-p port] [-s source] [-w timeout]"),
        ("nc -l", "usage: nc [-6klNnuvz] [-i interval] [-p port] [-s source] [-w timeout]"),
        ("nc -Q h2 7", "nc: illegal option -- Q"),
        ("nc -k h2 7", "nc: must use -l with -k"),
        ("nc -l -z 7", "nc: cannot use -z and -l"),
        ("nc -w x h2 7", "nc: timeout invalid: x"),
        ("nc -i -1 h2 7", "nc: interval invalid: -1"),
        ("nc h2 70000", "nc: port number too large: 70000"),
        ("nc h2 0", "nc: port number too small: 0"),
        ("nc h2 nothing", 'nc: service "nothing" unknown'),
        ("nc h9 7", "nc: hostname nor servname provided, or not known"),
        ("nc -l 2001:db8::77 7", "nc: Can't assign requested address"),
    ],
)
def test_mistakes(line: str, said: str) -> None:
    result = named().sh("h1", line)
    assert result.lines[0] == said
    assert result.status == 1

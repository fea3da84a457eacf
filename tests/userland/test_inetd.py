"""inetd and inet6d: the small services over TCP and UDP, programs on a connection, many clients, rates, policies."""

from __future__ import annotations

import pytest
from real_nodes import Bench
from streams_kit import aside, big, hashed, logged, named, pid_of, position
from test_probes_restored import both_go_on

from kamelab.stack import syscalls
from kamelab.userland import inetd, inetd_services
from kamelab.wire import in6

LINE = "".join(map(chr, range(32, 104)))
"""The first line of chargen (RFC 864)."""
H2 = in6.pton("2001:db8:2::2")


def serving(*lines: str, options: str = "", name: str = "inetd") -> Bench:
    """h2 runs inetd with these lines behind the default ones."""
    more = [f"echo '{line}' >> /etc/inetd.conf" for line in lines]
    return named(1, *more, f"{name} {options}".strip())


def hangup(bench: Bench) -> None:
    """Tell inetd to read its file again."""
    bench.system("h2").kill(pid_of(bench, "h2", "inetd"), 1)
    bench.run(0.1)


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        ("echo", "hello\n"),
        ("discard", ""),
        ("daytime", "Mon Feb 14 10:00:03 2000\r\n"),
        ("13", "Mon Feb 14 10:00:03 2000\r\n"),
    ],
)
def test_a_service_over_tcp(port: str, expected: str) -> None:
    assert serving().sh("h1", f"echo hello | nc -N h2 {port}") == (expected, 0)


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        ("echo", "hello\n"),
        ("discard", ""),
        ("daytime", "Mon Feb 14 10:00:03 2000\r\n"),
        ("chargen", f"{LINE}\r\n"),
    ],
)
def test_a_service_over_udp(port: str, expected: str) -> None:
    assert serving().sh("h1", f"echo hello | nc -u -w 1 h2 {port}") == (expected, 0)


def test_the_time_as_a_number() -> None:
    """RFC 868: seconds since 1900; 3159511200 is February 14, 2000, 10:00."""
    bench = serving()
    bench.sh("h1", "nc h2 time < /dev/null > /tmp/time")
    octets = bench.system("h1").files["/tmp/time"].encode("utf-8", "surrogateescape")
    assert int.from_bytes(octets, "big") - 3_159_511_200 == 3
    assert inetd_services.time(2_085_978_496 * 10**9) == b"\0\0\0\0", "it begins anew in 2036"


def test_chargen_turns_through_the_characters() -> None:
    """RFC 864: 72 of the 95 printing characters, each line beginning one further."""
    text = serving().sh("h1", "nc h2 chargen | head -97").output
    lines = text.split("\r\n")[:-1]
    assert len(lines) == 97
    assert lines[0] == LINE
    assert [line[0] for line in lines] == [chr(32 + number % 95) for number in range(97)]
    assert {len(line) for line in lines} == {72}
    assert inetd_services.chargen(74 * 95 - 3, 10) == (lines[94][-1] + "\r\n" + lines[0][:7]).encode()


def test_twenty_clients_at_once() -> None:
    bench = serving()
    bench.net.links["right"].set("loss", 0.02)
    for number in range(20):
        bench.sh("h1", f"echo client {number} > /tmp/in{number}")
        aside(bench, "h1", f"nc -N h2 7 < /tmp/in{number} > /tmp/out{number}", f"tty{number}")
    bench.run(60)
    files = bench.system("h1").files
    assert [files[f"/tmp/out{number}"] for number in range(20)] == [f"client {number}\n" for number in range(20)]


def test_a_client_that_never_reads_holds_nobody_up() -> None:
    """What it sends stops when its queues are full, and the daemon keeps one chunk for it."""
    bench = serving()
    node = bench.net.nodes["h1"]
    sid = syscalls.socket(node, 0, "tcp6", 0)
    assert not syscalls.connect_stream(node, sid, H2, 7)
    bench.run(1)
    assert syscalls.connect_stream(node, sid, H2, 7)
    sent = 0
    for _ in range(200):
        sent += syscalls.send(node, sid, bytes(16384))
        bench.run(0.1)
    assert 0 < sent < 500_000
    process = bench.system("h2").procs[pid_of(bench, "h2", "inetd")]
    assert process.kept is not None
    assert len(process.kept) < inetd.CHUNK + 10_000
    assert bench.sh("h1", "echo hello | nc -N h2 7") == ("hello\n", 0)
    syscalls.close(node, sid)
    bench.run(300)
    assert bench.sh("h2", "netstat -an").output.count("ESTABLISHED") == 0


def test_connections_are_bounded_and_the_others_wait() -> None:
    bench = serving(options="-R 0")
    node = bench.net.nodes["h1"]
    sids = [syscalls.socket(node, 0, "tcp6", 0) for _ in range(inetd.CLIENTS + 5)]
    for sid in sids:
        syscalls.connect_stream(node, sid, H2, 7)
        bench.run(0.01)
    bench.run(5)
    process = bench.system("h2").procs[pid_of(bench, "h2", "inetd")]
    open_now = len(process.fds)
    assert open_now == inetd.CLIENTS + 10
    for sid in sids[:10]:
        syscalls.close(node, sid)
    bench.run(5)
    assert len(process.fds) == open_now - 5
    assert syscalls.send(node, sids[-1], b"x") == 1
    bench.run(1)
    assert syscalls.recv(node, sids[-1]) == b"x"


def test_a_service_that_is_asked_too_often_is_closed_for_ten_minutes() -> None:
    bench = serving(options="-R 3")
    ask = "echo x | nc -N h2 7"
    assert [bench.sh("h1", ask).output for _ in range(3)] == ["x\n"] * 3
    assert bench.sh("h1", ask).output != "x\n"
    assert logged(bench, "h2")[-1].endswith("echo/tcp6 server failing (looping), service terminated")
    assert bench.sh("h1", "nc -v -z h2 7").output == "nc: connect to h2 port 7 (tcp) failed: Connection refused\n"
    assert bench.sh("h1", "nc -z h2 9").status == 0, "the other services go on"
    bench.run(590)
    assert bench.sh("h1", ask).status == 1
    bench.run(15)
    assert bench.sh("h1", ask) == ("x\n", 0)


def test_a_line_has_its_own_rate_and_a_new_reading_opens_again() -> None:
    bench = serving("7000 stream tcp6 nowait.2 root /bin/hostname hostname", options="-R 0")
    ask = "nc h2 7000 < /dev/null"
    assert [bench.sh("h1", ask).output for _ in range(3)] == ["h2\n", "h2\n", ""]
    assert bench.sh("h1", "nc -z h2 7000").status == 1
    hangup(bench)
    assert bench.sh("h1", ask).output == "h2\n"


def test_a_minute_later_the_count_begins_anew() -> None:
    bench = serving(options="-R 3")
    for _ in range(4):
        assert bench.sh("h1", "echo x | nc -N h2 7").output == "x\n"
        bench.run(25)


def test_inet6d_allows_forty() -> None:
    bench = serving(name="inet6d")
    for _ in range(40):
        assert bench.sh("h1", "nc h2 13 < /dev/null").output
    assert not bench.sh("h1", "nc h2 13 < /dev/null").output
    assert "daytime/tcp6 server failing" in logged(bench, "h2")[-1]


def test_datagram_services_answer_nobody_like_themselves() -> None:
    bench = serving(options="-l")
    assert bench.sh("h1", "echo x | nc -u -w 1 -p 19 h2 7").output == ""
    assert logged(bench, "h2")[-1].endswith("echo/udp6: refused to answer h1 port 19")
    assert bench.sh("h1", "echo x | nc -u -w 1 -p 20 h2 7").output == "x\n"


def test_a_datagram_is_answered_from_the_address_that_was_asked() -> None:
    bench = serving()
    bench.sh("h2", "ifconfig ne0 inet6 2001:db8:2::22 alias")
    bench.run(3)
    # The socket of nc is connected: an answer from another address would not reach it.
    for addr in ("2001:db8:2::22", "2001:db8:2::2"):
        assert bench.sh("h1", f"echo x | nc -u -w 1 {addr} 7").output == "x\n"


def test_the_file_is_read_again() -> None:
    bench = serving()
    held = bench.start("h1", "nc h2 7")
    bench.run(1)
    bench.sh("h2", "echo 'echo stream tcp6 nowait root internal' > /etc/inetd.conf")
    bench.sh("h2", "echo '7777 stream tcp6 nowait root /bin/cat cat' >> /etc/inetd.conf")
    hangup(bench)
    assert [bench.sh("r1", f"nc -z 2001:db8:2::2 {port}").status for port in (7, 9, 13, 7777)] == [0, 1, 1, 0]
    assert bench.sh("h2", "netstat -an").output.count("udp6") == 0
    bench.system("h1").input("h1", "still there?\n")
    bench.run(1)
    assert bench.output("h1") == "still there?\n"
    bench.system("h1").interrupt("h1")
    bench.finish("h1", held)


def test_without_a_file_it_waits_for_one() -> None:
    bench = named(1, "rm /etc/inetd.conf", "inetd")
    assert logged(bench, "h2")[-1].endswith("/etc/inetd.conf: No such file or directory")
    assert bench.sh("h1", "nc -z h2 7").status == 1
    bench.sh("h2", "echo 'echo stream tcp46 nowait root internal' > /etc/inetd.conf")
    hangup(bench)
    assert bench.sh("h1", "nc -z h2 7").status == 0
    assert "tcp46" in bench.sh("h2", "netstat -an").output


def test_a_file_of_its_own_and_debugging() -> None:
    bench = named(1, "echo '7000 stream tcp6 nowait root /bin/hostname hostname' > /tmp/conf")
    pid = bench.start("h2", "inetd -d /tmp/conf")
    bench.run(1)
    assert bench.sh("h1", "nc h2 7000 < /dev/null") == ("h2\n", 0)
    said = bench.output("h2")
    assert "7000/tcp6: port 7000, hostname\n" in said
    assert "7000 from h1 port " in said
    bench.system("h2").interrupt("h2")
    assert bench.finish("h2", pid).status == 130


def test_sigterm_ends_it() -> None:
    bench = serving()
    pid = bench.sh("h2", "cat /var/run/inetd.pid").output.strip()
    bench.sh("h2", f"kill {pid}")
    bench.run(0.1)
    assert bench.sh("h2", "ls /var/run").output == ""
    assert bench.sh("h2", "netstat -an").output.count("LISTEN") == 0


def test_a_port_that_is_taken_is_tried_again() -> None:
    bench = named()
    aside(bench, "h2", "nc -k -l 7 > /dev/null")
    bench.run(1)
    bench.sh("h2", "inetd")
    assert "echo/tcp6: bind: Address already in use" in logged(bench, "h2")[-1]
    bench.system("h2").kill(pid_of(bench, "h2", "nc"), 15)
    bench.run(601)
    assert bench.sh("h1", "echo x | nc -N h2 7") == ("x\n", 0)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("echo stream tcp6 nowait root", "line 20: echo: 5 fields, 6 are wanted"),
        ("echo stream tcp nowait root internal", "line 20: echo/tcp: protocol not supported (tcp6 tcp46 udp6 are)"),
        ("echo dgram tcp46 nowait root internal", "line 20: echo/tcp46: socket type dgram does not fit"),
        ("echo stream tcp46 never root internal", "line 20: echo/tcp46: never: wait or nowait is wanted"),
        ("echo stream tcp46 nowait.x root internal", "line 20: echo/tcp46: nowait.x: wait or nowait is wanted"),
        ("nonsense stream tcp6 nowait root internal", "line 20: nonsense/tcp6: unknown service"),
        ("http stream tcp6 nowait root internal", "line 20: http/tcp6: internal service unknown"),
        ("http stream tcp6 nowait root /bin/httpx httpx", "line 20: http/tcp6: /bin/httpx: No such file or directory"),
        ("ntp dgram udp6 wait root /bin/cat cat", "line 20: ntp/udp6: a program is served with stream and nowait only"),
        ("echo stream tcp6 nowait root internal", "line 20: echo/tcp6: service is listed twice"),
        (
            "ftp stream tcp6/faith nowait root /bin/cat cat",
            "line 20: ftp/tcp6/faith: the FAITH translator is not built",
        ),
    ],
)
def test_a_line_that_can_not_be_used_is_passed_over(line: str, said: str) -> None:
    bench = serving(line)
    assert said in logged(bench, "h2")[-1]
    assert bench.sh("h1", "nc -z h2 9").status == 0


def test_policies_are_kept_for_the_lines_below() -> None:
    """KAME USAGE: #@ applies until the next one, an empty one ends it; a bad one ends the daemon."""
    bench = named()
    bench.sh("h2", "echo '#@ in ipsec ah/transport//require ; out none' > /tmp/c")
    bench.sh("h2", "echo 'ssh stream tcp6 nowait.5 root /bin/cat cat' >> /tmp/c")
    bench.sh("h2", "echo '#@' >> /tmp/c; echo 'smtp stream tcp6 nowait root /bin/cat cat' >> /tmp/c")
    bench.start("h2", "inetd -d /tmp/c")
    bench.run(0.1)
    lines = [line.partition(": ")[2] for line in bench.output("h2").splitlines()]
    assert lines == [
        "IPsec policy kept, not applied yet: in ipsec ah/transport//require ; out none",
        "ssh/tcp6: port 22, cat, policy in ipsec ah/transport//require ; out none",
        "smtp/tcp6: port 25, cat",
    ]


@pytest.mark.parametrize("policy", ["in", "sideways none", "in ipsec", "out maybe", "in none;", "in none extra"])
def test_a_bad_policy_ends_the_daemon(policy: str) -> None:
    bench = serving(f"#@ {policy}")
    assert f"line 20: #@ {policy}: invalid IPsec policy" in logged(bench, "h2")[-1]
    assert bench.sh("h1", "nc -z h2 7").status == 1


# -- programs on a connection --------------------------------------------------------------------------------------


def test_a_program_has_the_connection_as_input_and_output() -> None:
    bench = serving("7000 stream tcp6 nowait root /bin/sh sh")
    result = bench.sh("h1", "nc -N h2 7000 <<END\nhostname\necho one | cat -n\nEND")
    assert result == ("h2\n     1\tone\n", 0)
    assert [process.name for process in bench.system("h2").procs.values()] == ["inetd"]


def test_a_program_that_writes_more_than_the_queue_holds() -> None:
    bench = serving("7000 stream tcp6 nowait root /bin/cat cat /tmp/down")
    down = big(bench, "h2", "/tmp/down", 300_000)
    bench.net.links["right"].set("loss", 0.02)
    assert bench.sh("h1", "nc h2 7000 < /dev/null > /tmp/here").status == 0
    assert hashed(bench, "h1", "/tmp/here") == down


def test_a_program_waits_for_a_client_that_does_not_read() -> None:
    bench = serving("7000 stream tcp6 nowait root /bin/cat cat")
    node = bench.net.nodes["h1"]
    sid = syscalls.socket(node, 0, "tcp6", 0)
    syscalls.connect_stream(node, sid, H2, 7000)
    bench.run(1)
    assert syscalls.connect_stream(node, sid, H2, 7000)
    sent = b""
    for number in range(3000):
        line = b"%06d %s\n" % (number, b"x" * 200)
        if len(sent) < number * 208 or syscalls.send(node, sid, line) < len(line):
            break
        sent += line
        if number % 20 == 0:
            bench.run(0.1)
    assert 100_000 < len(sent) < 500_000
    assert {so.pid for so in bench.net.nodes["h2"].sockets.values() if so.faddr} == {pid_of(bench, "h2", "cat")}
    got = b""
    for _ in range(200):
        got += syscalls.recv(node, sid) or b""
        bench.run(0.1)
    assert got[: len(sent)] == sent
    syscalls.close(node, sid)
    bench.run(60)
    assert "cat" not in {process.name for process in bench.system("h2").procs.values()}


def test_a_program_whose_client_has_gone_ends() -> None:
    bench = serving("7000 stream tcp6 nowait root /bin/cat cat")
    client = bench.start("h1", "nc h2 7000")
    bench.run(1)
    bench.system("h1").kill(pid_of(bench, "h1", "nc"), 9)
    bench.finish("h1", client)
    bench.run(60)
    assert [process.name for process in bench.system("h2").procs.values()] == ["inetd"]


# -- restored ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [0.0, 0.01, 0.4, 3.0])
def test_open_connections_survive_a_checkpoint(at: float) -> None:
    bench = serving("7000 stream tcp6 nowait root /bin/cat cat")
    bench.net.links["right"].set("bandwidth", 1_000_000)
    up = big(bench, "h1", "/tmp/up", 200_000)
    for port in (7, 7000):
        aside(bench, "h1", f"nc -N h2 {port} < /tmp/up > /tmp/back{port}", f"tty{port}")
    aside(bench, "h1", "nc h2 19 | head -c 100000 > /tmp/chars", "tty19")
    bench.run(at)
    both_go_on(bench, 30, "h2")
    assert [hashed(bench, "h1", f"/tmp/back{port}") for port in (7, 7000)] == [up, up]
    assert bench.system("h1").files["/tmp/chars"].startswith(LINE)
    assert bench.sh("h1", "echo x | nc -N h2 7").output == "x\n"


def test_twice_the_same() -> None:
    found = []
    for _ in range(2):
        bench = serving()
        bench.net.links["right"].set("loss", 0.1)
        for number in range(5):
            aside(bench, "h1", f"echo {number} | nc -N h2 7", f"tty{number}")
        bench.run(30)
        found.append(position(bench))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("inetd -x", "inetd: illegal option -- x"),
        ("inetd a b", "usage: inetd [-dl] [-R rate] [configuration_file]"),
        ("inet6d -R many", "inet6d: -R: bad value for service invocation rate"),
    ],
)
def test_mistakes(line: str, said: str) -> None:
    result = named().sh("h2", line)
    assert result.lines[0] == said
    assert result.status == 1

"""httpd and fetch: documents over HTTP between two nodes, and the words of HTTP by themselves."""

from __future__ import annotations

import zlib
from hashlib import sha256

import pytest
from real_nodes import Bench
from streams_kit import aside, big, hashed, logged, named, pid_of, position
from test_probes_restored import both_go_on

from kamelab.stack import syscalls
from kamelab.userland import fetch, httpd
from kamelab.userland import httpd_http as http
from kamelab.wire import in6

H2 = in6.pton("2001:db8:2::2")
PAGE = "<p>héllo</p>\n"


def serving(options: str = "") -> Bench:
    """h2 runs httpd with a page, a text and a folder."""
    bench = named()
    files = bench.system("h2").files
    files["/var/www/index.html"] = PAGE
    files["/var/www/notes.txt"] = "notes\n"
    files["/var/www/more/a b.txt"] = "spaced\n"
    assert bench.sh("h2", f"httpd {options}".strip()).status == 0
    return bench


def ask(bench: Bench, text: str, wait: float = 1) -> tuple[str, dict[str, str], bytes]:
    """Send a text to h2's port 80: (status line, fields, all behind the head)."""
    node = bench.net.nodes["h1"]
    sid = syscalls.socket(node, 0, "tcp6", 0)
    syscalls.connect_stream(node, sid, H2, 80)
    bench.run(0.5)
    assert syscalls.connect_stream(node, sid, H2, 80)
    syscalls.send(node, sid, text.replace("\n", "\r\n").encode())
    bench.run(wait)
    got = b""
    while data := syscalls.recv(node, sid):
        got += data
        bench.run(0.1)
    ended = data == b""
    syscalls.close(node, sid)
    head, _, body = got.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines)
    fields["ended"] = str(ended)
    return first, fields, body


def test_a_page_is_fetched() -> None:
    bench = serving()
    assert bench.sh("h1", "fetch -q -o - http://h2/") == (PAGE, 0)
    assert bench.sh("h1", "fetch -q http://h2/notes.txt; cat notes.txt") == ("notes\n", 0)
    assert bench.sh("h1", "fetch -q http://h2/; cat fetch.out").output == PAGE
    assert bench.sh("h1", "fetch -q -o - 'http://h2/more/a%20b.txt'").output == "spaced\n"
    assert logged(bench, "h2")[0].endswith('h1 "GET / HTTP/1.1" 200 14')


def test_the_last_line_tells_how_it_went() -> None:
    bench = serving()
    bench.net.links["right"].set("bandwidth", 8_000_000)
    before = bench.now
    result = bench.sh("h1", "fetch -o /tmp/x http://h2/bytes/2000000")
    assert result.status == 0
    name, percent, of, size, unit, rate, speed, took = result.output.split()
    assert (name, percent, of, size, unit, speed) == ("/tmp/x", "100%", "of", "1953", "kB", "kBps")
    seconds = (bench.now - before) / 1e9
    assert took == f"00m{int(seconds):02d}s"
    assert abs(int(rate) - 2_000_000 / 1024 / seconds) < 30
    assert int(rate) <= 1000


def test_an_address_in_brackets_with_port_and_zone() -> None:
    bench = serving("-p 8080")
    for url in ("[2001:db8:2::2]:8080", "h2:8080"):
        assert bench.sh("h1", f"fetch -q -o - 'http://{url}/notes.txt'") == ("notes\n", 0)
    for zone in ("%ne1", "%25ne1"):
        line = f"fetch -q -o - 'http://[fe80::ff:fe00:4{zone}]:8080/notes.txt'"
        assert bench.sh("r1", line) == ("notes\n", 0)


@pytest.mark.parametrize("loss", [0.0, 0.02])
def test_a_megabyte_of_known_octets(loss: float) -> None:
    bench = serving()
    bench.net.links["left"].set("loss", loss)
    result = bench.sh("h1", "fetch -q -o /tmp/down http://h2/bytes/1000000; sha256 -q /tmp/down")
    expected = sha256(b"".join(b"%015d\n" % at for at in range(0, 1_000_000, 16))).hexdigest()
    assert result == (f"{expected}\n", 0)


def test_the_head_tells_the_checksums() -> None:
    bench = serving()
    first, fields, body = ask(bench, "HEAD /bytes/12345 HTTP/1.0\n\n")
    assert (first, body) == ("HTTP/1.1 200 OK", b"")
    data = http.pattern(0, 12345)
    assert fields["Content-Length"] == "12345"
    assert fields["X-CRC32"] == f"{zlib.crc32(data):08x}"
    assert fields["X-SHA256"] == sha256(data).hexdigest()
    assert fields["ended"] == "True"


def test_generated_octets_are_the_same_from_anywhere() -> None:
    whole = http.pattern(0, 4000)
    assert whole[:33] == b"000000000000000\n000000000000016\n0"
    assert all(http.pattern(at, 77) == whole[at : at + 77] for at in range(3900))


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        ("GET / HTTP/1.1\nHost: h2\n\n", "200 OK"),
        ("GET http://h2/notes.txt HTTP/1.1\nHost: h2\n\n", "200 OK"),
        ("GET /none HTTP/1.0\n\n", "404 Not Found"),
        ("GET /more HTTP/1.0\n\n", "301 Moved Permanently"),
        ("GET /../../etc/hosts HTTP/1.0\n\n", "404 Not Found"),
        ("GET /%2e%2e/%2e%2e/etc/hosts HTTP/1.0\n\n", "404 Not Found"),
        ("GET /bytes/99999999999 HTTP/1.0\n\n", "404 Not Found"),
        ("GET /bytes/-1 HTTP/1.0\n\n", "404 Not Found"),
        ("DELETE / HTTP/1.0\n\n", "405 Method Not Allowed"),
        ("POST / HTTP/1.0\nContent-Length: 3\n\nabc", "405 Method Not Allowed"),
        ("BREW / HTTP/1.0\n\n", "501 Not Implemented"),
        ("GET / HTTP/1.1\n\n", "400 Bad Request"),
        ("GET / HTTP/1.1\nHost: a\nHost: b\n\n", "400 Bad Request"),
        ("GET / HTTP/2.0\n\n", "505 HTTP Version Not Supported"),
        ("GET /\n\n", "400 Bad Request"),
        ("GET / FTP/1.0\n\n", "400 Bad Request"),
        ("nonsense\n\n", "400 Bad Request"),
        ("GET relative HTTP/1.0\n\n", "400 Bad Request"),
        ("GET /%zz HTTP/1.0\n\n", "400 Bad Request"),
        ("GET /%00 HTTP/1.0\n\n", "400 Bad Request"),
        ("GET / HTTP/1.0\nno colon\n\n", "400 Bad Request"),
        ("GET / HTTP/1.0\nContent-Length: x\n\n", "400 Bad Request"),
        ("GET / HTTP/1.0\nContent-Length: 1\nContent-Length: 2\n\n", "400 Bad Request"),
        ("POST /sink HTTP/1.1\nHost: h2\nTransfer-Encoding: chunked\n\n", "411 Length Required"),
        ("GET / HTTP/1.0\nX: " + "x" * 9000 + "\n\n", "431 Request Header Fields Too Large"),
        ("\n\nGET / HTTP/1.0\n\n", "200 OK"),
    ],
)
def test_requests_and_their_status(request_text: str, status: str) -> None:
    bench = serving()
    assert ask(bench, request_text)[0] == f"HTTP/1.1 {status}"
    assert bench.sh("h1", "fetch -q -o - http://h2/notes.txt").output == "notes\n", "it serves on"


def test_a_connection_is_kept_for_several_requests() -> None:
    bench = serving()
    two = "HEAD / HTTP/1.1\nHost: h2\n\nGET /notes.txt HTTP/1.1\nHost: h2\n\n"
    first, fields, rest = ask(bench, two)
    assert first == "HTTP/1.1 200 OK"
    assert (fields["Connection"], fields["Content-Length"], fields["ended"]) == ("keep-alive", "14", "False")
    assert rest.startswith(b"HTTP/1.1 200 OK\r\n")
    assert rest.endswith(b"\r\n\r\nnotes\n")
    assert ask(bench, "GET / HTTP/1.1\nHost: h2\nConnection: close\n\n")[1]["ended"] == "True"
    assert ask(bench, "GET / HTTP/1.0\nConnection: keep-alive\n\n")[1]["ended"] == "False"
    assert ask(bench, "GET / HTTP/1.0\n\n")[1]["ended"] == "True"


def test_a_head_says_what_it_is() -> None:
    _, fields, body = ask(serving(), "GET / HTTP/1.0\n\n")
    assert body.decode() == PAGE
    assert fields["Date"] == "Mon, 14 Feb 2000 10:00:03 GMT"
    assert fields["Content-Type"] == "text/html; charset=utf-8"
    assert fields["Content-Length"] == str(len(PAGE.encode()))


def test_a_folder_without_an_index_is_listed() -> None:
    bench = serving()
    assert '<a href="a b.txt">a b.txt</a>' in ask(bench, "GET /more/ HTTP/1.0\n\n")[2].decode()
    assert ask(bench, "GET /more HTTP/1.0\n\n")[1]["Location"] == "/more/"
    empty = named(1, "httpd -d /srv")
    assert b"Index of /" in ask(empty, "GET / HTTP/1.0\n\n")[2]


def test_what_is_put_into_the_sink_is_counted() -> None:
    bench = serving()
    text = "PUT /sink HTTP/1.1\nHost: h2\nContent-Length: 10\n\n0123456789GET /notes.txt HTTP/1.0\n\n"
    first, _, rest = ask(bench, text)
    assert first == "HTTP/1.1 200 OK"
    assert rest.startswith(b"10 octets, crc32 a684c7c6\n")
    assert rest.endswith(b"notes\n")
    asked = "PUT /sink HTTP/1.1\nHost: h2\nContent-Length: 10\nExpect: 100-continue\n\n"
    assert ask(bench, asked) == ("HTTP/1.1 100 Continue", {"ended": "False"}, b"")


def test_a_silent_client_is_sent_away_after_a_minute() -> None:
    bench = serving()
    client = bench.start("h1", "nc h2 80")
    before = bench.now
    assert bench.finish("h1", client).status == 0
    assert 60 <= (bench.now - before) / 1e9 < 61


def test_twenty_clients_at_once_and_one_that_does_not_read() -> None:
    bench = serving()
    bench.net.links["right"].set("loss", 0.02)
    node = bench.net.nodes["h1"]
    sid = syscalls.socket(node, 0, "tcp6", 0)
    syscalls.connect_stream(node, sid, H2, 80)
    bench.run(1)
    syscalls.send(node, sid, b"GET /bytes/5000000 HTTP/1.0\r\n\r\n" * 3)
    for number in range(20):
        size = 10_000 * (number + 1)
        aside(bench, "h1", f"fetch -q -o /tmp/f{number} http://h2/bytes/{size}", f"tty{number}")
    bench.run(55)
    for number in range(20):
        expected = sha256(http.pattern(0, 10_000 * (number + 1))).hexdigest()
        assert hashed(bench, "h1", f"/tmp/f{number}") == expected
    process = bench.system("h2").procs[pid_of(bench, "h2", "httpd")]
    assert process.kept is not None
    assert len(process.kept) < 20_000
    bench.run(600)
    assert bench.sh("h2", "netstat -an").output.count("ESTABLISHED") == 0


def test_a_server_that_dies_leaves_a_truncated_file() -> None:
    bench = serving()
    bench.net.links["right"].set("bandwidth", 1_000_000)
    client = bench.start("h1", "fetch -o /tmp/x http://h2/bytes/1000000")
    bench.run(2)
    bench.system("h2").kill(pid_of(bench, "h2", "httpd"), 9)
    result = bench.finish("h1", client)
    assert result.status == 1
    assert result.output.startswith("fetch: ")
    assert 50_000 < len(bench.system("h1").files["/tmp/x"]) < 1_000_000


def test_a_file_of_any_octets_arrives_as_it_is() -> None:
    """Characters of one to four octets, and octets that are no characters; Content-Length counts octets."""
    bench = serving()
    content = ("a\u00e9\u20ac\U0001f600" + "\udcff\udc80") * 20_000
    bench.system("h2").files["/var/www/any"] = content
    _, fields, body = ask(bench, "GET /any HTTP/1.0\n\n", wait=5)
    assert fields["Content-Length"] == str(12 * 20_000)
    assert body == content.encode("utf-8", "surrogateescape")


def test_a_file_that_shrinks_ends_the_connection() -> None:
    bench = serving()
    bench.net.links["right"].set("bandwidth", 1_000_000)
    big(bench, "h2", "/var/www/big", 500_000)
    client = bench.start("h1", "fetch -o /tmp/x http://h2/big")
    bench.run(1)
    bench.sh("h2", "echo short > /var/www/big")
    result = bench.finish("h1", client)
    assert result.status == 1
    assert "/tmp/x appears to be truncated: " in result.output
    assert result.output.endswith("/500000 bytes\n")


def test_httpd_starts_once_and_ends_on_sigterm() -> None:
    bench = serving()
    assert bench.sh("h2", "httpd") == ("httpd: bind: Address already in use\n", 1)
    bench.sh("h2", f"kill {pid_of(bench, 'h2', 'httpd')}")
    bench.run(0.1)
    assert bench.sh("h2", "ls /var/run").output == ""
    assert bench.sh("h1", "fetch http://h2/") == ("fetch: http://h2/: Connection refused\n", 1)


@pytest.mark.parametrize("at", [0.0, 0.005, 0.5, 3.3])
def test_a_download_goes_on_after_a_checkpoint(at: float) -> None:
    bench = serving()
    bench.net.links["right"].set("bandwidth", 1_000_000)
    bench.net.links["right"].set("loss", 0.01)
    down = big(bench, "h2", "/var/www/big", 300_000)
    bench.start("h1", "fetch -o /tmp/big http://h2/big http://h2/notes.txt")
    aside(bench, "h1", "fetch -q -o /tmp/made http://h2/bytes/100000")
    bench.run(at)
    both_go_on(bench, 60, "h1")
    assert bench.system("h1").files["/tmp/big"] == "notes\n", "each document goes to the file that -o names"
    assert hashed(bench, "h1", "/tmp/made") == sha256(http.pattern(0, 100_000)).hexdigest()
    assert bench.sh("h1", "fetch -q http://h2/big; sha256 -q big").output.strip() == down


def test_twice_the_same() -> None:
    found = []
    for _ in range(2):
        bench = serving()
        bench.net.links["right"].set("loss", 0.05)
        for number in range(3):
            aside(bench, "h1", f"fetch -q -o /tmp/{number} http://h2/bytes/50000", f"tty{number}")
        bench.run(30)
        found.append(position(bench))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("fetch", "usage: fetch [-q] [-o file] [-w seconds] URL ..."),
        ("fetch -x http://h2/", "fetch: illegal option -- x"),
        ("fetch -w x http://h2/", "fetch: invalid timeout: x"),
        ("fetch http://h9/", "fetch: http://h9/: No address record"),
        ("fetch ftp://h2/", "fetch: ftp://h2/: Unknown scheme"),
        ("fetch 'http://[::1/'", "fetch: http://[::1/: malformed URL"),
        ("fetch http://h2:99999/", "fetch: http://h2:99999/: malformed URL"),
        ("fetch http://h2/none", "fetch: http://h2/none: Not Found"),
        ("fetch -o /etc http://h2/", "fetch: /etc: Is a directory"),
        ("fetch http://h2:8/", "fetch: http://h2:8/: Connection refused"),
        ("httpd -p x", "httpd: -p: a port from 1 to 65535 is wanted"),
        ("httpd now", "usage: httpd [-f] [-d root] [-p port]"),
        ("httpd -x", "httpd: illegal option -- x"),
    ],
)
def test_mistakes(line: str, said: str) -> None:
    result = serving().sh("h1", line)
    assert result.lines[0] == said
    assert result.status == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("hello", "Protocol error"),
        ("HTTP/1.1 200 OK", "Connection closed before"),
        ("HTTP/1.1 200 OK\n\nup to the end", ""),
        ("HTTP/1.1 100 Continue\n\nHTTP/1.1 200 OK\nContent-Length: 13\n\nup to the end and more", ""),
        ("HTTP/1.1 503 Come Again\n\n", "Come Again"),
        ("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n0\n\n", "transfer encoding chunked"),
    ],
)
def test_other_servers(answer: str, said: str) -> None:
    bench = named()
    bench.system("h2").files["/tmp/answer"] = answer.replace("\n", "\r\n") + "\r\n\r\n" * (said == "Protocol error")
    server = bench.start("h2", "nc -N -l 80 < /tmp/answer > /dev/null")
    result = bench.sh("h1", "fetch -q -o - http://h2/x")
    assert said in result.output if said else result.output == "up to the end"
    assert result.status == (1 if said else 0)
    assert bench.finish("h2", server).status == 0


def test_a_server_that_says_nothing() -> None:
    bench = named()
    aside(bench, "h2", "nc -l 80")
    before = bench.now
    assert bench.sh("h1", "fetch -w 5 http://h2/x") == ("fetch: http://h2/x: transfer timed out\n", 1)
    assert 5 <= (bench.now - before) / 1e9 < 5.1


def test_sizes_in_four_digits() -> None:
    assert [fetch._size(octets) for octets in (0, 9999, 10_000, 10 << 20, 123 << 30)] == [
        "   0  B",
        "9999  B",
        "   9 kB",
        "  10 MB",
        " 123 GB",
    ]
    assert httpd.GENERATED_LIMIT > 10_000_000, "flows of 10 MB need no file"


def test_an_answer_arrives_although_the_client_still_sends() -> None:
    """RFC 9112 9.6: the server hears it out for a while instead of resetting what is on the way."""
    bench = serving()
    big(bench, "h1", "/tmp/body", 40_000)
    bench.net.links["left"].set("latency", 20_000_000)
    bench.sh("h1", "echo 'POST / HTTP/1.0' > /tmp/ask; echo 'Content-Length: 40000' >> /tmp/ask; echo >> /tmp/ask")
    bench.sh("h1", "cat /tmp/body >> /tmp/ask")
    result = bench.sh("h1", "nc h2 80 < /tmp/ask")
    assert result.output.startswith("HTTP/1.1 405 Method Not Allowed\r\n")
    assert result.output.endswith("Method Not Allowed\n")
    assert result.status == 0

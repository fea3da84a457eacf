"""head, wc, cksum and sha256 on files and pipes."""

from __future__ import annotations

import pytest
from real_nodes import Bench

from kamelab.userland.builtins_digest import posix_crc


@pytest.mark.parametrize(
    ("line", "output", "status"),
    [
        ("head /tmp/a", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n", 0),
        ("head -n 2 /tmp/a", "1\n2\n", 0),
        ("head -2 < /tmp/a", "1\n2\n", 0),
        ("cat /tmp/a | head -n 3", "1\n2\n3\n", 0),
        ("head -c 5 /tmp/a", "1\n2\n3", 0),
        ("cat /tmp/a | head -c 5", "1\n2\n3", 0),
        ("echo -n é | head -c 1 | wc -c", "       1\n", 0),
        ("head -n 0 /tmp/a", "", 0),
        ("head -n 99 /tmp/b", "no end", 0),
        ("head /tmp/none", "head: /tmp/none: No such file or directory\n", 1),
        ("head -n x /tmp/a", "head: illegal count -- x\n", 1),
        ("head -1 /tmp/a /tmp/b", "==> /tmp/a <==\n1\n\n==> /tmp/b <==\nno end", 0),
        ("head -1 /tmp/none /tmp/a", "head: /tmp/none: No such file or directory\n==> /tmp/a <==\n1\n", 1),
        ("wc /tmp/a", "      12      12      27 /tmp/a\n", 0),
        ("wc -l /tmp/a /tmp/b", "      12 /tmp/a\n       0 /tmp/b\n      12 total\n", 0),
        ("wc -l < /tmp/a", "      12\n", 0),
        ("echo two wörds | wc", "       1       2      11\n", 0),
        ("echo é > /tmp/e2; ls -l /tmp/e2", "-rw-r--r--  root  wheel         3  /tmp/e2\n", 0),
        ("wc -c /tmp/none /tmp/b", "wc: /tmp/none: No such file or directory\n       6 /tmp/b\n", 1),
        ("cksum /tmp/b", f"{posix_crc(b'no end')} 6 /tmp/b\n", 0),
        ("echo -n 123456789 | cksum", "930766865 9\n", 0),
        ("echo -n abc | sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n", 0),
        (
            "sha256 /tmp/e",
            "SHA256 (/tmp/e) = e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n",
            0,
        ),
        ("sha256 -q /tmp/none", "sha256: /tmp/none: No such file or directory\n", 1),
        ("cksum -z", "cksum: illegal option -- z\nusage: cksum [file ...]\n", 1),
    ],
)
def test_line(line: str, output: str, status: int) -> None:
    bench = Bench()
    bench.node("h1")
    files = bench.system("h1").files
    files["/tmp/a"] = "".join(f"{number}\n" for number in range(1, 13))
    files["/tmp/b"] = "no end"
    files["/tmp/e"] = ""
    assert bench.sh("h1", line) == (output, status)


def test_the_crc_is_the_one_of_posix() -> None:
    """The check value of CRC-32/CKSUM is of the octets alone; cksum(1) appends their number."""
    assert posix_crc(b"") == 4294967295
    assert posix_crc(b"123456789") == 930766865

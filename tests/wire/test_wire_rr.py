"""Router renumbering messages octet by octet: vectors laid out by hand from RFC 2894 3."""

from __future__ import annotations

import pytest

from kamelab.wire import in6, rr
from kamelab.wire.buffer import Truncated, WireError

OLD = in6.pton("3ffe:501:808::")
NEW = in6.pton("3ffe:501:4819::")

HEAD = "00000102" + "03" + "40" + "03e8" + "00000000"
MATCH = "02" + "07" + "05" + "30" + "10" + "40" + "0000" + "3ffe0501080800000000000000000000"
USE = "30" + "10" + "c0" + "80" + "00278d00" + "00093a80" + "40000000" + "3ffe0501481900000000000000000000"

ONE_USE = rr.UsePrefix(48, 16, rr.ONLINK | rr.AUTONOMOUS, rr.ONLINK, 2592000, 604800, False, True, NEW)
CHANGE = rr.Operation(rr.CHANGE, 5, 48, 16, 64, OLD, (ONE_USE,))
COMMAND = rr.Command(0x102, 3, rr.REQRESULT, 1000, (CHANGE,))


def test_a_command_with_one_use_prefix() -> None:
    assert COMMAND.pack().hex() == HEAD + MATCH + USE
    assert rr.Command.parse(bytes.fromhex(HEAD + MATCH + USE)) == COMMAND


def test_operations_follow_each_other_and_may_have_no_or_several_use_prefixes() -> None:
    alone = rr.Operation(rr.SETGLOBAL, 6, 0, 0, 128, bytes(16))
    many = CHANGE._replace(ordinal=7, uses=(ONE_USE, ONE_USE._replace(decrvalid=True)))
    command = rr.Command(1, 0, rr.TEST | rr.FORCEAPPLY, 0, (alone, many))
    packed = command.pack()
    assert len(packed) == 12 + 24 + 24 + 2 * 32
    assert packed[13] == 3, "octets / 8 of a match alone"
    assert packed[12 + 24 + 1] == 11, "4N + 3"
    assert rr.Command.parse(packed) == command


def test_no_operation_at_all() -> None:
    assert rr.Command.parse(bytes.fromhex("0000000000000000" + "00000000")) == rr.Command(0, 0, 0, 0)


def test_a_result_with_its_reports() -> None:
    report = "0003" + "05" + "40" + "00000002" + "3ffe0501080800010000000000000000"
    found = rr.Result.parse(bytes.fromhex(HEAD + report + report))
    one = rr.Report(True, True, 5, 64, 2, in6.pton("3ffe:501:808:1::"))
    assert found == rr.Result(0x102, 3, rr.REQRESULT, 1000, (one, one))
    assert found.pack().hex() == HEAD + report + report


@pytest.mark.parametrize("cut", [0, 4, 11, 13, 35, 36, 67])
def test_what_ends_too_soon_is_told(cut: int) -> None:
    with pytest.raises(Truncated):
        rr.Command.parse(bytes.fromhex(HEAD + MATCH + USE)[:cut])


@pytest.mark.parametrize("units", [0, 1, 2, 4, 5, 6, 8])
def test_a_length_that_is_not_4n_plus_3_is_wrong(units: int) -> None:
    data = bytearray(bytes.fromhex(HEAD + MATCH + USE) + bytes(64))
    data[13] = units
    with pytest.raises(WireError):
        rr.Command.parse(bytes(data))


def test_a_report_that_is_cut_is_told() -> None:
    with pytest.raises(Truncated):
        rr.Result.parse(bytes(12 + 23))


@pytest.mark.parametrize(
    "wrong",
    [
        COMMAND._replace(seqnum=1 << 32),
        COMMAND._replace(segnum=256),
        COMMAND._replace(operations=(CHANGE._replace(matchlen=256),)),
        COMMAND._replace(operations=(CHANGE._replace(uses=(ONE_USE._replace(valid=-1),)),)),
        COMMAND._replace(operations=(CHANGE._replace(uses=(ONE_USE,) * 64),)),
    ],
)
def test_values_that_do_not_fit_are_refused(wrong: rr.Command) -> None:
    with pytest.raises(WireError):
        wrong.pack()
    with pytest.raises(WireError):
        rr.Result(0, 0, 0, 1 << 16).pack()
    with pytest.raises(WireError):
        rr.Report(False, False, 0, 0, -1, OLD).pack()

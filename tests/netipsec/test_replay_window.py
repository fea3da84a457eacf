"""Sequence numbers going out and the window at the other end (RFC 4303 3.3.3, 3.4.3, appendix A)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamelab.stack.netipsec.errors import TransformError
from kamelab.stack.netipsec.replay import acceptable, next_sequence, update, whole_sequence
from kamelab.stack.netipsec.sadb import X_EXT_CYCSEQ, Sa


def sa(replay: int = 4, **given: bool | int) -> Sa:
    made = Sa(50, 256, bytes(16), bytes(16), replay=replay, esn=bool(given.get("esn")))
    made.flags = int(given.get("flags", 0))
    return made


def test_numbers_begin_with_one() -> None:
    sender = sa()
    assert [next_sequence(sender) for _ in range(3)] == [1, 2, 3]


def test_the_last_number_is_sent_and_then_no_more() -> None:
    sender = sa()
    sender.seq = 0xFFFFFFFE
    assert next_sequence(sender) == 0xFFFFFFFF
    for _ in range(2):
        with pytest.raises(TransformError, match="would wrap") as refused:
            next_sequence(sender)
        assert refused.value.reason == "SEQ_OVERFLOW"
    assert sender.seq == 0xFFFFFFFF


def test_a_cyclic_association_begins_again() -> None:
    sender = sa(flags=X_EXT_CYCSEQ)
    sender.seq = 0xFFFFFFFF
    assert [next_sequence(sender), next_sequence(sender)] == [1, 2]
    assert sender.cycles == 1


def test_64_bits_go_on_and_never_cycle() -> None:
    sender = sa(esn=True, flags=X_EXT_CYCSEQ)
    sender.seq = 0xFFFFFFFF
    assert next_sequence(sender) == 0x100000000
    sender.seq = 2**64 - 1
    with pytest.raises(TransformError):
        next_sequence(sender)


def test_each_number_passes_once() -> None:
    receiver = sa()
    for seq in (1, 2, 5, 3):
        assert acceptable(receiver, seq)
        assert update(receiver, seq)
        assert not acceptable(receiver, seq)
        assert not update(receiver, seq)
    assert receiver.last == 5
    # Bit n is `last - n`: 5, 3, 2, 1 were seen, 4 was not.
    assert receiver.bitmap == 0b11101


def test_what_is_left_of_the_window_is_too_old() -> None:
    receiver = sa(replay=1)
    assert update(receiver, 100)
    assert acceptable(receiver, 93)
    assert not acceptable(receiver, 92)
    assert not update(receiver, 92)
    # A jump further than the window is wide forgets all before it.
    assert update(receiver, 93)
    assert update(receiver, 1000)
    assert receiver.bitmap == 1
    assert acceptable(receiver, 993)


def test_zero_is_no_number_and_a_window_of_zero_checks_nothing() -> None:
    assert not acceptable(sa(), 0)
    free = sa(replay=0)
    for seq in (0, 7, 7, 3):
        assert acceptable(free, seq)
        assert update(free, seq)


def test_testing_moves_nothing() -> None:
    receiver = sa()
    assert acceptable(receiver, 50)
    assert (receiver.last, receiver.bitmap) == (0, 0)


@given(st.lists(st.integers(-3, 80), max_size=60), st.sampled_from([1, 4, 8]))
def test_the_window_agrees_with_a_plain_set(arrivals: list[int], size: int) -> None:
    receiver, seen, highest = sa(replay=size), set(), 0
    for seq in arrivals:
        fresh = seq > 0 and seq not in seen and seq > highest - 8 * size
        assert acceptable(receiver, seq) == fresh
        assert update(receiver, seq) == fresh
        if fresh:
            seen.add(seq)
            highest = max(highest, seq)
        assert receiver.bitmap < 1 << 8 * size


@given(st.integers(1, 2**40), st.integers(-31, 2**31), st.sampled_from([1, 4, 16]))
def test_the_upper_half_is_found_again(last: int, ahead: int, size: int) -> None:
    # RFC 4303 A2.2: whatever is in the window or less than half a cycle ahead is taken for itself.
    receiver = sa(replay=size, esn=True)
    receiver.last = last
    seq = max(1, last + max(ahead, 1 - 8 * size))
    assert whole_sequence(receiver, seq & 0xFFFFFFFF) == seq

"""Checkpoints along a session's past: wherever one goes back to, it is as if the lab had been replayed from boot."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from playing import Position, demo, play, position
from test_time_travel import LABS, SCRIPTS

from kamelab.lab.digest import trace_hash
from kamelab.lab.opening import open_session
from kamelab.lab.session import Session


def replayed(session: Session, events: int, time: int) -> tuple[Position, str]:
    """The position by replay from boot alone."""
    session.history.forget()
    session.back(events, time)
    return position(session), trace_hash(session.world)


@settings(max_examples=12)
@given(
    lab=st.sampled_from(sorted(LABS)),
    script=SCRIPTS,
    hops=st.lists(st.floats(0, 1), min_size=2, max_size=4),
    apart=st.integers(7, 90),
)
def test_any_way_back_is_the_same_as_a_replay(lab: str, script: list[str], hops: list[float], apart: int) -> None:
    session = LABS[lab]()
    session.history._interval = apart
    play(session, "run 12s", *script, "run 1s", "back 1")
    for far in hops:
        play(session, "run 2s")
        session.back(round(far * session.events))
        here = position(session), trace_hash(session.world)
        other = LABS[lab]()
        other.journal = list(session.journal)
        other.back(session.events, session.now)
        assert (position(other), trace_hash(other.world)) == here


def test_a_step_back_replays_only_from_the_last_checkpoint() -> None:
    session = demo()
    play(session, "run until idle", "h1: ping6 -i 0.01 -c 2000 -q 2001:db8:2::ff:fe00:301", "back 1")
    done: list[int] = []
    session.watchers.append(lambda one: done.append(one.events))
    play(session, "back 1")
    assert 0 < len(done) <= 1000


def test_a_lesson_goes_back_with_its_session() -> None:

    session = open_session("first-contact")
    solution = [line for task in session.lab.tasks for line in task.solution]
    session.history._interval = 10
    play(session, *solution, "back 1")
    lesson = session.tasks
    assert lesson.passed
    for events in range(session.events, 0, -7):
        session.back(events)
        seen = [(task.status, task.passed_at, [check.mark for check in task.checks]) for task in lesson.states]
        session.history.forget()
        session.back(events)
        assert seen == [(task.status, task.passed_at, [check.mark for check in task.checks]) for task in lesson.states]


def test_a_new_input_makes_another_future() -> None:
    session = demo()
    session.history._interval = 5
    play(session, "run 20s", "back 3", "run 5s", "back 20", "h1: ping6 -c 2 2001:db8:1::1", "run 3s", "back 2")
    here = session.digest()
    other = demo()
    other.journal = list(session.journal)
    other.back(session.events, session.now)
    assert other.digest() == here

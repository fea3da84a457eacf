"""The runner lets the engine have its time in slices, whatever the engine does."""

from __future__ import annotations

import pytest

from kamelab.lab.opening import open_session
from kamelab.lab.session import Session
from kamelab.ui.runner import BATCH, SLICE, Runner

SECOND = 1_000_000_000


class Wall:
    """A wall clock that moves by so much each time it is looked at."""

    def __init__(self, step: float = 0.0) -> None:
        self.now = 100.0
        self.step = step
        self.looks = 0

    def __call__(self) -> float:
        self.looks += 1
        self.now += self.step
        return self.now


@pytest.fixture
def session() -> Session:
    return open_session("demo")


def finish(runner: Runner, turns: int = 10_000) -> int:
    """Turn until nothing runs; how many turns it took."""
    for count in range(turns):
        if runner.turn() is None:
            return count
    raise AssertionError("still running")


def test_nothing_runs_at_first(session: Session) -> None:
    runner = Runner(session, Wall())
    assert not runner.running
    assert runner.turn() is None
    assert session.events == 0


def test_a_slice_ends_after_three_milliseconds_of_wall_time(session: Session) -> None:
    wall = Wall(step=SLICE / 3.9)
    runner = Runner(session, wall)
    runner.set_speed(0.0)
    runner.resume()
    wall.looks = 0
    before = session.events
    assert runner.turn() == 0.0
    # One look at its begin, then one after each batch until the slice is used up.
    assert wall.looks == 5
    assert 0 < session.events - before <= 4 * BATCH
    assert runner.running


def test_real_time_is_kept_at_every_speed(session: Session) -> None:
    wall = Wall()
    runner = Runner(session, wall)
    runner.resume()
    wall.now += 2.0
    runner.turn()
    assert session.now == 2 * SECOND
    runner.set_speed(10.0)
    wall.now += 0.5
    runner.turn()
    assert session.now == 7 * SECOND


def test_it_sleeps_until_the_next_event_but_never_long(session: Session) -> None:
    wall = Wall()
    runner = Runner(session, wall)
    runner.resume()
    nap = runner.turn()
    assert nap is not None
    assert 0.0 < nap <= 0.05


def test_a_machine_that_is_too_slow_owes_nothing(session: Session) -> None:
    wall = Wall(step=1.0)  # every look costs a second
    runner = Runner(session, wall)
    runner.set_speed(1000.0)
    runner.resume()
    runner.turn()
    behind = session.now
    runner.set_speed(1.0)
    wall.step = 0.0
    wall.now += 1.0
    runner.turn()
    assert session.now - behind <= 2 * SECOND


def test_a_foreground_line_runs_while_paused_and_pauses_at_its_end(session: Session) -> None:
    runner = Runner(session, Wall())
    runner.set_speed(0.0)
    runner.submit("run 5s")
    finish(runner)
    assert session.now == 5 * SECOND
    outcome = runner.submit("h1: ping6 -c 2 2001:db8:2::1")
    assert runner.running
    finish(runner)
    assert outcome.command is not None
    assert outcome.command.status == 0
    assert not runner.running
    assert session.now == pytest.approx(6 * SECOND, rel=0.01)


def test_running_freely_goes_on_after_a_command(session: Session) -> None:
    runner = Runner(session, Wall(step=0.0001))
    runner.set_speed(0.0)
    runner.resume()
    for _ in range(3):
        runner.turn()
    runner.submit("h1: ping6 -c 1 2001:db8:2::1")
    while session.foreground is not None:
        runner.turn()
    assert runner.running
    runner.pause()
    assert runner.turn() is None


def test_pause_holds_a_program_and_resume_lets_it_go_on(session: Session) -> None:
    runner = Runner(session, Wall(step=SLICE))
    runner.set_speed(0.0)
    runner.submit("run 5s")
    finish(runner)
    runner.submit("h1: ping6 -c 3 2001:db8:2::1")
    runner.turn()
    runner.toggle()
    events = session.events
    assert runner.turn() is None
    assert session.events == events
    assert session.foreground is not None
    runner.toggle()
    finish(runner)
    assert session.foreground is None


def test_steps_inside_a_program_leave_it_waiting(session: Session) -> None:
    runner = Runner(session, Wall(step=SLICE))
    runner.set_speed(0.0)
    runner.submit("run 5s")
    finish(runner)
    outcome = runner.submit("h1: ping6 -c 3 2001:db8:2::1")
    runner.pause()
    events = session.events
    runner.step()
    finish(runner)
    assert session.events == events + 1
    assert session.foreground is not None
    assert not runner.running
    runner.resume()
    finish(runner)
    assert outcome.command is not None
    assert outcome.command.status == 0


def test_a_step_does_not_wait_for_real_time(session: Session) -> None:
    runner = Runner(session, Wall())
    runner.submit("run 5s")
    runner.set_speed(0.0)
    finish(runner)
    runner.set_speed(1.0)
    runner.step("timer")
    finish(runner)
    assert session.now > 5 * SECOND


def test_back_takes_a_command_back_and_forward_plays_it_again(session: Session) -> None:
    runner = Runner(session, Wall())
    runner.set_speed(0.0)
    runner.submit("run 5s")
    finish(runner)
    before, digest = session.events, session.digest()
    runner.submit("h1: ping6 -c 1 2001:db8:2::1")
    finish(runner)
    after, later = session.events, session.digest()
    runner.back(after - before)
    assert session.events == before
    assert session.digest() == digest
    assert session.tail == 1
    runner.step(str(after - before))
    finish(runner)
    assert session.digest() == later


def test_back_into_a_program_waits_there(session: Session) -> None:
    runner = Runner(session, Wall())
    runner.set_speed(0.0)
    runner.submit("run 5s")
    finish(runner)
    runner.submit("h1: ping6 -c 3 2001:db8:2::1")
    finish(runner)
    runner.submit("back 3")
    assert session.foreground is not None
    assert not runner.running
    runner.resume()
    finish(runner)
    assert session.foreground is None


def test_interrupt_ends_a_program_that_is_held(session: Session) -> None:
    runner = Runner(session, Wall(step=SLICE))
    runner.set_speed(0.0)
    runner.submit("run 5s")
    finish(runner)
    outcome = runner.submit("h1: ping6 2001:db8:2::1")
    runner.turn()
    runner.pause()
    assert runner.interrupt()
    finish(runner)
    assert outcome.command is not None
    assert "ping6 statistics" in outcome.command.text
    assert not runner.interrupt()


@pytest.mark.parametrize(("line", "speed", "text"), [("speed 10", 10.0, "x10"), ("speed max", 0.0, "max")])
def test_speed_is_set_by_the_typed_command(session: Session, line: str, speed: float, text: str) -> None:
    runner = Runner(session, Wall())
    runner.submit(line)
    assert runner.speed == speed
    assert runner.speed_text == text


def test_a_wrong_speed_changes_nothing(session: Session) -> None:
    runner = Runner(session, Wall())
    assert runner.submit("speed fast").status == 2
    assert runner.speed == 1.0


def test_the_speed_key_stops_at_both_ends(session: Session) -> None:
    runner = Runner(session, Wall())
    for _ in range(20):
        runner.next_speed()
    assert runner.speed == 0.0
    for _ in range(20):
        runner.next_speed(-1)
    assert runner.speed == 0.1


def test_flat_out_an_answer_from_the_net_still_comes_while_a_program_reads_the_terminal(session: Session) -> None:
    runner = Runner(session, Wall(step=0.0001))
    runner.set_speed(0.0)
    for line in ("run 6s", "h2: inetd", "h1: nc 2001:db8:2::ff:fe00:301 echo"):
        runner.submit(line)
        for _ in range(200):
            runner.turn()
    session.type_text("h1", "hello\n")
    session.take_output()
    for _ in range(200):
        assert runner.turn() is not None
    assert "".join(chunk.text for chunk in session.take_output() if chunk.kind == "text") == "hello\n"
    assert session.now < 7 * SECOND


def test_flat_out_time_waits_for_somebody_who_is_asked_to_type(session: Session) -> None:
    runner = Runner(session, Wall(step=0.0001))
    runner.set_speed(0.0)
    runner.submit("h1: cat")
    for _ in range(100):
        assert runner.turn() is not None
    assert session.now == 0
    session.type_text("h1", "hello\n")
    session.end_of_file("h1")
    finish(runner)
    assert "".join(chunk.text for chunk in session.take_output() if chunk.kind == "text") == "hello\n"

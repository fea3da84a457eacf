"""`kamelab run`: scripts, options, files that it writes, and exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_transcripts import kamelab, run

from kamelab import __version__
from kamelab.core.trace import Trace

PING = "h1: ping6 -c 2 2001:db8:2::ff:fe00:301"

BUSY = """\
format = 1
title = "Never idle"
[links.lan]
[nodes.h1]
interfaces.ne0 = { link = "lan", up = true }
startup = ["ping6 ::1 &"]
"""


def objects(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


# -- scripts ---------------------------------------------------------------------------------------------------------


def test_each_line_is_echoed_with_time_and_addressee_and_output_stands_as_it_is() -> None:
    result = run("# a remark", "", "h1: echo one", "run 1500ms   # time passes", "all: hostname", "echo two")
    assert result.stdout == (
        "[00:00:00.000000] h1# echo one\n"
        "one\n"
        "[00:00:00.000000] kamelab# run 1500ms   # time passes\n"
        "[00:00:01.500000] all# hostname\n"
        "h1\nr1\nh2\n"
        "[00:00:01.500000] h1# echo two\n"
        "two\n"
    )
    assert (result.exit_code, result.stderr) == (0, "")


def test_a_script_file_and_standard_input_give_the_same(tmp_path: Path) -> None:
    script = tmp_path / "script.txt"
    script.write_text(f"run 5s\n{PING}\n", encoding="utf-8")
    assert kamelab("run", "demo", str(script)).stdout == run("run 5s", PING).stdout
    # As an editor of another system writes it.
    script.write_bytes(b"\xef\xbb\xbf" + f"run 5s\r\n{PING}\r\n".encode())
    assert kamelab("run", "demo", str(script)).stdout == run("run 5s", PING).stdout


def test_here_documents_and_quoted_newlines_belong_to_their_line() -> None:
    result = run(
        "h1: cat <<EOF | grep -v two", "one", "# no comment", "two", "EOF", 'h1: echo "a', 'b"', "h1: cat <<X", "X"
    )
    assert result.exit_code == 0
    assert "one\n# no comment\n[" in result.stdout
    assert "a\nb\n[" in result.stdout


def test_a_program_that_reads_the_terminal_gets_an_end_of_file_at_once() -> None:
    result = run("h1: cat", "h1: grep x", "h1: echo after")
    assert result.stdout.splitlines()[-2:] == ["[00:00:00.000000] h1# echo after", "after"]


def test_jobs_run_on_while_time_passes_and_their_output_comes_in_its_time() -> None:
    result = run(
        "h1: sleep 10 &", "h1: sleep 3 &", "run 4s", "h1: jobs", "h1: kill %1", "h1: jobs", options=("--quiet",)
    )
    assert result.stdout.splitlines() == [
        "[1] 4",
        "[2] 6",
        "[1] - Running           sleep 10",
        "[2] + Done              sleep 3",
        "[1] + Done(143)         sleep 10",
    ]
    result = run("run 5s", "h1: ping6 -c 2 -i 2 2001:db8:1::1 &", "run 1s", "h1: echo between", "run 2s")
    first, between, second = (result.stdout.index(text) for text in ("icmp_seq=0", "\nbetween", "icmp_seq=1"))
    assert first < between < second


def test_output_that_ends_within_a_line_is_ended_before_the_next_echo() -> None:
    result = run("h1: echo -n abc", "h1: echo def")
    assert result.stdout.splitlines()[1:] == ["abc", "[00:00:00.000000] h1# echo def", "def"]


def test_quit_ends_a_script() -> None:
    result = run("h1: echo one", "quit", "h1: echo two", options=("--until", "1h"))
    assert (result.stdout.splitlines()[-1], result.exit_code) == ("[00:00:00.000000] kamelab# quit", 0)


# -- without a script ------------------------------------------------------------------------------------------------


def test_without_a_script_the_lab_runs_until_nothing_is_to_come() -> None:
    result = kamelab("run", "demo", "--json")
    whole = objects(result.stdout)[-1]
    assert isinstance(whole["time"], int)
    assert 10**9 < whole["time"] < 60 * 10**9
    assert (result.exit_code, result.stderr) == (0, "")
    assert kamelab("run", "demo").stdout == "[00:00:00.000000] kamelab# run until idle\n"


def test_a_lab_that_is_never_idle_is_stopped_with_a_warning(tmp_path: Path) -> None:
    lab = tmp_path / "busy.toml"
    lab.write_text(BUSY, encoding="utf-8")
    result = kamelab("run", str(lab), "--timeout", "20s", "--quiet")
    assert result.exit_code == 3
    assert result.stderr == "kamelab: not idle after 20s, so stopped there; --until T runs to a given time\n"


def test_until_runs_on_to_a_time_since_boot() -> None:
    for lines in ((), ("run 1s",)):
        assert objects(run(*lines, options=("--until", "2.5s", "--json")).stdout)[-1]["time"] == 2_500_000_000
    assert objects(kamelab("run", "demo", "--until", "1m", "--json").stdout)[-1]["time"] == 60 * 10**9
    # What is past stays past.
    assert objects(run("run 3s", options=("--until", "2s", "--json")).stdout)[-1]["time"] == 3 * 10**9


# -- failures --------------------------------------------------------------------------------------------------------


def test_a_failing_program_does_not_stop_the_script_and_the_exit_code_tells() -> None:
    result = run("h1: false", "h1: ping6 nosuch", "h1: echo on")
    assert result.exit_code == 1
    assert result.stdout.endswith("on\n")
    assert result.stderr == "kamelab: <stdin>: failed: line 1 (status 1), line 2 (status 1)\n"


def test_strict_stops_at_the_first_failing_line() -> None:
    result = run("h1: true", "h1: false", "h1: echo on", options=("--strict", "--until", "1h"))
    assert result.exit_code == 1
    assert "echo on" not in result.stdout
    assert result.stderr == "<stdin>:2: status 1: stopped there (--strict)\n"
    assert run("h1: true", "trace nosuch.field == 1", "h1: true", options=("--strict",)).exit_code == 1


def test_a_line_that_takes_too_long_is_interrupted_with_status_124() -> None:
    lines = ("h1: sleep 600", "h1: echo after")
    result = run(*lines, options=("--timeout", "10s", "--json"))
    sleep, after, _ = objects(result.stdout)
    assert (sleep["status"], sleep["ended"], after["status"]) == (124, 10 * 10**9, 0)
    assert result.exit_code == 1
    assert "<stdin>:1: sleep: still running after 10s; interrupted\n" in result.stderr
    assert run(*lines).exit_code == 0
    assert objects(run("h1: sleep 2h", options=("--json",)).stdout)[0]["status"] == 124


def test_a_line_that_kamelab_can_not_run_is_named_by_file_and_line(tmp_path: Path) -> None:
    script = tmp_path / "script.txt"
    script.write_text("h1: true\nrun 5x\n", encoding="utf-8")
    result = kamelab("run", "demo", str(script))
    assert result.exit_code == 1
    assert result.stderr.startswith(f"{script}:2: run: expected a duration such as 50us or 1.5s")


def test_a_broken_script_runs_nothing_and_all_its_faults_are_told() -> None:
    result = run("h1: true", "h1: echo (", "h3: true", "lniks", 'h1: cat "a', 'b" `', "h1: cat <<EOF", "text")
    assert (result.exit_code, result.stdout) == (4, "")
    assert result.stderr.splitlines() == [
        "<stdin>:2: syntax: subshells are not supported: quote the parenthesis (column 10)",
        "<stdin>:3: line: no node is called 'h3'",
        "<stdin>:4: line: lniks: no such console command or program (did you mean 'links'?)",
        "<stdin>:6: syntax: command substitution is not supported: quote the ` (column 4)",
        '<stdin>:7: syntax: here-document without a line "EOF" (column 11)',
    ]


def test_a_script_that_is_no_text_or_not_there(tmp_path: Path) -> None:
    script = tmp_path / "script.txt"
    script.write_bytes(b"h1: true\nh1: \xff\n")
    result = kamelab("run", "demo", str(script))
    assert result.exit_code == 4
    assert result.stderr == f"{script}:2: syntax: expected text in UTF-8, the octet 0xff here is none\n"
    run(f"save {tmp_path / 'a.session'}")
    result = kamelab("run", "demo", str(tmp_path / "a.session"))
    assert result.exit_code == 4
    assert "a.session:1: script: expected console lines, not a session file" in result.stderr
    result = kamelab("run", "demo", str(tmp_path / "none.txt"))
    assert result.exit_code == 2
    assert "none.txt: No such file or directory" in result.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--until", "5"), "expected a duration such as 50us or 1.5s"),
        (("--timeout", "0"), "expected more than no time at all"),
        (("--seed", "x"), "'x' is not a valid integer"),
        (("--realtime", "--tap", "lan1"), "expected LINK=DEV for --tap"),
        (("--realtime", "--tap", "lan9=tap0"), "no link is called 'lan9'"),
        (("--realtime", "--udp", "lan1=a:1"), "expected LINK=HOST:PORT,HOST:PORT"),
        (("--realtime", "--json"), "do not go with --realtime"),
        (("--control", "/tmp/x"), "--tap, --udp and --control need --realtime"),
        (("--nonsense",), "No such option"),
    ],
)
def test_wrong_options_are_wrong_usage(options: tuple[str, ...], said: str) -> None:
    result = kamelab("run", "demo", *options)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_a_lab_that_is_invalid_or_not_there(tmp_path: Path) -> None:
    lab = tmp_path / "broken.toml"
    lab.write_text('format = 1\ntitle = "x"\n[nodes.h1]\nroel = "host"\n', encoding="utf-8")
    result = kamelab("run", str(lab))
    assert result.exit_code == 4
    assert f"{lab}:4: nodes.h1.roel" in result.stderr
    assert kamelab("run", "dmeo").exit_code == 2


def test_a_program_that_breaks_is_kamelabs_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(proc: object, argv: list[str]) -> int:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr("kamelab.userland.programs.main_of", lambda name: main)
    result = run("h1: true", "h1: true")
    assert result.exit_code == 70
    assert result.stderr.count("RuntimeError: broken on purpose") == 1
    assert "please report it" in result.stderr


# -- forms of output -------------------------------------------------------------------------------------------------


def test_quiet_leaves_only_what_programs_print() -> None:
    assert run("run 5s", "h1: echo one", "h1: hostname", options=("--quiet",)).stdout == "one\nh1\n"


def test_json_is_an_object_a_line_and_one_of_the_whole() -> None:
    result = run("run 1s", "h2: echo one; false", "all: hostname", "links", options=("--json",))
    passed, echo, every, links, whole = objects(result.stdout)
    assert passed == {
        "line": "run 1s", "node": "kamelab", "time": 0, "ended": 10**9, "output": "", "console": [], "status": 0,
    }  # fmt: skip
    assert (echo["node"], echo["line"], echo["output"], echo["status"]) == ("h2", "echo one; false", "one\n", 1)
    assert (every["node"], every["output"]) == ("all", "h1\nr1\nh2\n")
    assert (links["node"], links["status"]) == ("kamelab", 0)
    assert set(whole) == {"digest", "events", "time", "status"}
    assert (whole["time"], whole["status"], result.exit_code) == (10**9, 1, 1)


def test_options_come_from_the_environment() -> None:
    env = {"KAMELAB_RUN_UNTIL": "2s", "KAMELAB_RUN_JSON": "1", "KAMELAB_RUN_SEED": "7"}
    assert objects(kamelab("run", "demo", env=env).stdout)[-1]["time"] == 2 * 10**9
    with_option = objects(kamelab("run", "demo", "--until", "2s", "--json", "--seed", "7").stdout)
    assert objects(kamelab("run", "demo", env=env).stdout) == with_option


# -- files -----------------------------------------------------------------------------------------------------------


def test_trace_holds_every_record(tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    result = run("run 5s", PING, options=("--trace", str(file)))
    assert result.exit_code == 0
    rows = objects(file.read_text(encoding="utf-8"))
    assert [row["num"] for row in rows] == list(range(1, len(rows) + 1))
    fields = "num time node interface stage packet event reason rule note cause also frame"
    assert list(rows[0]) == fields.split()
    frames = [row for row in rows if row["event"] in ("rx", "tx")]
    # Ethernet type of IPv6 behind two addresses, in hexadecimal.
    assert frames
    assert all(str(row["frame"])[24:28] == "86dd" for row in frames)


def test_a_capture_that_is_not_complete_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "all.pcapng"
    assert run("run 5s", PING, options=("--pcapng", str(file))).exit_code == 0
    size = file.stat().st_size
    monkeypatch.setattr(Trace.__init__, "__defaults__", (8_000, 50))
    result = run("run 5s", PING, options=("--pcapng", str(file), "--trace", str(tmp_path / "trace.jsonl")))
    assert result.exit_code == 3
    assert "oldest frames had to be let go: the capture is not complete" in result.stderr
    assert "old records had to be let go: the trace is not complete" in result.stderr
    assert 0 < file.stat().st_size < size
    result = run("run 5s", PING, f"export {file}", "h1: echo on", options=("--strict",))
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (3, "on")


def test_a_file_that_can_not_be_written_is_told_before_anything_runs(tmp_path: Path) -> None:
    result = run("h1: echo one", options=("--pcapng", str(tmp_path / "none" / "x.pcapng")))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "x.pcapng: No such file or directory" in result.stderr


# -- sessions --------------------------------------------------------------------------------------------------------


def test_a_saved_session_goes_on_where_it_stood(tmp_path: Path) -> None:
    file = tmp_path / "ping.session"
    before = run("run 5s", PING, f"save {file}", "h1: ndp -an", "h1: netstat -s", "nodes", options=("--json",))
    after = run("h1: ndp -an", "h1: netstat -s", "nodes", lab=str(file), options=("--json",))
    assert objects(after.stdout)[:-1] == objects(before.stdout)[3:-1]
    assert objects(after.stdout)[-1] == objects(before.stdout)[-1]
    assert kamelab("run", str(file)).exit_code == 0


def test_a_session_of_another_version_is_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "old.session"
    run("run 5s", f"save {file}")
    file.write_text(file.read_text(encoding="utf-8").replace(f'"{__version__}"', '"0.0.1"', 1), encoding="utf-8")
    result = run("h1: true", lab=str(file))
    assert result.exit_code == 3
    assert "this session was saved by kamelab 0.0.1" in result.stderr


def test_a_session_that_replays_to_something_else_is_invalid(tmp_path: Path) -> None:
    file = tmp_path / "other.session"
    run("run 5s", PING, f"save {file}")
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("ping6 -c 2", "ping6 -c 1"), encoding="utf-8")
    result = kamelab("run", str(file))
    assert (result.exit_code, result.stdout) == (4, "")
    assert f"{file}:3: digest: expected the digest" in result.stderr
    file.write_text(text.replace('"h1"', '"h9"', 1), encoding="utf-8")
    assert f"{file}:2: node: expected a node of the lab, not 'h9'" in kamelab("run", str(file)).stderr


def test_a_seed_is_for_labs_not_for_sessions(tmp_path: Path) -> None:
    file = tmp_path / "a.session"
    run(f"save {file}")
    result = kamelab("run", str(file), "--seed", "2")
    assert result.exit_code == 2
    assert "--seed is for labs" in result.stderr


# -- determinism -----------------------------------------------------------------------------------------------------


def test_the_same_seed_and_script_give_the_same_octets_whatever_the_hash_seed(tmp_path: Path) -> None:
    script = tmp_path / "script.txt"
    lines = (
        "run 5s",
        "all: ndp -an",
        PING,
        "link lan1 loss=30%",
        "h1: ping6 -c 20 2001:db8:1::1",
        "h2: traceroute6 -n 2001:db8:1::1",
        "all: netstat -s",
        "trace",
        "timers",
    )
    script.write_text("\n".join(lines), encoding="utf-8")
    outputs = []
    for hash_seed in ("0", "1", "4711"):
        capture, trace = tmp_path / f"{hash_seed}.pcapng", tmp_path / f"{hash_seed}.jsonl"
        done = subprocess.run(
            [sys.executable, "-m", "kamelab", "run", "demo", script, "--json", "--pcapng", capture, "--trace", trace],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=False,
        )
        outputs.append((done.returncode, done.stdout, done.stderr, capture.read_bytes(), trace.read_bytes()))
    assert outputs[0] == outputs[1] == outputs[2]
    assert len(outputs[0][3]) > 10_000


def test_another_seed_changes_delays_and_not_results() -> None:
    lines = ("run 30s", "h1: ifconfig ne0", "h1: netstat -nr", PING, "trace icmpv6.type == 133")
    one, two = (objects(run(*lines, options=("--seed", seed, "--json")).stdout) for seed in ("1", "2"))
    # When the hosts first ask for a router is drawn by lot (RFC 4861 6.3.7).
    assert one[4]["output"] != two[4]["output"]
    for index in (1, 3):
        assert one[index]["output"] == two[index]["output"]

    def without_expire(text: object) -> list[list[str]]:
        return [line.split()[:4] for line in str(text).splitlines()]

    assert without_expire(one[2]["output"]) == without_expire(two[2]["output"])
    assert one[-1]["digest"] != two[-1]["digest"]

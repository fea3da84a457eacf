"""The shell and its built-in programs, as typed at a node's terminal."""

from __future__ import annotations

import pytest
from userland_bench import Bench, lab

from kamelab.core.clock import SECOND
from kamelab.userland import man, programs
from kamelab.userland.builtins_text import basic_to_python
from kamelab.userland.system import PROCESS_LIMIT

BUILTINS = (
    *("echo", "cat", "ls", "rm", "cp", "grep", "kill", "ps", "jobs"),
    *("sleep", "hostname", "logger", "dmesg", "true", "false", "man", "sh"),
)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return lab(monkeypatch)


@pytest.mark.parametrize(
    ("line", "text", "status"),
    [
        ("echo a  b", "a b\n", 0),
        ("echo 'a  b' \"c d\" e\\ f # g", "a  b c d e f\n", 0),
        ("echo -n x; echo y", "xy\n", 0),
        ("true", "", 0),
        ("false", "", 1),
        ("false; true", "", 0),
        ("", "", 0),
        ("# nothing", "", 0),
        ("echo b a | cat | grep -c a", "1\n", 0),
        ("echo $HOME *", "$HOME *\n", 0),
        ("false | true", "", 0),
        ("true | false", "", 1),
        ("/bin/echo path", "path\n", 0),
        ("cat <<EOF\none\n  two $x\nEOF\necho three", "one\n  two $x\nthree\n", 0),
        ("cat <<-'E F'; cat <<G\n\tone\n\tE F\ntwo\nG", "one\ntwo\n", 0),
        ("echo one > /tmp/a; echo two >> /tmp/a; cat < /tmp/a", "one\ntwo\n", 0),
        ("echo long text > /tmp/a; echo s > /tmp/a; cat -n /tmp/a", "     1\ts\n", 0),
        ("> /tmp/empty; ls /tmp", "empty\n", 0),
        ("cat /tmp/none", "cat: /tmp/none: No such file or directory\n", 1),
        ("cat < /tmp/none", "sh: cannot open /tmp/none: No such file or directory\n", 2),
        ("echo x > /etc", "sh: cannot open /etc: Is a directory\n", 2),
        ("sh -c 'echo in; false'", "in\n", 1),
        ("echo 'echo scripted' > /s; sh /s", "scripted\n", 0),
        ("echo 'echo piped' | sh", "piped\n", 0),
        ("echo x > /tmp/x; cp /tmp/x /etc; cat /etc/x; rm /tmp/x /etc/x; ls /tmp", "x\n", 0),
        ("rm /tmp/x", "rm: /tmp/x: No such file or directory\n", 1),
        ("rm -f /tmp/x", "", 0),
        ("rm /etc", "rm: /etc: Operation not permitted\n", 1),
        ("cp /etc /tmp/y", "cp: /etc is a directory (not copied).\n", 1),
        ("ls /etc", "hosts\ninetd.conf\nip6addrctl.conf\nservices\n", 0),
        ("ls /etc/hosts /nowhere", "ls: /nowhere: No such file or directory\n/etc/hosts\n", 1),
        ("ls", "dev\netc\ntmp\nvar\n", 0),
        ("cat /etc/hosts", "::1\t\t\tlocalhost h1\n", 0),
        ("hostname", "h1\n", 0),
        ("hostname gate.example; hostname; hostname -s", "gate.example\ngate\n", 0),
        ("sleep", "usage: sleep seconds\n", 1),
        ("cat -z", "cat: illegal option -- z\nusage: cat [-n] [file ...]\n", 1),
        (
            "grep -e",
            "grep: option requires an argument -- e\nusage: grep [-cEFilnqv] [-e pattern] [pattern] [file ...]\n",
            2,
        ),
        ("echo a+b | grep a+", "a+b\n", 0),
        ("echo aab | grep -E '^a+b$'", "aab\n", 0),
        ("echo ABC | grep -in b", "1:ABC\n", 0),
        ("echo a.b | grep -F .b", "a.b\n", 0),
        ("echo x | grep y", "", 1),
        ("echo x | grep -v y", "x\n", 0),
        ("grep local /etc/hosts /no", "/etc/hosts:::1\t\t\tlocalhost h1\ngrep: /no: No such file or directory\n", 2),
        ("grep -l h1 /etc/hosts", "/etc/hosts\n", 0),
    ],
)
def test_line(bench: Bench, line: str, text: str, status: int) -> None:
    assert bench.sh(line) == (text, status)


def test_unknown_command_is_127_with_the_nearest_name(bench: Bench) -> None:
    assert bench.sh("pnig6 ::1") == ("sh: pnig6: not found (did you mean ping6?)\n", 127)
    assert bench.sh("xyzzy; echo on") == ("sh: xyzzy: not found\non\n", 0)
    assert bench.sh("/no/such/echo")[1] == 127


def test_pipe_from_an_unknown_command_ends(bench: Bench) -> None:
    assert bench.sh("xyzzy | cat") == ("sh: xyzzy: not found\n", 0)
    assert bench.sh("echo x | xyzzy") == ("sh: xyzzy: not found\n", 127)
    assert bench.system.pipes == {}


def test_syntax_error_points_at_the_token(bench: Bench) -> None:
    assert bench.sh("echo a | | cat") == (
        'sh: syntax error: "|" unexpected (column 10)\n  echo a | | cat\n           ^\n',
        2,
    )
    text, status = bench.sh("echo one\n  echo a && b")
    assert text.splitlines()[0] == (
        'sh: syntax error: "&&" is not supported: separate commands with ";" (line 2, column 10)'
    )
    assert status == 2


def test_pipeline_passes_lines_on_while_it_runs(bench: Bench) -> None:
    bench.start("sh -c 'echo one; sleep 1; echo two; sleep 5' | cat")
    bench.run(2)
    assert bench.text["t"] == "one\ntwo\n"


def test_writer_ends_when_nobody_reads(bench: Bench) -> None:
    text, status = bench.sh("sh -c 'echo one; sleep 1; echo two; echo three > /tmp/late' | true")
    assert (text, status) == ("", 0)
    assert "/tmp/late" in bench.system.files, "only the writing echo ends, not its shell"


def test_background_job_returns_at_once(bench: Bench) -> None:
    assert bench.sh("sleep 5 &") == ("[1] 2\n", 0)
    assert bench.clock.now == 0
    assert bench.sh("sh -c 'sleep 2; echo out' & echo here") == ("[2] 4\nhere\n", 0)
    assert bench.sh("jobs") == (
        "[1] - Running           sleep 5\n[2] + Running           sh -c 'sleep 2; echo out'\n",
        0,
    )
    bench.run(3)
    assert bench.text["t"].endswith("out\n")
    assert bench.sh("jobs")[0].splitlines()[1] == "[2] + Done              sh -c 'sleep 2; echo out'"
    assert bench.sh("jobs")[0] == "[1] + Running           sleep 5\n"
    assert bench.sh("kill %1; jobs") == ("[1] + Done(143)         sleep 5\n", 0)
    assert bench.sh("jobs", "other") == ("", 0)


def test_background_job_does_not_read_the_terminal(bench: Bench) -> None:
    bench.sh("cat &")
    assert bench.system.procs == {}


def test_kill_and_ps(bench: Bench) -> None:
    bench.sh("sleep 5 &")
    text, _ = bench.sh("ps")
    assert text.splitlines()[0].split() == ["PID", "TT", "STAT", "WCHAN", "COMMAND"]
    assert text.splitlines()[1].split() == ["2", "t", "S", "nanslp", "sleep", "5"]
    assert bench.sh("kill -BOGUS 2")[1] == 1
    assert bench.sh("kill 999") == ("kill: 999: No such process\n", 1)
    assert bench.sh("kill %7") == ("kill: no such job: %7\n", 1)
    assert bench.sh("kill fe80::1") == ("kill: illegal process id: fe80::1\n", 1)
    assert bench.sh("kill -0 2") == ("", 0)
    assert bench.sh("kill -s KILL 2; kill -0 2") == ("kill: 2: No such process\n", 1)


def test_interrupt_ends_the_whole_line(bench: Bench) -> None:
    pid = bench.start("sleep 9; echo not this")
    bench.system.interrupt("t")
    bench.drain()
    assert bench.system.status(pid) == 130
    assert bench.text.get("t", "") == ""


def test_typed_input_and_end_of_file(bench: Bench) -> None:
    pid = bench.start("cat; echo over")
    assert bench.system.reading("t")
    bench.system.input("t", "one\ntw")
    bench.drain()
    assert bench.text["t"] == "one\n"
    bench.system.eof("t")
    bench.drain()
    assert bench.text["t"] == "one\ntwover\n"
    assert bench.system.status(pid) == 0


def test_shell_on_a_terminal_prompts_and_takes_here_documents(bench: Bench) -> None:
    pid = bench.start("sh")
    for line in ("cat <<E\n", "in\n", "E\n", "false\n"):
        bench.system.input("t", line)
        bench.drain()
    bench.system.interrupt("t")
    bench.drain()
    bench.system.eof("t")
    bench.drain()
    assert bench.text["t"] == "h1# > > in\nh1# h1# \nh1# "
    assert bench.system.status(pid) == 1, "the last command's"


def test_startup_lines_write_to_the_console(bench: Bench) -> None:
    bench.start("echo up; sleep 1; echo -n half; echo line", "console", background=True)
    assert bench.system.idle()
    bench.run()
    assert bench.system.console == [(0, "up"), (SECOND, "half"), (SECOND, "line")]
    assert bench.text["console"] == "up\nhalfline\n"


def test_logger_and_dmesg(bench: Bench) -> None:
    bench.sh("logger -t me hello; echo 'from in' | logger")
    assert bench.sh("dmesg") == ("me: hello\nroot: from in\n", 0)
    assert bench.system.console == [(0, "me: hello"), (0, "root: from in")]


def test_scripts_that_call_themselves_run_out_of_processes(bench: Bench) -> None:
    text, _ = bench.sh("echo 'sh /s' > /s; sh /s")
    assert "sh: cannot fork: Resource temporarily unavailable\n" in text
    assert len(bench.system.procs) < PROCESS_LIMIT


def test_streams_are_the_nodes_own(bench: Bench) -> None:
    """Numbers of processes begin at 1 for each node and do not depend on anything else."""
    assert [bench.start("true"), bench.start("true"), Bench().system.shell("true", "x")] == [1, 3, 1]


def test_every_builtin_is_there() -> None:
    for name in BUILTINS:
        assert callable(programs.main_of(name))
        assert name in programs.names()


def test_man_prints_pages_that_fit_the_screen(bench: Bench) -> None:
    text, status = bench.sh("man sh")
    assert status == 0
    assert "NAME" in text
    assert bench.sh("man 8 sh") == (text, 0)
    assert bench.sh("man shh") == ("No manual entry for shh (did you mean sh?)\n", 1)
    assert "sh - " in bench.sh("man -k shell")[0]
    for name in BUILTINS:
        page = man.page(name)
        assert page is not None, name
        assert name in man.summary(page), name
        assert max(map(len, page.splitlines())) <= 78, name


def test_basic_regular_expressions() -> None:
    assert basic_to_python("a+(b)") == r"a\+\(b\)"
    assert basic_to_python(r"\(a\|b\)\{2\}") == "(a|b){2}"
    assert basic_to_python("[]+]x*") == "[]+]x*"
    assert basic_to_python("*a") == r"\*a"

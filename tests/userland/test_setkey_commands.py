"""setkey's commands as PF_KEY messages, and the program itself in front of the key engine.

RFC 2367, KAME setkey(8), KAME USAGE (HOST A and HOST B).
"""

from __future__ import annotations

import pytest
from fake_proc import SECOND, FakeProc, run

from kamelab.core import errors
from kamelab.core.errors import Errno
from kamelab.stack.netipsec.key import KeyEngine, key_parse
from kamelab.userland import ipsec_policy, setkey, setkey_commands
from kamelab.userland.programs import MODULES, main_of
from kamelab.userland.setkey_grammar import SyntaxFault, parse
from kamelab.wire import in6, pfkey
from kamelab.wire.pfkey import Address, Key, Lifetime, Message, Policy, Request, Sa, Sa2, Sockaddr

ONE, TWO = in6.pton("2001:db8::1"), in6.pton("2001:db8::2")
DES = '-E des-cbc "PASSWORD"'


class World(FakeProc):
    """A program in front of a key engine."""

    def __init__(self) -> None:
        super().__init__()
        self.engine = KeyEngine()
        self.asked: list[Message] = []
        self.key = self.kernel

    def kernel(self, pid: int, data: bytes) -> list[bytes]:
        self.asked.append(pfkey.parse(data))
        return [answer for _target, answer in key_parse(self.engine, pid, data, self.now)]

    def setkey(self, text: str) -> tuple[int, str, str]:
        """Commands on standard input: status, output, errors."""
        self.stdin = text
        return run(setkey.main, "setkey -c", self)


def message(text: str) -> Message:
    """The one message of one command, of a process with number 512."""
    (command,) = parse(text)
    fake = FakeProc()
    algorithms = {
        (kind, number): pfkey.Alg(number, 0, 0, 4096) for kind in (14, 15) for number in (2, 3, 9, 11, 12, 249)
    }
    (one,) = setkey_commands.messages(fake, command, algorithms)
    return one


def hosts(src: bytes = ONE, dst: bytes = TWO) -> tuple[Address, Address]:
    return Address(5, Sockaddr(src), 8 * len(src)), Address(6, Sockaddr(dst), 8 * len(dst))


def test_add_tells_association_mode_addresses_limits_and_keys() -> None:
    options = "-m transport -u 7 -r 4 -f random-pad -lh 100 -ls 80"
    sha1 = '-A hmac-sha1 "KAMEKAMEKAMEKAMEKAME"'
    assert message(f"add 2001:db8::1 2001:db8::2 esp 0x1000 {options} {DES} {sha1};") == Message(
        pfkey.SADB_ADD,
        pfkey.SADB_SATYPE_ESP,
        pid=512,
        extensions=(
            Sa(0x1000, 4, 0, pfkey.SADB_AALG_SHA1HMAC, pfkey.SADB_EALG_DESCBC, 0x0140),
            Sa2(pfkey.IPSEC_MODE_TRANSPORT, 0, 7),
            *hosts(),
            Lifetime(pfkey.SADB_EXT_LIFETIME_HARD, addtime=100),
            Lifetime(pfkey.SADB_EXT_LIFETIME_SOFT, addtime=80),
            Key(pfkey.SADB_EXT_KEY_AUTH, b"KAMEKAMEKAMEKAMEKAME"),
            Key(pfkey.SADB_EXT_KEY_ENCRYPT, b"PASSWORD"),
        ),
    )


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        (f"esp 1000 {DES}", 0x0040),
        (f"esp 1000 -f nocyclic-seq {DES}", 0x0000),
        (f"esp 1000 -f zero-pad {DES}", 0x0240),
        (f"esp 1000 -f random-pad -f seq-pad {DES}", 0x0040),
        (f"esp 1000 -f esn {DES}", 0x0440),
        (f"esp-old 1000 {DES}", 0x0041),
        ('esp-old 1000 -E des-32iv "PASSWORD"', 0x0051),
        ('esp 1000 -E des-deriv "PASSWORD"', 0x0060),
        ('ah-old 1000 -A keyed-md5 "MYSECRETMYSECRET"', 0x0041),
        ("ipcomp 1000 -C deflate", 0x0040),
        ("ipcomp 1000 -C deflate -R", 0x00C0),
    ],
)
def test_the_flags_of_an_association_follow_its_protocol_and_options(words: str, flags: int) -> None:
    sa = message(f"add 2001:db8::1 2001:db8::2 {words};").get(pfkey.SADB_EXT_SA)
    assert isinstance(sa, Sa)
    assert sa.flags == flags


def test_get_and_delete_name_one_association_deleteall_a_pair() -> None:
    bare = Sa(3000, state=0)
    for word, kind in (("get", pfkey.SADB_GET), ("delete", pfkey.SADB_DELETE)):
        found = message(f"{word} 10.2.3.4 10.6.7.8 ah 3000;")
        assert (found.type, found.satype) == (kind, pfkey.SADB_SATYPE_AH)
        assert found.extensions == (bare, *hosts(bytes((10, 2, 3, 4)), bytes((10, 6, 7, 8))))
    found = message("deleteall 2001:db8::1 2001:db8::2 ipcomp;")
    assert (found.type, found.satype, found.extensions) == (pfkey.SADB_DELETE, pfkey.SADB_X_SATYPE_IPCOMP, hosts())


@pytest.mark.parametrize(
    ("text", "kind", "satype"),
    [
        ("flush;", pfkey.SADB_FLUSH, 0),
        ("flush esp-old;", pfkey.SADB_FLUSH, pfkey.SADB_SATYPE_ESP),
        ("dump ah;", pfkey.SADB_DUMP, pfkey.SADB_SATYPE_AH),
        ("spdflush;", pfkey.SADB_X_SPDFLUSH, 0),
        ("spddump;", pfkey.SADB_X_SPDDUMP, 0),
    ],
)
def test_flush_and_dump_are_messages_without_extensions(text: str, kind: int, satype: int) -> None:
    assert message(text) == Message(kind, satype, pid=512)


def test_spdadd_tells_policy_and_selector() -> None:
    found = message(
        "spdadd 2001:db8:1::/48 2001:db8:2::/48[80] tcp -P out ipsec esp/tunnel/2001:db8::1-2001:db8::2/unique:9;"
    )
    request = Request(50, pfkey.IPSEC_MODE_TUNNEL, pfkey.IPSEC_LEVEL_UNIQUE, 9, Sockaddr(ONE), Sockaddr(TWO))
    assert found.extensions == (
        Policy(pfkey.IPSEC_POLICY_IPSEC, pfkey.IPSEC_DIR_OUTBOUND, 0, (request,)),
        Address(5, Sockaddr(in6.pton("2001:db8:1::")), 48, 6),
        Address(6, Sockaddr(in6.pton("2001:db8:2::"), 80), 48, 6),
    )


def test_icmp6_type_and_code_stand_in_the_ports() -> None:
    found = message("spdadd ::/0 ::/0 icmp6 135,2 -P in none;")
    ports = [one.sockaddr.port for one in found.extensions if isinstance(one, Address)]
    assert ports == [135, 2]


def test_a_zone_goes_into_the_scope_id() -> None:
    found = message("deleteall fe80::1%de0 fe80::2%lo0 esp;")
    assert [one.sockaddr for one in found.extensions if isinstance(one, Address)] == [
        Sockaddr(in6.pton("fe80::1"), 0, 1),
        Sockaddr(in6.pton("fe80::2"), 0, 2),
    ]


@pytest.mark.parametrize(
    ("aiflags", "expected"),
    [
        ("", [("192.0.2.1", "192.0.2.1"), ("2001:db8::b", "2001:db8::b")]),
        ("-4", [("192.0.2.1", "192.0.2.1")]),
        ("-6", [("2001:db8::b", "2001:db8::b")]),
        ("-46", [("2001:db8::b", "2001:db8::b")]),
    ],
)
def test_a_name_with_several_addresses_makes_an_operation_for_each_pair(
    aiflags: str, expected: list[tuple[str, str]]
) -> None:
    fake = FakeProc()
    fake.files["/etc/hosts"] = "192.0.2.1 both\n2001:db8::b both # twice\n"
    (command,) = parse(f"deleteall {aiflags} both both esp;")
    found = setkey_commands.messages(fake, command, {})
    assert [
        tuple(ipsec_policy.address_text(fake, one.sockaddr) for one in each.extensions if isinstance(one, Address))
        for each in found
    ] == expected


def test_keys_are_measured_against_the_kernels_list() -> None:
    (command,) = parse(f"add 2001:db8::1 2001:db8::2 esp 1000 {DES};")
    fake = FakeProc()
    for algorithms, words in (
        ({}, "Must get supported algorithms list first"),
        ({(15, 3): pfkey.Alg(3, 8, 192, 192)}, "Not supported"),
        ({(15, 2): pfkey.Alg(2, 8, 72, 72)}, "Invalid key length"),
    ):
        with pytest.raises(SyntaxFault, match=words):
            setkey_commands.messages(fake, command, algorithms)


# -- policies as text and octets -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("in discard", "in discard"),
        ("out none", "out none"),
        ("in entrust", "in entrust"),
        ("out bypass", "out bypass"),
        ("out ipsec esp/transport//use", "out ipsec\nesp/transport//use"),
        ("out ipsec esp/transport", ""),
        ("out ipsec esp/transport/ ah/transport//", "out ipsec\nesp/transport//default\nah/transport//default"),
        ("in ipsec esp/unique:5", "in ipsec\nesp/transport//unique:5"),
        ("in ipsec ah/::1-::2/require", "in ipsec\nah/tunnel/::1-::2/require"),
        (
            "out ipsec \\ ah/transport/10.0.1.1-10.0.2.2/use \\ esp/tunnel/10.0.1.1-10.0.1.2/require",
            "out ipsec\nah/transport/10.0.1.1-10.0.2.2/use\nesp/tunnel/10.0.1.1-10.0.1.2/require",
        ),
    ],
)
def test_a_policy_goes_to_octets_and_back(text: str, shown: str) -> None:
    fake = FakeProc()
    if not shown:
        with pytest.raises(ipsec_policy.PolicyError, match=r'^libipsec: Too few arguments while parsing ""$'):
            ipsec_policy.ipsec_set_policy(fake, text)
        return
    data = ipsec_policy.ipsec_set_policy(fake, text)
    assert len(data) == 8 * int.from_bytes(data[:2], "little")
    assert ipsec_policy.ipsec_dump_policy(fake, data) == shown
    assert ipsec_policy.ipsec_set_policy(fake, shown) == data


def test_an_id_that_the_kernel_drew_is_shown_with_a_number_sign() -> None:
    policy = Policy(2, 2, 1, (Request(50, 1, 3, 16384), Request(51, 1, 3, 16383)))
    assert ipsec_policy.requests(FakeProc(), policy) == [
        "esp/transport//unique#16384",
        "ah/transport//unique:16383",
    ]


# -- the program ---------------------------------------------------------------------------------------------------


def test_setkey_is_a_program_with_a_page() -> None:
    assert "setkey" in MODULES
    assert main_of("setkey") is setkey.main


@pytest.mark.parametrize(
    "line",
    [f"setkey{rest}" for rest in ("", " -z", " -H -D", " -n -D", " -V", " -p", " -D -F", " -f", " -c /etc/a", " -v")],
)
def test_wrong_options_get_the_usage_and_status_1(line: str) -> None:
    status, out, err = run(setkey.main, line, World())
    assert (status, out) == (1, "")
    assert err.endswith(setkey.USAGE)


def test_a_node_without_pf_key_says_so() -> None:
    fake = FakeProc()
    assert run(setkey.main, "setkey -D", fake) == (1, "", "setkey: socket(PF_KEY): Protocol not supported\n")


def test_host_a_of_usage_is_installed_without_a_word() -> None:
    world = World()
    text = """\
add 10.2.3.4 10.6.7.8 ah 1000 -m transport -A keyed-md5
"MYSECRETMYSECRET" ;
add 10.6.7.8 10.2.3.4 ah 2000 -m transport -A hmac-sha1
"KAMEKAMEKAMEKAMEKAME" ;
add 10.6.7.8 10.2.3.4 esp 3000 -m transport -E des-cbc "PASSWORD" ;
spdadd 10.2.3.4 10.6.7.8 any -P out ipsec
ah/transport/10.2.3.4-10.6.7.8/require ;
"""
    assert world.setkey(text) == (0, "", "")
    assert sorted(sa.spi for sa in world.engine.sad) == [1000, 2000, 3000]
    assert [policy.dir for policy in world.engine.spd] == ["out"]


def test_the_second_policy_of_usages_host_b_exists_already() -> None:
    world = World()
    text = """\
spdadd 10.6.7.8 10.2.3.4 any -P out ipsec
esp/transport/10.6.7.8-10.2.3.4/require ;
spdadd 10.6.7.8 10.2.3.4 any -P out ipsec
ah/transport/10.6.7.8-10.2.3.4/require ;
"""
    assert world.setkey(text) == (0, "The result of line 4: File exists.\n", "")
    together = """\
spdflush;
spdadd 10.6.7.8 10.2.3.4 any -P out ipsec
esp/transport/10.6.7.8-10.2.3.4/require
ah/transport/10.6.7.8-10.2.3.4/require ;
"""
    assert world.setkey(together) == (0, "", "")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (f"add 2001:db8::1 2001:db8::2 esp 255 {DES};", "Invalid argument"),
        (
            "add 2001:db8::1 2001:db8::2 ah 1000 -lh 10 -A hmac-md5 0x00112233445566778899aabbccddeeff;",
            "Invalid argument",
        ),
        ("add 2001:db8::1 2001:db8::2 esp 1000 -E des-cbc 0x0101010101010101;", "Invalid argument"),
        ("add 2001:db8::1 2001:db8::2 ipcomp 1000 -C lzs;", "Invalid argument"),
        ("add 2001:db8::1 2001:db8::2 ipcomp 1000 -C oui;", "Invalid argument"),
        ("get 2001:db8::1 2001:db8::2 esp 1000;", "No such file or directory"),
        ("delete 2001:db8::1 2001:db8::2 esp 1000;", "No such file or directory"),
        ("dump;", "No SAD entries"),
        ("spddump;", "No SPD entries"),
        ("spdadd 2001:db8::1 2001:db8::2 any -P out ipsec;", "Invalid argument"),
        ("spdadd 2001:db8::1 2001:db8::2 any -P out entrust;", "Invalid argument"),
        ("spdadd 2001:db8::1 2001:db8::2 any -P out bypass;", "Invalid argument"),
        ("spdadd 2001:db8::1/129 2001:db8::2 any -P out none;", "Invalid argument"),
        ("spdadd 2001:db8::1 10.0.0.1 any -P out none;", "Invalid argument"),
        ("spdadd ::/0[80] ::/0 tcp -P out ipsec esp/tunnel/::1-::2/use;", "Invalid argument"),
        ("spddelete 2001:db8::1 2001:db8::2 any -P out;", "Invalid argument"),
    ],
)
def test_what_the_kernel_refuses_is_told_by_line_and_the_next_command_runs(command: str, words: str) -> None:
    world = World()
    assert world.setkey(f"\n{command}\nspdadd ::1 ::2 tcp -P in none;") == (
        0,
        f"The result of line 2: {words}.\n",
        "",
    )
    assert [policy.dir for policy in world.engine.spd] == ["in"]


def test_a_mistake_ends_all_but_what_stands_before_it_is_done() -> None:
    world = World()
    text = "spdadd ::1 ::2 any -P in none;\nspdadd ::1 ::3 any\n-P sideways none;\nspdflush;"
    assert world.setkey(text) == (
        1,
        "",
        'libipsec: Invalid direciton while parsing "sideways"\n'
        "line 3: Invalid direciton at [sideways]\n"
        "parse failed, line 3.\n",
    )
    assert len(list(world.engine.spd)) == 1


def test_a_command_without_its_end_is_a_mistake_in_the_last_line() -> None:
    assert World().setkey("flush;\nflush\n") == (1, "", "line 3: syntax error at []\nparse failed, line 3.\n")


def test_the_obsolete_name_of_null_brings_a_warning() -> None:
    world = World()
    status, out, err = world.setkey('add ::1 ::2 esp 1000 -E simple "";')
    assert (status, out) == (0, "")
    assert err == "line 1: warning: the name is obsolete, use null at [simple]\n"
    assert [sa.ealg for sa in world.engine.sad] == [pfkey.SADB_EALG_NULL]


def test_commands_come_from_files_one_after_the_other() -> None:
    world = World()
    world.files["/etc/a.conf"] = "spdadd ::1 ::2 any -P in none;"
    world.files["/etc/b.conf"] = "spdadd ::2 ::1 any -P out none;"
    assert run(setkey.main, "setkey -f /etc/a.conf", world) == (0, "", "")
    assert run(setkey.main, "setkey /etc/b.conf /etc/a.conf", world) == (
        0,
        "The result of line 1: File exists.\n",
        "",
    )
    world.stdin = "spdflush;"
    assert run(setkey.main, "setkey -f -", world) == (0, "", "")
    assert list(world.engine.spd) == []
    assert run(setkey.main, "setkey -f /etc/c.conf", world) == (
        1,
        "",
        "setkey: /etc/c.conf: No such file or directory\n",
    )


def test_flush_options_empty_one_database_each() -> None:
    world = World()
    world.setkey(f"add ::1 ::2 esp 1000 {DES}; spdadd ::1 ::2 any -P in none;")
    assert run(setkey.main, "setkey -F", world) == (0, "", "")
    assert (len(world.engine.sad), len(list(world.engine.spd))) == (0, 1)
    assert run(setkey.main, "setkey -FP", world) == (0, "", "")
    assert list(world.engine.spd) == []


def test_answers_to_others_are_passed_over() -> None:
    world = World()

    def kernel(pid: int, data: bytes) -> list[bytes]:
        foreign = pfkey.build(Message(data[1], pid=9, errno=errors.EINVAL))
        other = pfkey.build(Message(pfkey.SADB_ACQUIRE, pfkey.SADB_SATYPE_ESP, pid=512))
        return [foreign, other, *world.kernel(pid, data)]

    world.key = kernel
    assert world.setkey("spdadd ::1 ::2 any -P in none;") == (0, "", "")


def test_a_kernel_that_does_not_answer_is_waited_for_a_second() -> None:
    world = World()
    world.key = lambda pid, data: []
    assert world.setkey("flush;") == (1, "", "setkey: register: Resource temporarily unavailable\n")
    assert world.now == SECOND


def test_a_message_that_the_kernel_does_not_take_is_told_too() -> None:
    world = World()

    def kernel(pid: int, data: bytes) -> list[bytes]:
        if data[1] == pfkey.SADB_FLUSH:
            raise Errno(errors.ENOBUFS)
        return world.kernel(pid, data)

    world.key = kernel
    assert world.setkey("\nflush;") == (0, "The result of line 2: No buffer space available.\n", "")

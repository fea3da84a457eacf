"""What setkey shows, to the letter, and that what it shows recreates the databases.

KAME setkey(8) (`pfkey_dump.c`): the layouts of the last versions.
"""

from __future__ import annotations

import re

import pytest
from fake_proc import SECOND, FakeProc, Interrupted, run

from kamelab.stack.netipsec import sa_state
from kamelab.stack.netipsec.key import KeyEngine, key_parse
from kamelab.stack.netipsec.policy import Policy
from kamelab.userland import setkey, setkey_dump
from kamelab.userland.proc import SIGINT, SIGTERM, Signal
from kamelab.wire import pfkey
from kamelab.wire.pfkey import Message

EPOCH = 950_522_400 * SECOND
"""Feb 14 10:00:00 2000."""


class World(FakeProc):
    """A program in front of a key engine, at ten o'clock."""

    def __init__(self) -> None:
        super().__init__()
        self.engine = KeyEngine(epoch=EPOCH)
        self.epoch = EPOCH
        self.key = self.kernel
        self.signal = SIGINT

    def kernel(self, pid: int, data: bytes) -> list[bytes]:
        answers = key_parse(self.engine, pid, data, self.now, lambda size: b"\x12" * size)
        return [data for _socket, data in self.engine.deliver(answers, [3], 3)]

    async def recvmsg(self, fd: int, timeout: int | None = None) -> object:
        if timeout is None and not self.heard:
            raise Signal(self.signal)
        return await super().recvmsg(fd, timeout)

    async def sleep(self, ns: int) -> None:
        try:
            await super().sleep(ns)
        except Interrupted:
            raise Signal(self.signal) from None

    def setkey(self, text: str) -> str:
        """Commands that are all carried out; what they show."""
        self.stdin = text
        status, out, err = run(setkey.main, "setkey -c", self)
        assert (status, err) == (0, "")
        return out

    def show(self, options: str) -> str:
        status, out, err = run(setkey.main, f"setkey {options}", self)
        assert (status, err) == (0, "")
        return out


def used(world: World) -> None:
    """An association of 330 seconds that carried ten packets of 104 octets, the last a second ago."""
    world.setkey(
        'add 2001:db8::1 2001:db8::2 esp 0x1000 -m transport -r 4 -E des-cbc "PASSWORD" '
        '-A hmac-sha1 "KAMEKAMEKAMEKAMEKAME";'
    )
    (sa,) = world.engine.sad
    for _packet in range(10):
        world.engine.transferred(sa, 104, 329 * SECOND)
    world.now = 330 * SECOND


ESP = """\
2001:db8::1 2001:db8::2\x20
\tesp mode=transport spi=4096(0x00001000) reqid=0(0x00000000)
\tE: des-cbc  50415353 574f5244
\tA: hmac-sha1  4b414d45 4b414d45 4b414d45 4b414d45 4b414d45
\tseq=0x00000000 replay=4 flags=0x00000040 state=mature\x20
\tcreated: Feb 14 10:00:00 2000\tcurrent: Feb 14 10:05:30 2000
\tdiff: 330(s)\thard: 0(s)\tsoft: 0(s)
\tlast: Feb 14 10:05:29 2000\thard: 0(s)\tsoft: 0(s)
\tcurrent: 1040(bytes)\thard: 0(bytes)\tsoft: 0(bytes)
\tallocated: 10\thard: 0\tsoft: 0
\tsadb_seq=0 pid=512 refcnt=1
"""


def test_an_association_is_shown_as_kames() -> None:
    world = World()
    used(world)
    assert world.show("-D") == ESP
    assert world.setkey("get 2001:db8::1 2001:db8::2 esp 0x1000;") == ESP
    assert world.setkey("dump esp;") == ESP


def test_an_unused_association_with_limits_shows_them() -> None:
    world = World()
    world.now = 5 * SECOND
    world.setkey(
        "add 10.2.3.4 10.6.7.8 ah-old 1000 -u 7 -lh 100 -ls 80 -A keyed-md5 0x0123456789abcdef0123456789abcdef;"
    )
    assert world.show("-D") == (
        "10.2.3.4 10.6.7.8 \n"
        "\tah mode=any spi=1000(0x000003e8) reqid=7(0x00000007)\n"
        "\tA: md5  01234567 89abcdef 01234567 89abcdef\n"
        "\tseq=0x00000000 replay=0 flags=0x00000041 state=mature \n"
        "\tcreated: Feb 14 10:00:05 2000\tcurrent: Feb 14 10:00:05 2000\n"
        "\tdiff: 0(s)\thard: 100(s)\tsoft: 80(s)\n"
        "\tlast:                     \thard: 0(s)\tsoft: 0(s)\n"
        "\tcurrent: 0(bytes)\thard: 0(bytes)\tsoft: 0(bytes)\n"
        "\tallocated: 0\thard: 0\tsoft: 0\n"
        "\tsadb_seq=0 pid=512 refcnt=1\n"
    )


def test_compression_and_its_flags_share_a_line() -> None:
    world = World()
    world.setkey("add fe80::1%de0 fe80::2%de0 ipcomp 0x1000 -C deflate -R;")
    first, second, third, *_rest = world.show("-D").splitlines()
    assert first == "fe80::1%de0 fe80::2%de0 "
    assert second == "\tipcomp mode=any spi=4096(0x00001000) reqid=0(0x00000000)"
    assert third == "\tC: deflate \tseq=0x00000000 replay=0 flags=0x000000c0 state=mature "


def test_a_long_key_goes_on_in_a_line_of_its_own_and_an_empty_one_is_empty() -> None:
    world = World()
    world.setkey(f'add ::1 ::2 esp 1000 -E null "" -A hmac-sha2-384 0x{"00112233" * 12};')
    lines = world.show("-D").splitlines()
    assert lines[2] == "\tE: null "
    assert lines[3] == "\tA: hmac-sha2-384 " + " 00112233" * 8
    assert lines[4] == " 00112233" * 4


def test_a_larval_association_is_shown_without_keys() -> None:
    world = World()
    ends = [pfkey.Address(kind, pfkey.Sockaddr(bytes(15) + b"\x01"), 128) for kind in (5, 6)]
    getspi = Message(pfkey.SADB_GETSPI, pfkey.SADB_SATYPE_ESP, 3, 99, 0, (pfkey.Sa2(1), *ends))
    world.kernel(99, pfkey.build(getspi))
    text = world.show("-D")
    assert "state=larval \n" in text
    assert "\tE: none \n" in text
    assert "\tA: " not in text


def test_the_rows_of_a_dump_count_down_newest_pair_first() -> None:
    world = World()
    for spi, dst in ((1000, "::2"), (1001, "::3"), (1002, "::2")):
        world.setkey(f'add ::1 {dst} esp {spi} -E des-cbc "PASSWORD";')
    text = world.show("-D")
    assert re.findall(r"spi=(\d+)", text) == ["1001", "1002", "1000"]
    assert re.findall(r"sadb_seq=(\d+)", text) == ["2", "1", "0"]


def test_dead_associations_are_shown_with_a_only() -> None:
    world = World()
    used(world)
    (sa,) = world.engine.sad
    sa.refcnt += 1
    world.engine.kill(sa, "delete")
    assert world.show("-D") == ""
    assert "state=dead \n" in world.show("-Da")
    assert world.show("-aD").count("spi=4096") == 1


def test_empty_databases_say_so() -> None:
    assert World().show("-D") == "No SAD entries.\n"
    assert World().show("-DP") == "No SPD entries.\n"
    assert World().show("-D -P") == "No SPD entries.\n"


TUNNEL = """\
2001:db8:1::/48[any] 2001:db8:2::/48[any] any
\tout ipsec
\tesp/tunnel/2001:db8::1-2001:db8::2/require
\tcreated: Feb 14 10:00:00 2000  lastused: Feb 14 10:05:29 2000
\tspid=1 seq=0 pid=512
\trefcnt=1
"""


def test_a_policy_is_shown_as_kames() -> None:
    world = World()
    world.setkey("spdadd 2001:db8:1::/48 2001:db8:2::/48 any -P out ipsec esp/tunnel/2001:db8::1-2001:db8::2/require;")
    (policy,) = world.engine.spd
    policy.used = 329 * SECOND
    assert re.sub(r"spid=\d+", "spid=1", world.show("-DP")) == TUNNEL
    assert re.sub(r"spid=\d+", "spid=1", world.setkey("spddump;")) == TUNNEL
    policy.lifetime, policy.validtime = 3600, 60
    assert "2000\n\tlifetime: 3600(s) validtime: 60(s)\n\tspid=" in world.show("-DP")


def test_policies_are_shown_in_before_out_in_the_order_of_their_search() -> None:
    world = World()
    world.setkey("""
        spdadd ::1 ::2[80] tcp -P out none;
        spdadd ::2 ::1 icmp6 135,0 -P in ipsec ah/transport//unique esp/transport//unique:5;
        spdadd ::/0 ::/0 icmp6 -P in discard;
        spdadd 10.0.0.0/8 10.1.2.3 99 -P out none;
    """)
    text = world.show("-DP")
    assert [line for line in text.splitlines() if "[" in line] == [
        "::2[any] ::1[any] icmp6 135,0",
        "::/0[any] ::/0[any] icmp6",
        "::1[any] ::2[80] tcp",
        "10.0.0.0/8[any] 10.1.2.3[any] 99",
    ]
    assert re.findall(r"seq=(\d)", text) == ["3", "2", "1", "0"]
    assert re.search(r"\tah/transport//unique#\d{5}\n\tesp/transport//unique:5\n", text)


def test_a_policy_of_a_socket_has_no_selector() -> None:
    world = World()
    message = Message(pfkey.SADB_X_SPDDUMP, extensions=(pfkey.Policy(3, 1, 8),), pid=9, reserved=2)
    assert setkey_dump.policy_text(world, message) == (
        "(no selector, probably per-socket policy)\n\tin entrust\n\tspid=8 seq=0 pid=9\n\trefcnt=2\n"
    )


def test_the_short_table_has_a_line_for_each_association_every_second() -> None:
    world = World()
    used(world)
    world.setkey("add 10.0.0.1 10.0.0.2 ipcomp 9 -lh 100 -ls 80 -C deflate;")
    world.naps = 1
    assert world.show("-lD") == (
        "time p s spi      ltime   src -> dst\n"
        "0530 i M 00000009 100     10.0.0.1 -> 10.0.0.2\n"
        "0530 e M 00001000 -       2001:db8::1 -> 2001:db8::2\n"
        "time p s spi      ltime   src -> dst\n"
        "0531 i M 00000009 99      10.0.0.1 -> 10.0.0.2\n"
        "0531 e M 00001000 -       2001:db8::1 -> 2001:db8::2\n"
    )


# -- messages ------------------------------------------------------------------------------------------------------


def monitored(options: str) -> str:
    """What the monitor shows of a policy that somebody else adds, until it is interrupted."""
    world = World()
    policy = pfkey.Policy(1, 2)
    ends = [pfkey.Address(kind, pfkey.Sockaddr(bytes(15) + b"\x01"), 128) for kind in (5, 6)]
    other = pfkey.build(Message(pfkey.SADB_X_SPDADD, seq=4, pid=99, extensions=(policy, *ends)))

    def kernel(pid: int, data: bytes) -> list[bytes]:
        if data[1] != pfkey.SADB_X_PROMISC:
            return world.kernel(pid, data)
        asked.append(pfkey.parse(data))
        return [other, b"\x02"]

    asked: list[Message] = []
    world.key = kernel
    out = world.show(options)
    assert asked == [Message(pfkey.SADB_X_PROMISC, 1, pid=512)]
    return out


def test_the_monitor_shows_each_message_with_its_time_field_by_field() -> None:
    out = monitored("-x")
    assert out.startswith(
        "\nFeb 14 10:00:00 2000\nsadb_msg{ version=2 type=14(x_spdadd) errno=0 satype=0 seq=4 pid=99 }\n"
        "  sadb_x_policy{ out none id=0 }\n  sadb_address_src{ ::1/128 port=0 proto=255 }\n"
    )
    assert out.endswith("  no PF_KEY message: 1 octets are no message\n")
    assert monitored("-xx").startswith("950522400.000000\nsadb_msg{ ")


def test_the_monitor_shows_the_octets_too() -> None:
    assert "\n0000: 020e0000 0e000000 04000000 63000000\n" in monitored("-xh")


def test_the_monitor_goes_on_after_a_restore_without_asking_again() -> None:
    world = World()
    world.state = setkey.State(3, frozenset("x"), 1)
    world.heard = [pfkey.build(Message(pfkey.SADB_FLUSH, pid=4))]
    world.key = None
    assert "type=9(flush) errno=0 satype=0 seq=0 pid=4" in world.show("-x")


def test_other_signals_end_the_monitor_as_they_end_any_program() -> None:
    world = World()
    world.signal = SIGTERM
    assert world.show("-x").endswith("type=11(x_promisc) errno=0 satype=1 seq=0 pid=512 }\n")
    world.signal = 1
    with pytest.raises(Signal):
        world.show("-x")


def test_v_shows_both_ways() -> None:
    world = World()
    world.stdin = 'add ::1 ::2 ah 1000 -A hmac-md5 "0123456789abcdef";'
    status, out, _err = run(setkey.main, "setkey -v -c", world)
    assert status == 0
    assert re.findall(r"type=\d+\((\w+)\)", out) == ["register", "register", "add", "add"]
    assert out.count("  sadb_key_auth{ bits=128 key=30313233343536373839616263646566 }\n") == 1
    assert "  sadb_supported_auth{ 2:128-128 3:160-160 " in out
    assert "  sadb_sa{ spi=0x000003e8 replay=0 state=0 auth=2 encrypt=0 flags=0x00000040 }\n" in out
    assert "  sadb_x_sa2{ mode=0 sequence=0 reqid=0 }\n" in out


def test_an_acquires_proposal_and_a_wrapped_message_are_shown() -> None:
    world = World()
    comb = pfkey.Comb(auth=2, soft_addtime=5)
    inside = Message(pfkey.SADB_ACQUIRE, 3, extensions=(pfkey.Proposal((comb,), 32), pfkey.SpiRange(256, 999)))
    text = setkey_dump.message_text(world, Message(pfkey.SADB_X_PROMISC, payload=pfkey.build(inside)))
    assert [line.strip() for line in text.splitlines()] == [
        "sadb_msg{ version=2 type=11(x_promisc) errno=0 satype=0 seq=0 pid=0 }",
        "sadb_msg{ version=2 type=6(acquire) errno=0 satype=3 seq=0 pid=0 }",
        "sadb_prop{ replay=32 }",
        "sadb_comb{ auth=2 soft_addtime=5 }",
        "sadb_spirange{ min=256 max=999 }",
    ]
    assert "  no message inside: 3 octets are no message\n" in setkey_dump.message_text(
        world, Message(pfkey.SADB_X_PROMISC, payload=b"abc")
    )


# -- and back ------------------------------------------------------------------------------------------------------


def to_add(block: str) -> str:
    """The command that makes an association like the one shown."""
    head, line, *rest = block.splitlines()
    found = re.match(r"\t(\w+) mode=(\w+) spi=(\d+)\S* reqid=(\d+)", line)
    assert found is not None
    proto, mode, spi, reqid = found.groups()
    text = "\n".join(rest)
    settings = re.search(r"\tseq=\S+ replay=(\d+) flags=0x(\w+)", text)
    assert settings is not None
    replay, flags = int(settings[1]), int(settings[2], 16)
    old = flags & 1
    words = [f"add {head} {proto}{'-old' if old else ''} {spi} -m {mode} -u {reqid}"]
    words += [f"-r {replay}"] * bool(replay)
    words += ["-f nocyclic-seq"] * (not flags & 0x40) + ["-f esn"] * bool(flags & 0x400)
    words += [f"-f {name}" for bit, name in ((0x100, "random-pad"), (0x200, "zero-pad")) if flags & bit]
    diff = re.search(r"\tdiff: \d+\(s\)\thard: (\d+)\(s\)\tsoft: (\d+)", text)
    assert diff is not None
    words.append(f"-lh {diff[1]} -ls {diff[2]}")
    for letter, name, digits in re.findall(r"\t([EAC]): (\S+) ((?: [0-9a-f]+|\n [0-9a-f]+)*)", text):
        name = {"md5": "keyed-md5", "sha": "keyed-sha1"}.get(name, name)
        if letter == "E" and flags & 0x30:
            name = "des-deriv" if flags & 0x20 else "des-32iv"
        words.append(
            f"-{letter} {name} " + ("" if letter == "C" else f"0x{''.join(digits.split())}" if digits else '""')
        )
    words += ["-R"] * bool(flags & 0x80)
    return " ".join(words) + ";"


def to_spdadd(block: str) -> str:
    """The command that makes a policy like the one shown; an id that was drawn is drawn again."""
    head, line, *rest = block.splitlines()
    wanted = [re.sub(r"#\d+", "", text.strip()) for text in rest if re.match(r"\t(esp|ah|ipcomp)/", text)]
    return f"spdadd {head} -P {' '.join([line.strip(), *wanted])};"


def blocks(text: str) -> list[str]:
    """What a dump shows, cut at the lines that begin an entry."""
    return re.findall(r"^[^\s].*\n(?:[\t ].*\n)+", text, re.MULTILINE)


def sas(engine: KeyEngine) -> list[tuple[object, ...]]:
    """What an association is made of, in the order of a dump."""
    return [
        (*sa.index, sa.spi, sa.flags, sa.ealg, sa.ekey, sa.aalg, sa.akey, sa.calg, sa.replay, sa.esn, sa.hard, sa.soft)
        for sa in engine.sad
    ]


def policies(engine: KeyEngine) -> list[tuple[object, ...]]:
    """What a policy is made of, in the order of a dump."""
    return [(one.dir, *selector(one), one.action, re.sub(r"#\d+", "#", requests(one))) for one in engine.spd]


def selector(policy: Policy) -> tuple[object, ...]:
    return policy.src, policy.splen, policy.sport, policy.dst, policy.dplen, policy.dport, policy.proto


def requests(policy: Policy) -> str:
    return " ".join(request.words() for request in policy.requests)


EVERYTHING = f"""
add 2001:db8::1 2001:db8::2 esp 0x1000 -m transport -r 4 -E des-cbc "PASSWORD" -A hmac-sha1 "KAMEKAMEKAMEKAMEKAME";
add 2001:db8::1 2001:db8::2 esp 0x1001 -m transport -E des-deriv "PASSWORD";
add 2001:db8::1 2001:db8::2 esp-old 0x1002 -E des-cbc "PASSWORD";
add 2001:db8::1 2001:db8::2 esp-old 0x1003 -E des-32iv "PASSWORD";
add 2001:db8::1 2001:db8::2 esp 0x1004 -f random-pad -f nocyclic-seq -E 3des-cbc "123456781234abcd56784321";
add 2001:db8::1 2001:db8::2 esp 0x1005 -f zero-pad -E blowfish-cbc 0x{"9c" * 56};
add 2001:db8::1 2001:db8::2 esp 0x1006 -m tunnel -u 17 -lh 3600 -ls 2880 -E cast128-cbc 0x0123456789;
add 2001:db8::1 2001:db8::2 esp 0x1007 -E null "" -A hmac-md5 "0123456789abcdef";
add 2001:db8::1 2001:db8::2 esp 0x1008 -f esn -E aes-cbc 0x{"3d" * 32} -A hmac-sha2-256 0x{"4e" * 32};
add 2001:db8::1 2001:db8::2 esp 0x1009 -E aes-ctr 0x{"5f" * 20} -A aes-xcbc-mac 0x{"60" * 16};
add 2001:db8::1 2001:db8::2 esp 0x100a -f esn -E aes-gcm-16 0x{"71" * 20};
add 2001:db8::1 2001:db8::2 esp 0x100b -E chacha20-poly1305 0x{"82" * 36};
add 2001:db8::2 2001:db8::1 ah 0x2000 -r 32 -A hmac-sha2-512 0x{"93" * 64};
add 2001:db8::2 2001:db8::1 ah 0x2001 -A hmac-ripemd160 0x{"a4" * 20};
add 2001:db8::2 2001:db8::1 ah-old 0x2002 -A keyed-md5 "MYSECRETMYSECRET";
add 2001:db8::2 2001:db8::1 ah 0x2003 -A keyed-sha1 0x{"b5" * 20};
add 10.2.3.4 10.6.7.8 ipcomp 2 -C deflate;
add fe80::1%de0 fe80::2%de0 ipcomp 0x3000 -u 9 -C deflate -R;
spdadd 2001:db8:1::/48[any] 2001:db8:2::/48[80] tcp -P out ipsec esp/transport//require ah/transport//use;
spdadd 2001:db8:2::/48 2001:db8:1::/48 any -P in ipsec esp/tunnel/2001:db8::2-2001:db8::1/unique:17;
spdadd ::/0 ::/0 icmp6 135,0 -P in none;
spdadd ::/0 ::/0 icmp6 -P in discard;
spdadd 10.2.3.4 10.6.7.8 any -P out ipsec ah/transport/10.2.3.4-10.6.7.8/require ipcomp/transport//;
spdadd fe80::1%de0 ::/0[53] udp -P out ipsec esp/transport//unique ah/transport//unique;
spdadd 2001:db8::1 2001:db8::2 ip4 -P out ipsec esp/transport//default;
spdadd 2001:db8::1 2001:db8::2 200 -P in none;
"""


def test_what_is_shown_recreates_both_databases() -> None:
    first, second = World(), World()
    assert first.setkey(EVERYTHING) == ""
    shown, rules = first.show("-D"), first.show("-DP")
    assert len(blocks(shown)) == 18
    assert len(blocks(rules)) == 8
    # Pairs are shown newest first, as are the associations of one; policies in the order of their search.
    commands = [to_add(block) for block in reversed(blocks(shown))] + [to_spdadd(block) for block in blocks(rules)]
    assert second.setkey("\n".join(commands)) == ""
    assert sas(second.engine) == sas(first.engine)
    assert policies(second.engine) == policies(first.engine)
    assert second.show("-D") == shown


def test_the_letters_of_the_short_table_are_those_of_the_states() -> None:
    assert len(setkey_dump.STATE_LETTERS) == len(sa_state.NUMBERS) == len(pfkey.STATE_NAMES)

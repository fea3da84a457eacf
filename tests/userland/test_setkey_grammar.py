"""setkey's language: what is accepted and what is refused, with the line and the token that a refusal points at.

KAME setkey(8), ipsec_set_policy(3). Each row of the table is one text: behind it stands "" if all its commands are
accepted, else the words of the first mistake.
"""

from __future__ import annotations

import re

import pytest
from fake_proc import FakeProc

from kamelab.stack.netipsec import algorithms
from kamelab.userland import setkey_commands
from kamelab.userland.setkey_commands import PolicyFault
from kamelab.userland.setkey_grammar import Reader, SyntaxFault, parse
from kamelab.wire import pfkey

HOSTS = """\
::1 localhost
2001:db8::1 alpha
2001:db8::2 beta
192.0.2.1 both4 both
2001:db8::b both6 both
192.0.2.9 old
"""

SUPPORTED = {
    (kind, row[0]): pfkey.Alg(*row)
    for kind, rows in (
        (pfkey.SADB_EXT_SUPPORTED_AUTH, algorithms.supported_auth()),
        (pfkey.SADB_EXT_SUPPORTED_ENCRYPT, algorithms.supported_enc()),
    )
    for row in rows
}


def proc() -> FakeProc:
    fake = FakeProc()
    fake.files["/etc/hosts"] = HOSTS
    return fake


def messages(text: str) -> list[pfkey.Message]:
    """The messages of a text, and that each has octets."""
    fake = proc()
    out = [one for command in parse(text) for one in setkey_commands.messages(fake, command, SUPPORTED)]
    assert [pfkey.parse(pfkey.build(one)) for one in out] == out
    return out


def judge(text: str) -> str:
    """The first mistake of a text, the library's words before setkey's; "" if there is none."""
    try:
        messages(text)
    except PolicyFault as fault:
        return f"{fault.library}\n{fault}"
    except SyntaxFault as fault:
        return str(fault)
    return ""


AB = "2001:db8::1 2001:db8::2"
ESP = f"add {AB} esp 0x1000"
DES = '-E des-cbc "PASSWORD"'
SHA1 = '-A hmac-sha1 "KAMEKAMEKAMEKAMEKAME"'
MD5 = '-A hmac-md5 "0123456789abcdef"'
AH = f"add {AB} ah 0x1000"
COMP = f"add {AB} ipcomp 0x1000 -C deflate"
SPD = f"spdadd {AB} any -P out"
TUNNEL = "esp/tunnel/2001:db8::1-2001:db8::2"


def library(message: str, token: str, line: int = 1) -> str:
    return f'libipsec: {message} while parsing "{token}"\nline {line}: {message} at [{token}]'


def key(octets: int) -> str:
    return "0x" + "5a" * octets


SYNTAX = "line 1: syntax error at [{}]".format
MISMATCH = "line 1: algorithm mismatched at [{}]".format
KEYLEN = "line 1: Invalid key length at [{}]".format
UNSUPPORTED = "line 1: unsupported algorithm at [{}]".format
NONAME = "line 1: hostname nor servname provided, or not known at [{}]".format
UPPER = "line 1: invalid upper layer protocol at [{}]".format

TABLE: list[tuple[str, str]] = [
    # white space, comments, ends
    ("", ""),
    ("   \n\t\n", ""),
    ("# nothing but a comment", ""),
    ("# a ; in a comment\nflush;", ""),
    ("flush;", ""),
    ("flush ; # and why", ""),
    ("flush;flush;spdflush;", ""),
    ("flush\n;\n", ""),
    ('# a " in a comment\nflush;', ""),
    ("flush", SYNTAX("")),
    ("flush;\n\nspdflush\n", "line 4: syntax error at []"),
    ("flush;;", SYNTAX(";")),
    (";", SYNTAX(";")),
    ("flush spdflush;", SYNTAX("spdflush")),
    ("flush;\nfrobnicate;", "line 2: syntax error at [frobnicate]"),
    ("update 2001:db8::1 2001:db8::2 esp 1;", SYNTAX("update")),
    ("spdupdate;", SYNTAX("spdupdate")),
    ("spdget;", SYNTAX("spdget")),
    ("exit;", SYNTAX("exit")),
    ("quit;", SYNTAX("quit")),
    ("FLUSH;", SYNTAX("FLUSH")),
    ("flush !;", SYNTAX("!")),
    ("flush\n\n&;", "line 3: syntax error at [&]"),
    ("-z;", SYNTAX("-z")),
    ("4711;", SYNTAX("4711")),
    ('"flush";', SYNTAX('"flush"')),
    # flush, dump and the policies' ones
    ("flush esp;", ""),
    ("flush esp-old;", ""),
    ("flush ah;", ""),
    ("flush ipcomp;", ""),
    ("flush tcp;", SYNTAX("tcp")),
    ("flush esp ah;", SYNTAX("ah")),
    ("dump;", ""),
    ("dump ah-old;", ""),
    ("dump 50;", SYNTAX("50")),
    ("spdflush;", ""),
    ("spdflush out;", SYNTAX("out")),
    ("spddump;", ""),
    ("spddump in;", SYNTAX("in")),
    # get, delete, deleteall
    (f"get {AB} esp 0x1000;", ""),
    (f"get {AB} ah-old 4096;", ""),
    (f"get {AB} esp;", SYNTAX(";")),
    (f"get {AB} 0x1000;", SYNTAX("0x1000")),
    ("get 2001:db8::1 esp 0x1000;", SYNTAX("esp")),
    (f"get {AB} esp 0x1000 0x1001;", SYNTAX("0x1001")),
    (f"get {AB} esp 0x1000 -m transport;", SYNTAX("-m")),
    (f"delete {AB} ipcomp 3000;", ""),
    (f"delete {AB} esp any;", SYNTAX("any")),
    (f"delete {AB} esp 0x1ffffffff;", "line 1: invalid SPI at [0x1ffffffff]"),
    (f"delete {AB} esp 4294967296;", "line 1: invalid SPI at [4294967296]"),
    (f"delete {AB} esp 4294967295;", ""),
    (f"delete {AB} esp 0x;", SYNTAX("0x")),
    (f"delete {AB} esp 0xdefg;", SYNTAX("0xdefg")),
    (f"delete {AB} esp -1;", SYNTAX("-1")),
    (f"deleteall {AB} ah;", ""),
    (f"deleteall {AB};", SYNTAX(";")),
    (f"deleteall {AB} ah 0x1000;", SYNTAX("0x1000")),
    # addresses and names
    ("deleteall alpha beta esp;", ""),
    ("deleteall alpha nobody esp;", NONAME("nobody")),
    ("deleteall\nalpha\nnobody\nesp;", "line 3: hostname nor servname provided, or not known at [nobody]"),
    ("deleteall both both esp;", ""),
    ("deleteall -4 both both esp;", ""),
    ("deleteall -6 both both esp;", ""),
    ("deleteall -46 both both esp;", ""),
    ("deleteall -6 old both esp;", NONAME("old")),
    ("deleteall -4 2001:db8::1 192.0.2.1 esp;", NONAME("2001:db8::1")),
    ("deleteall -n alpha beta esp;", NONAME("alpha")),
    (f"deleteall -n6 {AB} esp;", ""),
    ("deleteall -x alpha beta esp;", SYNTAX("-x")),
    ("deleteall alpha -6 beta esp;", SYNTAX("-6")),
    ("deleteall alpha old esp;", "line 1: Family mismatch at [old]"),
    ("deleteall 10.2.3.4 10.6.7.8 ah;", ""),
    ("deleteall 10.2.3 10.6.7.8 ah;", NONAME("10.2.3")),
    ("deleteall 10.2.3.256 10.6.7.8 ah;", NONAME("10.2.3.256")),
    ("deleteall 2001:db8::1::2 alpha ah;", NONAME("2001:db8::1::2")),
    ("deleteall fe80::1%de0 fe80::2%de0 ah;", ""),
    ("deleteall fe80::1%2 fe80::2%lo0 ah;", ""),
    ("deleteall fe80::1%ne9 fe80::2 ah;", NONAME("fe80::1%ne9")),
    ("deleteall fe80:1::1 fe80::2 ah;", "line 1: Invalid argument at [fe80:1::1]"),
    ("deleteall 2001 alpha ah;", SYNTAX("2001")),
    ("deleteall any alpha ah;", SYNTAX("any")),
    ("deleteall ah alpha ah;", SYNTAX("ah")),
    # add: ESP
    (f"{ESP} {DES};", ""),
    (f"{ESP} {DES} {SHA1};", ""),
    (f"{ESP} -m transport {DES};", ""),
    (f"{ESP} -m tunnel {DES};", ""),
    (f"{ESP} -m any {DES};", ""),
    (f"{ESP} -m sideways {DES};", SYNTAX("sideways")),
    (f"{ESP} -m {DES};", SYNTAX("-E")),
    (f"{ESP} {DES} -m tunnel;", SYNTAX("-m")),
    (f"{ESP} -u 5 -r 4 -f nocyclic-seq -f random-pad -lh 3600 -ls 2880 {DES};", ""),
    (f"{ESP} -u 0x5 {DES};", SYNTAX("0x5")),
    (f"{ESP} -u five {DES};", SYNTAX("five")),
    (f"{ESP} -r 255 {DES};", ""),
    (f"{ESP} -r 256 {DES};", SYNTAX("256")),
    (f"{ESP} -r {DES};", SYNTAX("-E")),
    (f"{ESP} -f seq-pad {DES};", ""),
    (f"{ESP} -f zero-pad {DES};", ""),
    (f"{ESP} -f no-pad {DES};", SYNTAX("no-pad")),
    (f"{ESP} -f esn {DES} {SHA1};", ""),
    (f"{ESP} -lh 3600 {DES};", ""),
    (f"{ESP} -bh 100000 {DES};", SYNTAX("-bh")),
    (f"{ESP} -bs 100000 {DES};", SYNTAX("-bs")),
    (f"{ESP} -l 100 {DES};", SYNTAX("-l")),
    (f"{ESP};", SYNTAX(";")),
    (f"{ESP} -E;", SYNTAX(";")),
    (f"{ESP} -E des-cbc;", KEYLEN("des-cbc")),
    (f"{ESP} -E des-cbc PASSWORD;", SYNTAX("PASSWORD")),
    (f"{ESP} -E des-cbc 12345678;", SYNTAX("12345678")),
    (f'{ESP} -E des-cbc "PASSWOR";', KEYLEN('"PASSWOR"')),
    (f'{ESP} -E des-cbc "PASSWORDS";', KEYLEN('"PASSWORDS"')),
    (f'{ESP} -E des-cbc "PASSWORD;', SYNTAX('"')),
    (f'{ESP} -E des-cbc "PASS;ORD";', ""),
    (f'{ESP} -E des-cbc "PASS#ORD";', ""),
    (f"{ESP} -E des-cbc 0x0123456789abcdef;", ""),
    (f"{ESP} -E des-cbc 0X0123456789ABCDEF;", ""),
    (f"{ESP} -E des-cbc 0x123456789abcdef;", ""),
    (f"{ESP} -E des-cbc 0x0123456789abcde;", ""),
    (f"{ESP} -E des-cbc 0x0123456789abcd;", KEYLEN("0x0123456789abcd")),
    (f"{ESP} -E des-cbc 0x0123456789abcdeg;", SYNTAX("0x0123456789abcdeg")),
    (f"{ESP} -E 3des-cbc {key(24)};", ""),
    (f"{ESP} -E 3des-cbc {key(16)};", KEYLEN(key(16))),
    (f"{ESP} -E blowfish-cbc {key(5)};", ""),
    (f"{ESP} -E blowfish-cbc {key(56)};", ""),
    (f"{ESP} -E blowfish-cbc {key(57)};", KEYLEN(key(57))),
    (f"{ESP} -E cast128-cbc {key(16)};", ""),
    (f"{ESP} -E cast128-cbc {key(4)};", KEYLEN(key(4))),
    (f"{ESP} -E rijndael-cbc {key(16)};", ""),
    (f"{ESP} -E aes-cbc {key(32)};", ""),
    (f"{ESP} -E aes-cbc {key(33)};", KEYLEN(key(33))),
    (f"{ESP} -E aes-ctr {key(20)};", ""),
    (f"{ESP} -E aes-gcm-16 {key(20)};", ""),
    (f"{ESP} -E chacha20-poly1305 {key(36)};", ""),
    (f"{ESP} -E chacha20-poly1305 {key(32)};", KEYLEN(key(32))),
    (f'{ESP} -E null "";', ""),
    (f"{ESP} -E null;", ""),
    (f'{ESP} -E simple "";', ""),
    (f'{ESP} -E des-deriv "PASSWORD";', ""),
    (f'{ESP} -E des-32iv "PASSWORD";', MISMATCH("des-32iv")),
    (f"{ESP} -E 3des-deriv {key(24)};", UNSUPPORTED("3des-deriv")),
    (f"{ESP} -E rc5-cbc {key(16)};", UNSUPPORTED("rc5-cbc")),
    (f"{ESP} -E twofish-cbc {key(16)};", UNSUPPORTED("twofish-cbc")),
    (f"{ESP} -E idea-cbc {key(16)};", UNSUPPORTED("idea-cbc")),
    (f"{ESP} -E hmac-md5 {key(16)};", UNSUPPORTED("hmac-md5")),
    (f"{ESP} {SHA1};", MISMATCH("esp")),
    (f"{ESP} {SHA1} {DES};", SYNTAX("-E")),
    (f"{ESP} {DES} {DES};", SYNTAX("-E")),
    (f"{ESP} {DES} -C deflate;", SYNTAX("-C")),
    (f"{ESP} -C deflate;", MISMATCH("deflate")),
    (f"add {AB} esp-old 0x1000 {DES};", ""),
    (f'add {AB} esp-old 0x1000 -E des-32iv "PASSWORD";', ""),
    (f'add {AB} esp-old 0x1000 -E des-deriv "PASSWORD";', MISMATCH("des-deriv")),
    (f"add {AB} esp-old 0x1000 {DES} {MD5};", MISMATCH("hmac-md5")),
    (
        f"add {AB} esp-old 0x1000 -r 4 {DES};",
        "line 1: replay prevention cannot be used with ah/esp-old at [4]",
    ),
    # add: AH
    (f"{AH} {SHA1};", ""),
    (f"{AH} {MD5};", ""),
    (f'{AH} -A keyed-md5 "MYSECRETMYSECRET";', ""),
    (f"{AH} -A keyed-sha1 {key(20)};", ""),
    (f"{AH} -A hmac-sha2-256 {key(32)};", ""),
    (f"{AH} -A hmac-sha2-384 {key(48)};", ""),
    (f"{AH} -A hmac-sha2-512 {key(64)};", ""),
    (f"{AH} -A hmac-ripemd160 {key(20)};", ""),
    (f"{AH} -A aes-xcbc-mac {key(16)};", ""),
    (f"{AH} -A hmac-sha1 {key(16)};", KEYLEN(key(16))),
    (f"{AH} -A hmac-sha2-256 {key(20)};", KEYLEN(key(20))),
    (f"{AH} -A hmac-md5;", KEYLEN("hmac-md5")),
    (f"{AH} -A md5 {key(16)};", UNSUPPORTED("md5")),
    (f"{AH} -A keyed-sha1-160 {key(20)};", UNSUPPORTED("keyed-sha1-160")),
    (f"{AH} -A des-cbc {key(8)};", UNSUPPORTED("des-cbc")),
    (f"{AH} -A\nhmac-sha1\n{key(16)};", f"line 3: Invalid key length at [{key(16)}]"),
    (f"{AH} {DES};", MISMATCH("des-cbc")),
    (f"{AH} {DES} {SHA1};", MISMATCH("des-cbc")),
    (f'add {AB} ah-old 1000 -A keyed-md5 "MYSECRETMYSECRET";', ""),
    (f"add {AB} ah-old 1000 {MD5};", ""),
    (
        f"add {AB} ah-old 1000 -r 8 {MD5};",
        "line 1: replay prevention cannot be used with ah/esp-old at [8]",
    ),
    # add: IPComp
    (f"{COMP};", ""),
    (f"{COMP} -R;", ""),
    (f"{COMP} -R -R;", SYNTAX("-R")),
    (f"{COMP} {key(8)};", SYNTAX(key(8))),
    (f"add {AB} ipcomp 0x1000 -C lzs;", ""),
    (f"add {AB} ipcomp 0x1000 -C gzip;", UNSUPPORTED("gzip")),
    (f"add {AB} ipcomp 65535 -C deflate;", ""),
    (f"add {AB} ipcomp 65536 -C deflate;", "line 1: SPI too big. at [65536]"),
    (f"add {AB} ipcomp 0x1000 {SHA1};", MISMATCH("hmac-sha1")),
    (f"add {AB} ipcomp 0x1000 -R -C deflate;", SYNTAX("-R")),
    # add: the rest of its form
    (f"add {AB} tcp 0x1000 {DES};", SYNTAX("tcp")),
    (f"add {AB} 50 0x1000 {DES};", SYNTAX("50")),
    (f"add {AB} esp {DES};", SYNTAX("-E")),
    (f"add 2001:db8::1/64 2001:db8::2 esp 1000 {DES};", SYNTAX("/")),
    (f"add 2001:db8::1[any] 2001:db8::2 esp 1000 {DES};", SYNTAX("[")),
    (f"add -4 both both esp 0x1000 {DES};", ""),
    (f"add both beta esp 0x1000 {DES};", ""),
    # spdadd: selectors
    (f"{SPD} none;", ""),
    (f"{SPD} discard;", ""),
    ("spdadd 2001:db8:1::/48 2001:db8:2::/48 any -P in none;", ""),
    ("spdadd 2001:db8:1::/48[any] 2001:db8:2::/48[80] tcp -P in none;", ""),
    ("spdadd 2001:db8:1:: / 48 [ 80 ] ::/0 tcp -P in none;", ""),
    ("spdadd ::/0[ftp] ::/0[http] tcp -P in none;", ""),
    ("spdadd ::/0[gopher] ::/0 tcp -P in none;", "line 1: servname not supported for ai_socktype at [gopher]"),
    ("spdadd ::/0[65535] ::/0 udp -P in none;", ""),
    ("spdadd ::/0[65536] ::/0 udp -P in none;", "line 1: servname not supported for ai_socktype at [65536]"),
    ("spdadd ::/0[80 ::/0 udp -P in none;", SYNTAX("::")),
    ("spdadd ::/0[] ::/0 udp -P in none;", SYNTAX("]")),
    ("spdadd ::/0[80]/48 ::/0 udp -P in none;", SYNTAX("/")),
    ("spdadd ::/ ::/0 udp -P in none;", SYNTAX("::")),
    ("spdadd ::/0x30 ::/0 udp -P in none;", SYNTAX("0x30")),
    ("spdadd ::/999 ::/0 udp -P in none;", "line 1: Invalid prefix length at [999]"),
    ("spdadd 0.0.0.0/0 10.0.0.0/8 any -P in none;", ""),
    ("spdadd both beta any -P in none;", "line 1: multiple address specified at [both]"),
    ("spdadd -6 both beta any -P in none;", ""),
    (f"spdadd {AB} tcp -P out none;", ""),
    (f"spdadd {AB} 6 -P out none;", ""),
    (f"spdadd {AB} ip4 -P out none;", ""),
    (f"spdadd {AB} ipencap -P out none;", ""),
    (f"spdadd {AB} 41 -P out none;", ""),
    (f"spdadd {AB} esp -P out none;", ""),
    (f"spdadd {AB} 255 -P out none;", ""),
    (f"spdadd {AB} 256 -P out none;", UPPER("256")),
    (f"spdadd {AB} ipx -P out none;", UPPER("ipx")),
    (f"spdadd {AB} -P out none;", SYNTAX("-P")),
    (f"spdadd {AB} icmp6 -P out none;", ""),
    (f"spdadd {AB} icmp6 135,0 -P out none;", ""),
    (f"spdadd {AB} ipv6-icmp 128,0 -P out none;", ""),
    (f"spdadd {AB} 58 0,0 -P out none;", ""),
    (f"spdadd {AB} icmp6 135, -P out none;", UPPER("135,")),
    (f"spdadd {AB} icmp6 echo,0 -P out none;", UPPER("echo,0")),
    (f"spdadd {AB} icmp6 256,0 -P out none;", UPPER("256,0")),
    (f"spdadd {AB} icmp6 135 -P out none;", SYNTAX("135")),
    (f"spdadd {AB} tcp 135,0 -P out none;", SYNTAX("135,0")),
    ('spdadd tagged "ALTQ" -P in none;', ""),
    ("spdadd tagged ALTQ -P in none;", SYNTAX("ALTQ")),
    # spdadd: policies
    (f"{SPD} ipsec {TUNNEL}/require;", ""),
    (f"{SPD} ipsec {TUNNEL}/;", ""),
    (f"{SPD} ipsec {TUNNEL};", ""),
    (f"{SPD} ipsec esp/transport//require;", ""),
    (f"{SPD} ipsec esp/transport//use ah/transport//require;", ""),
    (f"{SPD} ipsec\n\tesp/transport//use # first this\n\tah/transport//require;", ""),
    (f"{SPD} ipsec ipcomp/transport//use esp/transport//default ah/transport//;", ""),
    (f"{SPD} ipsec esp/transport//unique;", ""),
    (f"{SPD} ipsec esp/transport//unique:7;", ""),
    (f"{SPD} ipsec esp/require;", ""),
    (f"{SPD} ipsec esp/2001:db8::1-2001:db8::2/require;", ""),
    (f"{SPD} ipsec ah/transport/10.2.3.4-10.6.7.8/require;", ""),
    (f"{SPD} ipsec esp/tunnel/fe80::1%de0-fe80::2%de0/require;", ""),
    (f"{SPD} ipsec;", ""),  # the kernel's to refuse, as the next two
    (f"{SPD} entrust;", ""),
    (f"{SPD} bypass;", ""),
    (f"spdadd {AB} any;", SYNTAX(";")),
    (f"spdadd {AB} any -P;", SYNTAX(";")),
    (f"{SPD};", library("Too few arguments", "")),
    (f"spdadd {AB} any -P fwd none;", library("Invalid direciton", "fwd")),
    (f"{SPD} ignore;", library("Invalid security policy", "ignore")),
    (f"{SPD} none esp/transport//use;", library("syntax error", "esp")),
    (f"{SPD} ipsec tcp/transport//use;", library("Invalid ipsec protocol", "tcp")),
    (f"{SPD} ipsec esp-old/transport//use;", library("syntax error", "-")),
    (f"{SPD} ipsec esp/any//use;", library("Invalid ipsec mode", "any")),
    (f"{SPD} ipsec esp;", library("Too few arguments", "")),
    (f"{SPD} ipsec esp/;", library("Too few arguments", "")),
    (f"{SPD} ipsec esp/transport;", library("Too few arguments", "")),
    (f"{SPD} ipsec esp/transport//must;", library("Invalid ipsec level", "must")),
    (f"{SPD} ipsec esp/transport//unique:0;", library("Invalid ipsec level", "unique:0")),
    (f"{SPD} ipsec esp/transport//unique:65536;", library("Invalid ipsec level", "unique:65536")),
    (f"{SPD} ipsec esp/transport//require:5;", library("Invalid ipsec level", "require:5")),
    (f"{SPD} ipsec esp/tunnel//require;", library("Invalid address specification", "tunnel")),
    (f"{SPD} ipsec esp/tunnel/alpha-beta/require;", library("Invalid address specification", "alpha")),
    (f"{SPD} ipsec esp/tunnel/2001:db8::1-10.1.1.1/use;", library("Family mismatch", "10.1.1.1")),
    (f"{SPD} ipsec esp/tunnel/2001:db8::1/use;", library("syntax error", "/")),
    (f"{SPD} ipsec esp/tunnel/2001:db8::1-/use;", library("syntax error", "/")),
    (f"{SPD} ipsec esp/transport//use/;", library("syntax error", "/")),
    (f"{SPD} ipsec\nesp/transport//use\nah/transport//x;", library("Invalid ipsec level", "x", 3)),
    (f"{SPD} ipsec esp/transport//use", SYNTAX("")),
    # spddelete
    (f"spddelete {AB} any -P out;", ""),
    (f"spddelete {AB} any -P out ipsec esp/transport//require;", ""),
    (f"spddelete {AB} icmp6 135,0 -P in;", ""),
    (f"spddelete {AB} any;", SYNTAX(";")),
    (f"spddelete {AB} -P out;", SYNTAX("-P")),
    (f"spddelete {AB} any -P both;", library("Invalid direciton", "both")),
]


@pytest.mark.parametrize(("text", "mistake"), TABLE)
def test_a_text_is_accepted_or_refused_at_its_token(text: str, mistake: str) -> None:
    assert judge(text) == mistake


def test_the_table_is_large_and_holds_no_text_twice() -> None:
    texts = [text for text, _mistake in TABLE]
    assert len(set(texts)) == len(texts) >= 150


def test_every_refusal_names_a_token_that_stands_in_the_text() -> None:
    for text, mistake in TABLE:
        for token in re.findall(r"at \[(.*)\]$", mistake):
            assert token in text


USAGE_SA = """\
add 10.2.3.4 10.6.7.8 ah 1000 -m transport -A keyed-md5
"MYSECRETMYSECRET" ;
add 10.6.7.8 10.2.3.4 ah 2000 -m transport -A hmac-sha1
"KAMEKAMEKAMEKAMEKAME" ;
add 10.6.7.8 10.2.3.4 esp 3000 -m transport -E des-cbc "PASSWORD" ;
"""
USAGE_A = """\
spdadd 10.2.3.4 10.6.7.8 any -P out ipsec
ah/transport/10.2.3.4-10.6.7.8/require ;
"""
USAGE_B = """\
spdadd 10.6.7.8 10.2.3.4 any -P out ipsec
esp/transport/10.6.7.8-10.2.3.4/require ;
spdadd 10.6.7.8 10.2.3.4 any -P out ipsec
ah/transport/10.6.7.8-10.2.3.4/require ;
"""
VPN = """\
spdadd 2001:db8:a::/48 2001:db8:b::/48 any -P out ipsec
	esp/tunnel/2001:db8::c-2001:db8::d/require;
spdadd 2001:db8:b::/48 2001:db8:a::/48 any -P in ipsec
	esp/tunnel/2001:db8::d-2001:db8::c/require;
"""
TOUCH = """\
spdadd 2001:db8::c 2001:db8::d 41 -P out ipsec esp/transport//require;
spdadd 2001:db8::d 2001:db8::c ipencap -P in ipsec esp/transport//require;
"""


@pytest.mark.parametrize(("text", "count"), [(USAGE_SA, 3), (USAGE_A, 1), (USAGE_B, 2), (VPN, 2), (TOUCH, 2)])
def test_the_examples_of_kames_documents_are_accepted(text: str, count: int) -> None:
    assert len(messages(text)) == count


def test_usages_associations_say_what_the_text_says() -> None:
    first, _second, third = parse(USAGE_SA)
    assert (first.src, first.dst) == (("10.2.3.4", 1), ("10.6.7.8", 1))
    assert first.sa is not None
    assert first.sa.auth is not None
    assert (first.line, first.spi, first.sa.mode, first.sa.auth.key) == (2, 1000, "transport", b"MYSECRETMYSECRET")
    assert third.sa is not None
    assert third.sa.enc is not None
    assert (third.line, third.spi, third.sa.enc.key) == (5, 3000, b"PASSWORD")


@pytest.mark.parametrize(
    ("word", "octets"),
    [
        ('"PASSWORD"', b"PASSWORD"),
        ("0x0123456789abcdef", bytes.fromhex("0123456789abcdef")),
        ("0x123456789abcdef", bytes.fromhex("0123456789abcdef")),
        ('"a b;#\n\tx"', b"a b;#\n\tx"),
    ],
)
def test_a_key_is_text_or_hexadecimal_and_an_odd_first_digit_is_an_octet(word: str, octets: bytes) -> None:
    (command,) = parse(f"{ESP} -E des-cbc {word};")
    assert command.sa is not None
    assert command.sa.enc is not None
    assert command.sa.enc.key == octets


def test_commands_come_as_soon_as_they_end_however_the_text_is_cut() -> None:
    text = USAGE_SA + USAGE_A
    whole = parse(text)
    for size in (1, 7, 40):
        reader = Reader()
        found = [command for at in range(0, len(text), size) for command in reader.feed(text[at : at + size])]
        reader.end()
        assert found == whole


def test_commands_before_a_mistake_are_given_out() -> None:
    reader = Reader()
    feed = reader.feed("flush;\nspdflush;\nfrob;\nflush;")
    assert [next(feed).kind, next(feed).kind] == ["flush", "spdflush"]
    with pytest.raises(SyntaxFault, match=r"^line 3: syntax error at \[frob\]$"):
        next(feed)

"""ifmcstat's listing of given rows."""

from __future__ import annotations

from kamelab.stack.views import INFINITE, AddressRow, GroupRow
from kamelab.userland import ifmcstat


def test_addresses_groups_and_link_layer_groups_stand_one_tab_further_each() -> None:
    def address(interface: str, text: str) -> AddressRow:
        return AddressRow(interface, text, 64, (), 0, INFINITE, INFINITE, "")

    def group(interface: str, text: str, refcnt: int, lladdr: str) -> GroupRow:
        return GroupRow(interface, text, refcnt, lladdr, "idle", None)

    addresses = [address("ne0", "fe80::60:8ff:fe11:2233%ne0"), address("ne0", "2001:db8:0:1::1"), address("lo0", "::1")]
    groups = [
        group("ne0", "ff01::1%ne0", 1, "33:33:00:00:00:01"),
        group("ne0", "ff02::1%ne0", 1, "33:33:00:00:00:01"),
        group("ne0", "ff02::1:ff11:2233%ne0", 2, "33:33:ff:11:22:33"),
        group("lo0", "ff01::1%lo0", 1, ""),
    ]
    assert "\n".join(ifmcstat.lines(["ne0", "lo0", "ne1"], addresses, groups)) == (
        "ne0:\n"
        "\tinet6 fe80::60:8ff:fe11:2233%ne0\n"
        "\tinet6 2001:db8:0:1::1\n"
        "\t\tgroup ff01::1%ne0 refcnt 1\n"
        "\t\t\tmcast-macaddr 33:33:00:00:00:01 multicnt 2\n"
        "\t\tgroup ff02::1%ne0 refcnt 1\n"
        "\t\t\tmcast-macaddr 33:33:00:00:00:01 multicnt 2\n"
        "\t\tgroup ff02::1:ff11:2233%ne0 refcnt 2\n"
        "\t\t\tmcast-macaddr 33:33:ff:11:22:33 multicnt 2\n"
        "lo0:\n"
        "\tinet6 ::1\n"
        "\t\tgroup ff01::1%lo0 refcnt 1\n"
        "ne1:"
    )

"""Inside of one packet: the decode tree, its octets, how it ended and what it came from.

The tree has a branch a header, as `capture.dissect` reads them, then how the packet ended and the chain of causes.
Which branches are open is kept from packet to packet.
"""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Container
from textual.message import Message

from kamelab.capture.dissect import dissect
from kamelab.capture.export import outcome_text
from kamelab.capture.packets import lost
from kamelab.capture.tree import Field
from kamelab.core.drops import REASONS
from kamelab.core.trace import Record, Trace
from kamelab.lab.session import Session
from kamelab.ui.panes.base import Pane
from kamelab.ui.panes.decode_tree import Branch, DecodeTree
from kamelab.ui.panes.hexview import HexView, needed
from kamelab.ui.panes.packet_text import OUTCOMES, ending, seconds
from kamelab.wire.summary import info

WIDE = 60
"""Cells that the tree wants beside the octets; with less room these are below it."""
CHAIN_SHOWN = 40
"""Causes in the tree."""


def branches(fields: tuple[Field, ...], above: tuple[str, ...] = ()) -> tuple[Branch, ...]:
    """Fields of a decode tree as branches."""
    out = []
    seen: dict[str, int] = {}
    for field in fields:
        name = field.name or field.label
        seen[name] = seen.get(name, 0) + 1
        key = (*above, f"{name}#{seen[name]}")
        style = "tree--bad" if field.name == "_ws.malformed" or field.label.endswith("bad]") else ""
        out.append(Branch(key, field.label, field.offset, field.length, branches(field.children, key), style))
    return tuple(out)


def ending_branch(trace: Trace, record: Record) -> Branch:
    """How the packet ended."""
    row = tuple(record)
    if record.event == "tx":
        loss = lost(trace, row)
        if loss is None:
            return Branch(("end",), f"Sent by {record.node}:{record.interface}")
        text = f"x dropped {loss.reason} on {loss.stage}"
        reason = REASONS[loss.reason]
        why = Branch(("end", "why"), f"{reason.sentence} ({loss.rule})")
        return Branch(("end",), f"Ended: {text}", children=(why,), style="tree--drop")
    end = ending(trace, row)
    if end is None:
        return Branch(("end",), "Ended: not yet")
    style = f"tree--{end.event}"
    glyph = OUTCOMES[end.event]
    if end.event == "drop":
        reason = REASONS[end.reason]
        children = (
            Branch(("end", "why"), reason.sentence),
            Branch(("end", "rule"), f"Rule: {end.rule or reason.rule}"),
            Branch(("end", "by"), f"By: {end.stage} on {end.node}" + (f", {end.note}" if end.note else "")),
        )
        return Branch(("end",), f"Ended: {glyph} dropped {end.reason}", children=children, style=style)
    return Branch(("end",), f"Ended: {glyph} {outcome_text(end)}", style=style)


def cause_branch(trace: Trace, record: Record) -> Branch:
    """What the packet came from, the nearest cause first."""
    chain = trace.chain(record.cause)
    if not chain:
        return Branch(("cause",), "Because of: nothing before it")
    lines = []
    for index, one in enumerate(chain[:CHAIN_SHOWN]):
        place = f"{one.node}:{one.interface}" if one.interface else one.node
        if one.frame:
            arrow = ">" if one.event == "tx" else "<"
            text = f"{arrow} {info(one.frame)}"
        else:
            text = " ".join(word for word in (one.stage, one.event, one.reason, one.note) if word)
        rule = f" ({one.rule})" if one.rule else ""
        label = f"{one.num} {seconds(one.time)} {place} {text}{rule}"
        lines.append(Branch(("cause", str(index)), label, num=one.num if one.frame else 0))
    if len(chain) > CHAIN_SHOWN:
        lines.append(Branch(("cause", "more"), f"and {len(chain) - CHAIN_SHOWN} before that"))
    return Branch(("cause",), f"Because of: {len(chain)} step{'s' if len(chain) > 1 else ''}", children=tuple(lines))


class InsidePane(Pane, Container):
    """One packet: tree and octets."""

    PANE_ID = "inside"
    DIGIT = ""
    TITLE = "inside"
    HELP = """\
**Inside** of the packet that is chosen in the packet list: each header with its fields, how the packet ended at this
node and by which rule, and the chain of causes that made it, back to the command or timer that began it.

The octets of the field under the cursor stand in brackets in the hex view; a click on an octet goes to its field.

Keys: up, down; right opens a branch, left closes it; Enter does either, and on a cause with `@` goes to that packet;
`y` copies the line. The same as text: `show NUMBER`.
"""

    DEFAULT_CSS = """
    InsidePane {
        layout: vertical;
        overflow: hidden hidden;
        background: $surface;
        & > HexView { max-height: 45%; border-top: solid $foreground 25%; }
        &.-wide { layout: horizontal; }
        &.-wide > HexView {
            width: 76; height: 1fr; max-height: 100%; border-top: none; border-left: solid $foreground 25%;
        }
        &.-empty > HexView { display: none; }
    }
    """

    class PacketWanted(Message):
        """Another packet is shown now: the list may follow."""

        def __init__(self, pane: InsidePane, num: int) -> None:
            super().__init__()
            self.pane = pane
            self.num = num

        @property
        def control(self) -> InsidePane:
            """The pane."""
            return self.pane

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self.session: Session | None = None
        self.num = 0
        """Number of the packet's trace record; 0: none."""
        self._tree = DecodeTree()
        self._hex = HexView()
        self._seen: tuple[object, ...] = ()
        self._octets = b""
        self.entitle()

    def compose(self) -> ComposeResult:
        """Tree and octets."""
        yield self._tree
        yield self._hex

    def on_mount(self) -> None:
        """Say what belongs here until a packet is chosen."""
        self._read()

    def on_resize(self, event: events.Resize) -> None:
        """Octets stand beside the tree where there is room for both."""
        self.set_class(event.size.width >= WIDE + needed(16) + 1, "-wide")

    def focus(self, scroll_visible: bool = True, *, from_app_focus: bool = False) -> InsidePane:
        """Focus the tree."""
        self._tree.focus(scroll_visible)
        return self

    def question(self) -> str:
        return str(self.num) if self.num else ""

    def show(self, session: Session, node: str) -> None:
        if session is not self.session:
            self.session = session
            self.num = 0
        self._read()

    def select(self, num: int) -> None:
        """Show the packet with that number; 0 for none."""
        self.num = num
        self._read()

    def _read(self) -> None:
        """Read the packet again: its end may have come since."""
        session = self.session
        trace = session.world.network.trace if session is not None else None
        seen = (trace, trace.num if trace is not None else 0, self.num)
        if seen == self._seen or not self.is_mounted:
            return
        self._seen = seen
        record = trace.get(self.num) if trace is not None and self.num else None
        self.set_class(record is None or not record.frame, "-empty")
        if trace is None or record is None or not record.frame:
            if self.num:
                text = f"Packet {self.num} is not in the capture: it lies ahead, or was let go."
            else:
                text = "No packet is chosen. Move the cursor in the packet list, or click a packet."
            self.entitle()
            self._octets = b""
            self._tree.set_roots((Branch(("none",), text),))
            return
        arrow = ">" if record.event == "tx" else "<"
        self.border_title = (
            f"inside {record.num} -- {record.node}:{record.interface} {arrow} {info(record.frame)}".replace("[", r"\[")
        )
        if record.frame != self._octets:
            self._octets = record.frame
            self._hex.show(record.frame)
        roots = branches(dissect(record.frame))
        self._tree.set_roots((*roots, ending_branch(trace, record), cause_branch(trace, record)))

    def on_decode_tree_highlighted(self, message: DecodeTree.Highlighted) -> None:
        """Mark the field's octets."""
        message.stop()
        self._hex.mark(message.branch.offset, message.branch.length)

    def on_decode_tree_packet_chosen(self, message: DecodeTree.PacketChosen) -> None:
        """Go to a cause."""
        message.stop()
        self.select(message.num)
        self.post_message(self.PacketWanted(self, message.num))

    def on_hex_view_octet_chosen(self, message: HexView.OctetChosen) -> None:
        """Go to the field of an octet."""
        message.stop()
        self._tree.find(message.index)

"""The command palette: every action of the screen, every node, the links, the labs, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from textual.command import DiscoveryHit, Hit, Hits, Provider

from kamelab.ui.bindings import KEYS, key_text

if TYPE_CHECKING:
    from kamelab.ui.app import KamelabApp


class _Entry(NamedTuple):
    title: str
    help: str
    run: Callable[[], Any]


class LabCommands(Provider):
    """What the lab screen offers."""

    def _entries(self) -> Iterator[_Entry]:
        app: KamelabApp = self.app  # type: ignore[assignment]
        if app.runner is not None:
            for key in KEYS:
                ways = " ".join(part for part in (key_text(key.keys), key_text(key.anywhere)) if part)
                text = f"{key.tooltip or key.title}  ({ways})"
                yield _Entry(key.title, text, partial(app.run_action, key.action, app.screen))
            session = app.runner.session
            for node in session.lab.nodes:
                yield _Entry(
                    f"Select {node}",
                    "Show this node; lines without NODE: go there",
                    partial(app.give, f"select {node}"),
                )
            for name, link in session.world.network.links.items():
                other = "down" if link.up else "up"
                yield _Entry(
                    f"Take link {name} {other}", f"link {name} {other}", partial(app.give, f"link {name} {other}")
                )
            for node in session.lab.nodes:
                yield _Entry(f"Reboot {node}", "Switch it off and on", partial(app.give, f"reboot {node}"))
            yield _Entry("Begin the lab again", "reset", partial(app.give, "reset"))
            yield _Entry("Chooser", "All labs and kept sessions", app.action_chooser)
        yield from self._labs(app)

    @staticmethod
    def _labs(app: KamelabApp) -> Iterator[_Entry]:
        from kamelab.lab.library import list_labs

        for source in list_labs():
            yield _Entry(f"Open lab {source.name}", "The present session is kept", partial(app.open_lab, source.name))

    async def discover(self) -> Hits:
        for entry in self._entries():
            yield DiscoveryHit(entry.title, entry.run, help=entry.help)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for entry in self._entries():
            score = matcher.match(entry.title)
            if score > 0:
                yield Hit(score, matcher.highlight(entry.title), entry.run, help=entry.help)

"""What a transform says when a packet can't pass: a reason with a name, for drop records and counters."""

from __future__ import annotations

from typing import Final

REASONS: Final = {
    "AH_ICV": "AH: the integrity check value is wrong",
    "AH_LEN": "AH: its length doesn't fit the packet or the algorithm",
    "AH_REPLAY": "AH: the sequence number was seen before or is too old",
    "ESP_ICV": "ESP: the integrity check value is wrong",
    "ESP_IVLEN": "ESP: no room for the IV",
    "ESP_LEN": "ESP: too short, or not a whole number of cipher blocks",
    "ESP_PAD": "ESP: the padding is longer than the packet",
    "ESP_REPLAY": "ESP: the sequence number was seen before or is too old",
    "HEADERS_BAD": "the extension headers before AH, ESP or IPComp can't be read",
    "IPCOMP_BAD": "IPComp: the data can't be expanded",
    "IPCOMP_LEN": "IPComp: too short",
    "SA_ALGORITHM": "the association's algorithm or key doesn't work",
    "SEQ_OVERFLOW": "the sequence number would wrap",
    "TOO_BIG": "no room for the header: IPsec does not work on jumbograms",
}
"""Every reason that a TransformError may have (reference: KAME's in_inval, in_ahreplay, in_ahauthfail, ...)."""


class TransformError(Exception):
    """A packet that a transform refuses; `reason` is a key of REASONS, `detail` a few words or ""."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{REASONS[self.reason]} ({self.detail})" if self.detail else REASONS[self.reason]

"""What providers and market say to each other: every kind of message, and a record of those sent."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True)
class Kind:
    """A kind of message: who sends it to whom, what it holds, and what the receiver learns from it."""

    sender: str
    receiver: str
    holds: str
    discloses: str


KINDS = {
    "registration": Kind(
        "provider",
        "all",
        "(2,K) whether it can host a class; the most jobs it may ever order, up to a power of two",
        "which classes its models serve; the order of magnitude of its arrivals",
    ),
    "opening": Kind(
        "provider",
        "market",
        "(K,T) USD, what one job more at its site would be worth without trade",
        "its marginal value per class and slot when it is alone",
    ),
    "prices": Kind("market", "all", "(J,K,T) USD per job run at a host", "nothing private"),
    "asked": Kind(
        "market", "one provider", "(J,K,T) the trade it is asked for", "how far the market is out of balance"
    ),
    "proposal": Kind(
        "provider",
        "market",
        "(J,K,T) jobs it would send to each host, and host (negative, own row)",
        "its demand for and supply of hosting at the prices",
    ),
    "profit": Kind("provider", "market", "USD, the most it could make at the prices", "that one number"),
    "lots": Kind(
        "market",
        "one provider",
        "(J,K,T) jobs it may send to each host, (K,T) jobs that come to it",
        "what others order from it in sum, and how much of its own orders is taken",
    ),
    "worth": Kind(
        "provider", "market", "USD, what its site earns with the lots, payments left out", "that one number"
    ),
    "confirmation": Kind(
        "provider", "market", "(J,K,T) jobs it will send, at most its lots", "that rounding left it short"
    ),
    "delivery": Kind(
        "host",
        "origins",
        "(2,K,T) jobs run for others, and what their customers pay for the quality delivered",
        "the mean quality of the jobs it was sent",
    ),
}


@dataclass
class Post:
    """Counts the messages: their number, and the numbers in them (eight bytes each)."""

    _sent: dict[str, list[int]] = field(default_factory=dict)

    def send(self, kind: str, *content: NDArray[np.generic] | float) -> None:
        """Record one message of a kind of :data:`KINDS`."""
        count = self._sent.setdefault(kind, [0, 0])
        count[0] += 1
        count[1] += sum(np.size(part) for part in content)

    def table(self) -> pd.DataFrame:
        """One row per kind: ``messages``, ``numbers``, ``bytes``, and the fields of :class:`Kind`."""
        rows = {
            name: {
                "sender": kind.sender,
                "receiver": kind.receiver,
                "messages": count[0],
                "numbers": count[1],
                "bytes": 8 * count[1],
                "holds": kind.holds,
                "discloses": kind.discloses,
            }
            for name, kind in KINDS.items()
            if (count := self._sent.get(name)) is not None
        }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("kind")

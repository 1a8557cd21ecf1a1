"""The priced policy run by the providers: each knows its own site, and what jobs cost elsewhere."""

from .exchange import Trade, exchange
from .play import Played, Speaker, play
from .private import private, private_state
from .rehearsal import Rehearsal, rehearse

__all__ = [
    "Played",
    "Rehearsal",
    "Speaker",
    "Trade",
    "exchange",
    "play",
    "private",
    "private_state",
    "rehearse",
]

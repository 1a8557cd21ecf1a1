"""The priced policy run by the providers: each knows its own site, and what jobs cost elsewhere."""

from .exchange import Trade, exchange
from .foresight import Rehearsal, rehearse
from .networks import Networks, networks, teach
from .playing import Played, Speaker, play
from .private import private, private_state

__all__ = [
    "Networks",
    "Played",
    "Rehearsal",
    "Speaker",
    "Trade",
    "exchange",
    "networks",
    "play",
    "private",
    "private_state",
    "rehearse",
    "teach",
]

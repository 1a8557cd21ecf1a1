"""The priced policy run by the providers: each knows its own site, and what jobs cost elsewhere."""

from .exchange import Trade, exchange
from .foresight import Rehearsal, rehearse
from .playing import Played, play
from .private import private, private_state

__all__ = ["Played", "Rehearsal", "Trade", "exchange", "play", "private", "private_state", "rehearse"]

"""Trade between providers, planned (``stepwatt.solvers.trading``) or said by networks of their own."""

from stepwatt.solvers.trading import (
    Played,
    Rehearsal,
    Speaker,
    Trade,
    exchange,
    play,
    private,
    private_state,
    rehearse,
)

from .policies.provider_networks import Networks, networks, teach

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

"""The slot's exact best response to prices, many instances at once."""

from .slot import Plan, best_response
from .slot_prices import SlotPrices, at_the_end, uniform_ends, worth

__all__ = ["Plan", "SlotPrices", "at_the_end", "best_response", "uniform_ends", "worth"]

"""The slot's exact best response to prices, many instances at once."""

from .prices import SlotPrices, at_the_end, uniform_ends, worth
from .slot import Plan, best_response

__all__ = ["Plan", "SlotPrices", "at_the_end", "best_response", "uniform_ends", "worth"]

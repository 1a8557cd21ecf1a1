"""Foresight: prices from a plan of the forecast, each slot answered by its exact best response."""

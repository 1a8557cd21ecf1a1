"""Prices against plans: the priced policy beside rolling horizons, rules and a direct policy."""

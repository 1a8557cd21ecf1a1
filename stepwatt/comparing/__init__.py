"""Comparisons made: what counts as a policy, and running all of them."""

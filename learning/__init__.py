"""Learned policies: environment, agents, shapers, evaluation (torch lives here and nowhere below)."""

"""Planners that decide as the day unfolds."""

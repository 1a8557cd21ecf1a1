"""Studies of the learning half, one command each (see docs/learning-studies.md)."""

"""``python -m stepwatt``: the same as the command ``stepwatt``."""

from .cli import main

main()

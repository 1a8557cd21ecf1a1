"""The commands, one per file; heavy imports happen inside them, so that ``--help`` is quick."""

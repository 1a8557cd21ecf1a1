"""A whole training: settings, loop, logs, checkpoints, families of days."""

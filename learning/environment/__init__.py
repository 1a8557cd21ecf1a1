"""The decision process: what is seen, done and paid, slot by slot."""

"""Oracle, bounds, rolling horizon and rules."""

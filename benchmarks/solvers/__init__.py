"""How fast and how close: plain Pyomo, linopy, the raw HiGHS LP and the oracle on the same instances."""

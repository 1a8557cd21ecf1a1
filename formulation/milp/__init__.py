"""The mixed-integer linear model, as Pyomo states it and as matrices."""

"""Trust: every statement of the model against every other, and every door against what people throw at it."""

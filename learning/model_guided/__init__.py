"""Learning from the model: cloning, the plant's gradient, evolution."""

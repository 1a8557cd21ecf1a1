"""What solvers are asked and what they answer."""

"""What several methods share: the relaxation, rounding, trimming."""

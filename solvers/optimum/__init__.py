"""Perfect foresight: the certified optimum, its bounds, and what it loses without a lever."""

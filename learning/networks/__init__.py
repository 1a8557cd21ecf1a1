"""Networks of several runs side by side, and how they descend."""

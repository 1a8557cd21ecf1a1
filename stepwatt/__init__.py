"""stepwatt."""

"""Why an instance has no schedule, and what would be enough."""

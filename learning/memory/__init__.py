"""What agents remember: transitions, replay, rollouts."""

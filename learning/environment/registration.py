"""Names under which Gymnasium finds the environment; importing this loads neither gymnasium nor torch."""

from __future__ import annotations

ENVIRONMENT = "stepwatt/Scheduling-v0"


def register() -> None:
    """Make ``gymnasium.make("stepwatt/Scheduling-v0", instances=[...])`` and ``make_vec`` known.

    Gymnasium calls this by itself where the package is installed (entry point group ``gymnasium.envs``).
    """
    import gymnasium

    if ENVIRONMENT not in gymnasium.registry:
        gymnasium.register(
            ENVIRONMENT,
            entry_point="stepwatt.learning.environment.gym_env:SchedulingGymEnv",
            vector_entry_point="stepwatt.learning.environment.gym_env:SchedulingVectorEnv",
        )

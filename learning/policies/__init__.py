"""What training leaves behind: policies that plan instances."""

from typing import TYPE_CHECKING

from stepwatt.formulation.lazy import on_first_use

if TYPE_CHECKING:
    from .trained import FAMILY, POLICY_FILE, SCHEMA, TrainedPolicy, load_policy, policy_of

__all__ = ["FAMILY", "POLICY_FILE", "SCHEMA", "TrainedPolicy", "load_policy", "policy_of"]

__getattr__ = on_first_use(
    __name__,
    {
        "FAMILY": "trained",
        "POLICY_FILE": "trained",
        "SCHEMA": "trained",
        "TrainedPolicy": "trained",
        "load_policy": "trained",
        "policy_of": "trained",
    },
)

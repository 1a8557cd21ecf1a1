"""Trained policies as planners and as files: a network, what it sees and says, what it was trained for."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from stepwatt.formulation import InputError, Instance, Schedule
from stepwatt.formulation.plant.stacking import shape_of

from ..environment.play import plan
from ..environment.world import TaskSettings
from ..networks.policy import Policy

POLICY_FILE = "policy.npz"
#: Raised whenever the numbers of an action or an observation come to mean something else.
SCHEMA = "stepwatt.policy/3"

#: What instances must share with those a policy was trained on.
FAMILY = ("sites", "classes", "slot_hours", "has_generator", "has_demand_charge")


@dataclass(frozen=True)
class TrainedPolicy:
    """A deterministic policy (the last one of its training, never the best of several evaluations).

    ``family`` is what instances must share with those of the training (:data:`FAMILY`); ``training`` tells
    how it came about (settings, seed), for the record.
    """

    network: Policy
    task: TaskSettings
    family: Mapping[str, Any]
    training: Mapping[str, Any]

    def __call__(self, observation: Tensor) -> Tensor:
        """(B,O) observations to (B,A) actions in [-1,1]."""
        with torch.no_grad():
            action: Tensor = self.network(observation.to(torch.float32))
            return action.to(observation.dtype)

    def schedule(self, instance: Instance, history: Instance | None = None) -> Schedule:
        """The schedule it makes of an instance; ``history`` is the day before, for persistence.

        Raises:
            InputError: an instance of another family.
        """
        return self.schedules([instance], [history])[0]

    def schedules(
        self, instances: Sequence[Instance], histories: Sequence[Instance | None] | None = None
    ) -> list[Schedule]:
        """The schedules of several instances of one shape, made side by side."""
        for instance in instances:
            self.check(instance)
        return plan(instances, self, self.task, histories=histories)

    def check(self, instance: Instance) -> None:
        """Refuse an instance of another family.

        Raises:
            InputError: which names the first difference.
        """
        there = asdict(shape_of(instance.arrays()))
        for name in FAMILY:
            # older files do not say all of it
            if name in self.family and not np.isclose(float(there[name]), float(self.family[name])):
                raise InputError(
                    field=f"instance {instance.name!r}: {name}",
                    value=there[name],
                    expected=f"{self.family[name]}, as in the training of the policy",
                )

    def task_of(self, instance: Instance) -> TaskSettings:
        """How slots of any instance of its family are decided."""
        return self.task

    def fingerprint(self) -> bytes:
        """What tells it from other policies."""
        state = sorted(self.network.run_state(0).items())
        return b"".join(name.encode() + values.numpy().tobytes() for name, values in state)

    def save(self, path: str | Path) -> Path:
        """Write the policy: arrays and JSON in a NumPy archive, nothing that could run when it is read."""
        target = Path(path)
        if target.suffix != ".npz":
            target = target / POLICY_FILE
        target.parent.mkdir(parents=True, exist_ok=True)
        about = {
            "schema": SCHEMA,
            "network": self.network.description(),
            "task": asdict(self.task),
            "family": dict(self.family),
            "training": dict(self.training),
        }
        arrays: dict[str, Any] = {
            name: value.cpu().numpy() for name, value in self.network.run_state(0).items()
        }
        partial = target.with_name(target.name + ".partial.npz")
        arrays["about"] = np.array(json.dumps(about))
        np.savez(partial, allow_pickle=False, **arrays)
        os.replace(partial, target)
        return target


def load_policy(path: str | Path) -> TrainedPolicy:
    """Read a policy from its file, or from the folder of its training.

    Raises:
        InputError: no policy there, or not one of this format.
    """
    source = Path(path)
    if source.is_dir():
        source = source / POLICY_FILE
    try:
        with np.load(source, allow_pickle=False) as archive:
            about = json.loads(str(archive["about"]))
            state = {name: torch.from_numpy(archive[name]) for name in archive.files if name != "about"}
    except (OSError, ValueError, KeyError, BadZipFile) as why:
        raise InputError(
            field="(file)", value=str(why), expected="a policy that stepwatt has saved", file=str(source)
        ) from None
    if about.get("schema") != SCHEMA:
        raise InputError(field="schema", value=about.get("schema"), expected=SCHEMA, file=str(source))
    network = Policy.rebuild(about["network"], state)
    return TrainedPolicy(network, TaskSettings(**about["task"]), about["family"], about["training"])


def policy_of(
    network: Policy, task: TaskSettings, instance: Instance, about: Mapping[str, Any]
) -> TrainedPolicy:
    """A policy of one run (S = 1), trained on instances like this one."""
    shape = asdict(shape_of(instance.arrays()))
    return TrainedPolicy(network, task, {name: shape[name] for name in FAMILY}, about)

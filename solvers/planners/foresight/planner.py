"""Foresight as a policy: what a forecast says that things are worth, answered slot by slot, untrained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stepwatt.formulation import InputError, Instance, Schedule
from stepwatt.learning.environment.play import plan
from stepwatt.learning.environment.task import TaskSettings

#: Hours after which the rest of the horizon is planned again, and in slots shorter than so many hours: those
#: at which the study met all its targets (docs/hybrid.md). More often gains a little and costs time.
RENEWAL_HOURS, RENEWAL_HOURS_IF_SHORT, SHORT_SLOTS = 3.0, 1.0, 0.25


@dataclass(frozen=True)
class ForesightPolicy:
    """Prices from a plan of the forecast horizon, planned again every ``renewal_hours`` (0: never; None:
    :data:`RENEWAL_HOURS`), each slot answered by its exact best response.

    ``information`` is day-ahead, persistence or perfect; ``seed`` draws the errors of day-ahead forecasts.

    Raises:
        InputError: hours below 0, or no forecast of that name.
    """

    information: str = "day-ahead"
    renewal_hours: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.renewal_hours is not None and not self.renewal_hours >= 0:
            raise InputError(field="renewal_hours", value=self.renewal_hours, expected="0 (never) or more")
        self._task(0)

    def __call__(self, observation: Tensor) -> Tensor:
        """(B,O) observations to the correction (B,1) of every price: none."""
        return torch.zeros(len(observation), 1, dtype=observation.dtype)

    def task_of(self, instance: Instance) -> TaskSettings:
        """How slots of the instance are decided."""
        hours = self.renewal_hours
        if hours is None:
            hours = RENEWAL_HOURS if instance.slot_hours >= SHORT_SLOTS else RENEWAL_HOURS_IF_SHORT
        return self._task(max(1, round(hours / instance.slot_hours)) if hours else 0)

    def _task(self, renewal: int) -> TaskSettings:
        return TaskSettings(
            codec="priced",
            reward="dense",
            information=self.information,
            foresight=True,
            renewal=renewal,
        )

    def schedule(self, instance: Instance, history: Instance | None = None) -> Schedule:
        """The schedule it makes of an instance; ``history`` is the day before, for persistence."""
        return self.schedules([instance], [history])[0]

    def schedules(
        self, instances: Sequence[Instance], histories: Sequence[Instance | None] | None = None
    ) -> list[Schedule]:
        """The schedules of several instances of one shape, made side by side."""
        return plan(instances, self, self.task_of(instances[0]), histories=histories, seed=self.seed)

    def check(self, instance: Instance) -> None:
        """Any instance will do."""

    def fingerprint(self) -> bytes:
        """What tells it from other policies."""
        return repr(self).encode()

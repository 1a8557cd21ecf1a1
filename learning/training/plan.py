"""What is trained, on what, and how: a plan of four tables, from a TOML file and ``key=value`` words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

from stepwatt.formulation import InputError
from stepwatt.formulation.errors import one_of
from stepwatt.formulation.records import SMALLEST, SettingsRecord
from stepwatt.formulation.toml_tables import override, read_toml

from ..environment.task import TaskSettings
from ..options import Count, CountOrNone, Rate, Size
from .families import Family
from .regimes import TASKS, beginning
from .settings import TrainingSettings

Some = TypeVar("Some", bound=SettingsRecord)


class WarmStart(SettingsRecord):
    """What the policy begins from."""

    kind: Literal["none", "clone"] = "none"
    """none, or clone: fit to what the solver makes of the training instances: its schedules (``direct``), or
    the prices of their days (``priced``)."""
    updates: Count = 3_000
    """Gradient updates of cloning."""
    batch_size: Size = 512
    """Demonstrated slots per update of cloning."""
    rate: Rate = 2e-3
    """Learning rate of cloning."""
    forecasts: Size = 3
    """Draws of its forecast under which every demonstrated day is seen (``direct`` only)."""
    relabelling: CountOrNone = 0
    """Rounds in which the policy's own states are demonstrated, too, and it is cloned anew (DAgger;
    ``priced`` only)."""
    refining: CountOrNone = 0
    """Updates along the gradient of utility through the plant that follow (``direct`` only)."""


@dataclass(frozen=True)
class TrainingPlan:
    """All that is needed to repeat a training: tables ``family``, ``task``, ``warm_start``, ``training``.

    Raises:
        InputError: tables that do not fit together.
    """

    family: Family = field(default_factory=Family)
    task: TaskSettings = field(default_factory=lambda: TaskSettings(reward_scale=10.0))
    warm_start: WarmStart = field(default_factory=WarmStart)
    training: TrainingSettings = field(default_factory=lambda: _read_training({}, None))

    def __post_init__(self) -> None:
        start, hours = self.warm_start, self.training.horizon_hours
        if hours is not None:
            gamma = max(math.exp(-self.family.slot_minutes / 60 / hours), SMALLEST)
            object.__setattr__(self, "training", self.training.model_copy(update={"gamma": gamma}))
        if start.kind == "clone" and self.task.codec not in ("direct", "priced"):
            expected = "none with a codec other than direct and priced"
            raise InputError(field="warm_start.kind", value=start.kind, expected=expected)
        if start.refining and (start.kind == "none" or self.task.codec != "direct"):
            raise InputError(
                field="warm_start.refining", value=start.refining, expected="0 but for clones of codec direct"
            )
        if start.relabelling and (start.kind == "none" or self.task.codec != "priced"):
            raise InputError(
                field="warm_start.relabelling",
                value=start.relabelling,
                expected="0 but for clones of codec priced",
            )


#: Settings of a training on scheduling tasks, chosen on validation days.
DEFAULTS: Mapping[str, Any] = {
    "horizon_hours": 1.0,
    "shaper": "booked",
    "batch_size": 128,
    "agent": {"hidden": [128, 128]},
}
#: Horizons that measured better beside a shaper. Four minutes look no slot ahead: `booked` says what is left
#: behind.
HORIZON_HOURS: Mapping[str, float] = {"booked": 0.072}


def read_plan(file: str | Path | None = None, overrides: Sequence[str] = ()) -> TrainingPlan:
    """A plan from a TOML file (or none) and words ``key=value``, which win.

    ``family.every=4``, ``task.reward="dense"``, ``warm_start.kind="clone"``; a key without such a table is
    one of the training: ``env_steps=20000``, ``agent.hidden=[64,64]``. ``regime`` stands beside the tables:
    what it sets (:mod:`.regimes`) holds where nothing else is said.

    Raises:
        InputError: one line that names file, field, value and what was expected.
    """
    values = {} if file is None else read_toml(file)
    name = None if file is None else str(file)
    tables = [one.name for one in fields(TrainingPlan)]
    for word in overrides:
        inside = word.partition("=")[0].partition(".")[0].strip() in (*tables, "regime")
        override(values, word if inside else f"training.{word}")
    regime = values.pop("regime", None)
    for key, value in values.items():
        if key not in tables or not isinstance(value, dict):
            expected = one_of(tables, key).replace("one of", "one of the tables", 1)
            raise InputError(field=key, value=value, expected=expected, file=name)
    task, training = _regime(regime, values.get("training", {}), name)
    return TrainingPlan(
        family=_read("family", Family, values.get("family", {}), name),
        task=_read("task", TaskSettings, {"reward_scale": 10.0, **task, **values.get("task", {})}, name),
        warm_start=_read("warm_start", WarmStart, values.get("warm_start", {}), name),
        training=_read_training(training, name),
    )


def _regime(
    name: Any, training: Mapping[str, Any], file: str | None
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """What a regime sets of the task, and the settings of the training with what it sets of them."""
    if name is None:
        return {}, training
    if not isinstance(name, str) or name not in TASKS:
        raise InputError(field="regime", value=name, expected=one_of(TASKS, name), file=file)
    begun, agent = beginning(name, str(training.get("algo", "sac"))), training.get("agent", {})
    if "agent" in begun and isinstance(agent, Mapping):
        begun["agent"] |= agent
        training = {**training, "agent": begun["agent"]}
    return TASKS[name], {**begun, **training}


def _read(table: str, kind: type[Some], values: Mapping[str, Any], file: str | None) -> Some:
    try:
        return kind.read(values, file)
    except InputError as defect:
        raise defect.inside(table) from None


def _read_training(values: Mapping[str, Any], file: str | None) -> TrainingSettings:
    merged = {**DEFAULTS, **values}
    if "horizon_hours" not in values:
        merged["horizon_hours"] = HORIZON_HOURS.get(str(merged["shaper"]), DEFAULTS["horizon_hours"])
    if "gamma" in values:
        if values.get("horizon_hours") is not None:
            told = "no gamma, which follows from it, or none of it"
            raise InputError(
                field="training.horizon_hours", value=values["horizon_hours"], expected=told, file=file
            )
        merged["horizon_hours"] = None
    agent = values.get("agent", {})
    if isinstance(agent, Mapping) and (values.get("algo", "sac") == "sac" or "agent" in values):
        merged["agent"] = {**DEFAULTS["agent"], **agent}
    return TrainingSettings.read(merged, file)

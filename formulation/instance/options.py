"""Options (model.md, "Options"): every way a job of a class can be generated at a site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .components import GenerationModel, JobClass, Site

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

JOULES_PER_MWH = 3.6e9


class Catalogued(Protocol):
    """What has sites, classes and models by name, as an instance has."""

    @property
    def sites(self) -> Mapping[str, Site]:
        """By name."""
        ...

    @property
    def classes(self) -> Mapping[str, JobClass]:
        """By name."""
        ...

    @property
    def models(self) -> Mapping[str, GenerationModel]:
        """By name."""
        ...


@dataclass(frozen=True)
class Options:
    """A table of O options; every field is an array of shape (O,), sites and classes grouped together.

    ``site``, ``job_class``, ``model``, ``clock`` index the names of the instance (``clock`` those of its
    site); ``quality`` is a share, ``revenue`` USD, ``seconds`` GPU-seconds, ``energy_mwh`` above idle.
    """

    site: Ints
    job_class: Ints
    model: Ints
    steps: Ints
    clock: Ints
    quality: Floats
    revenue: Floats
    seconds: Floats
    energy_mwh: Floats

    def __len__(self) -> int:
        return len(self.site)

    def take(self, keep: Ints | Bools) -> Options:
        """The same table, restricted to some rows."""
        return Options(**{name: getattr(self, name)[keep] for name in self.__dataclass_fields__})


def allowed_steps(model: GenerationModel, class_name: str, job_class: JobClass, speed: float) -> Ints:
    """The step counts with which ``model`` may serve the class at a clock of the given speed."""
    steps = np.array(sorted(model.steps), dtype=np.int64)
    curve = model.quality.get(class_name) or model.quality["default"]
    allowed = curve(steps) >= job_class.quality_floor
    if job_class.max_execution_s is not None:
        seconds = (model.seconds_fixed + model.seconds_per_step * steps) / speed
        allowed &= seconds <= job_class.max_execution_s
    return steps[allowed]


def enumerate_options(inst: Catalogued) -> Options:
    """All allowed options of the instance, ordered by site, class, model, clock, steps."""
    names = list(inst.models)
    labels: list[tuple[NDArray[Any], ...]] = []
    numbers: list[tuple[NDArray[Any], ...]] = []
    for j, site in enumerate(inst.sites.values()):
        for k, (class_name, job_class) in enumerate(inst.classes.items()):
            for model_name in site.models:
                if job_class.models is not None and model_name not in job_class.models:
                    continue
                model = inst.models[model_name]
                curve = model.quality.get(class_name) or model.quality["default"]
                for f, clock in enumerate(site.clocks):
                    steps = allowed_steps(model, class_name, job_class, clock.speed)
                    quality = curve(steps)
                    joules = (model.joules_fixed + model.joules_per_step * steps) * clock.energy
                    revenue = (
                        job_class.base_price
                        + job_class.quality_price * quality
                        + job_class.step_price * steps
                    )
                    seconds = (model.seconds_fixed + model.seconds_per_step * steps) / clock.speed
                    whole = np.full(len(steps), 1)
                    labels.append((j * whole, k * whole, names.index(model_name) * whole, steps, f * whole))
                    numbers.append((quality, revenue, seconds, joules / JOULES_PER_MWH))
    sites, classes, models, all_steps, clocks = _joined(labels, 5, np.int64)
    qualities, revenues, all_seconds, energy = _joined(numbers, 4, np.float64)
    return Options(
        site=sites,
        job_class=classes,
        model=models,
        steps=all_steps,
        clock=clocks,
        quality=qualities,
        revenue=revenues,
        seconds=all_seconds,
        energy_mwh=energy,
    )


def _joined(parts: Sequence[tuple[NDArray[Any], ...]], width: int, kind: type) -> list[NDArray[Any]]:
    """Columns of the parts, one after the other."""
    return [
        np.concatenate([np.empty(0, dtype=kind), *(part[column] for part in parts)]).astype(kind)
        for column in range(width)
    ]

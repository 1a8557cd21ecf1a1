"""What is known of models, GPUs, clocks and tariffs: each number with unit, evidence and source.

The numbers stand in ``catalogue.json``; this file gives them types. Evidence is one of

* ``verified``: read in the named source, * ``fitted``: fitted or derived by us from verified figures,
* ``from memory``: not read in a source, * ``assumed``: our choice.

Measured joules contain the GPU's own idle draw (joules = seconds x mean watts of the whole GPU), while the
scheduling model wants energy above idle, because idle GPUs are charged through ``gpu_idle_watts``. So

    joules above idle = joules measured - idle watts of the bare GPU it was measured on x seconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal, get_args

import pandas as pd

Evidence = Literal["verified", "fitted", "from memory", "assumed"]
EVIDENCE: tuple[Evidence, ...] = get_args(Evidence)
"""Strongest first; a derived number carries the weakest tag among its parts."""


@dataclass(frozen=True)
class Quantity:
    """One number and why to believe it."""

    value: float
    unit: str
    evidence: Evidence
    source: str


@dataclass(frozen=True)
class Gpu:
    """A GPU; ``idle_watts`` and ``max_watts`` are of the bare GPU, without its share of the server."""

    name: str
    idle_watts: Quantity
    max_watts: Quantity


@dataclass(frozen=True)
class Clock:
    """A DVFS level: factors on speed and on energy above idle, against the base clock."""

    name: str
    speed: Quantity
    energy: Quantity


@dataclass(frozen=True)
class JobClass:
    """A class of jobs; prices in USD per job before ``revenue_scale``, deadline in minutes."""

    name: str
    quality_price: Quantity
    quality_floor: Quantity
    deadline_minutes: Quantity
    miss_penalty: Quantity
    payload_gb: Quantity


@dataclass(frozen=True)
class QualityCurve:
    """Quality against steps: a formula's parameters, or the points of a table (steps: quality)."""

    kind: str
    parameters: Mapping[str, Quantity]
    points: Mapping[int, Quantity]

    def to_dict(self) -> dict[str, Any]:
        """The curve as an instance file writes it."""
        if self.points:
            return {
                "kind": self.kind,
                "steps": list(self.points),
                "values": [p.value for p in self.points.values()],
            }
        return {"kind": self.kind} | {name: number.value for name, number in self.parameters.items()}


@dataclass(frozen=True)
class Model:
    """A generative model on one GPU at the base clock, batch 1."""

    name: str
    title: str
    gpu: Gpu
    step_range: Mapping[str, Quantity]
    seconds_fixed: Quantity
    seconds_per_step: Quantity
    joules_fixed_measured: Quantity
    joules_per_step_measured: Quantity
    quality: QualityCurve
    price: Quantity | None
    """List price per image (USD); none for the models of a scenario, which are paid by quality."""

    @property
    def steps(self) -> tuple[int, ...]:
        """The step counts the model may be run with."""
        limits = {name: int(number.value) for name, number in self.step_range.items()}
        if "stride" in limits:
            return tuple(range(limits["min"], limits["max"] + 1, limits["stride"]))
        return tuple(limits.values())

    @property
    def joules_fixed(self) -> Quantity:
        """Joules above idle per image, whatever the steps."""
        return above_idle(self.joules_fixed_measured, self.seconds_fixed, self.gpu)

    @property
    def joules_per_step(self) -> Quantity:
        """Joules above idle per denoising step."""
        return above_idle(self.joules_per_step_measured, self.seconds_per_step, self.gpu)

    def to_dict(self) -> dict[str, Any]:
        """The model as an instance file writes it (energy above idle)."""
        return {
            "steps": list(self.steps),
            "seconds_fixed": self.seconds_fixed.value,
            "seconds_per_step": self.seconds_per_step.value,
            "joules_fixed": self.joules_fixed.value,
            "joules_per_step": self.joules_per_step.value,
            "quality": {"default": self.quality.to_dict()},
        }


@dataclass(frozen=True)
class Catalogue:
    """Everything: published models on the GenEval scale, and the parts of the "jemas" scenario."""

    gpus: Mapping[str, Gpu]
    models: Mapping[str, Model]
    jemas_models: Mapping[str, Model]
    clocks: Mapping[str, Clock]
    classes: Mapping[str, JobClass]
    constants: Mapping[str, Quantity]
    """Tariffs, plant sizes and load of the scenario; sizes in shares of a site's ``cap`` (MW)."""
    origin_shares: tuple[Quantity, ...]
    origin_shifts: tuple[Quantity, ...]
    technologies: Mapping[str, Mapping[str, Quantity]]
    """What can be built at a site: investment, lifetime and upkeep, or rent (:mod:`.technologies`)."""
    finance: Mapping[str, Quantity]
    server_idle_watts: Quantity
    """A GPU's share of what its server draws when nothing runs, besides the GPU itself."""


def above_idle(joules: Quantity, seconds: Quantity, gpu: Gpu) -> Quantity:
    """Measured joules less what the bare GPU would have drawn idling for those seconds."""
    parts = (joules, seconds, gpu.idle_watts)
    return Quantity(
        value=round(joules.value - gpu.idle_watts.value * seconds.value, 9),
        unit=joules.unit,
        evidence=max((part.evidence for part in parts), key=EVIDENCE.index),
        source=f"measured joules - {gpu.idle_watts.value:g} W idle of {gpu.name} x seconds; {joules.source}",
    )


@cache
def load_catalogue() -> Catalogue:
    """The catalogue of the package, read once."""
    raw = json.loads((resources.files(__package__) / "catalogue.json").read_text(encoding="utf-8"))
    sources: dict[str, str] = raw["sources"]

    def number(cell: list[Any]) -> Quantity:
        value, unit, evidence, source = cell
        return Quantity(value, unit, EVIDENCE[EVIDENCE.index(evidence)], sources[source])

    def numbers(cells: Mapping[str, list[Any]]) -> dict[str, Quantity]:
        return {name: number(cell) for name, cell in cells.items()}

    gpus = {name: Gpu(name, **numbers(cells)) for name, cells in raw["gpus"].items()}

    def curve(cells: Mapping[str, Any]) -> QualityCurve:
        points = {int(steps): number(cell) for steps, cell in cells.get("points", {}).items()}
        parameters = numbers({name: cell for name, cell in cells.items() if name not in ("kind", "points")})
        return QualityCurve(cells["kind"], parameters, points)

    def model(name: str, cells: Mapping[str, Any]) -> Model:
        measured = {key: number(cell) for key, cell in cells.items() if key.startswith(("seconds", "joules"))}
        return Model(
            name=name,
            title=cells["title"],
            gpu=gpus[cells["gpu"]],
            step_range=numbers(cells["steps"]),
            quality=curve(cells["quality"]),
            price=number(cells["price"]) if "price" in cells else None,
            **measured,
        )

    jemas = raw["jemas"]
    return Catalogue(
        gpus=gpus,
        models={name: model(name, cells) for name, cells in raw["models"].items()},
        jemas_models={name: model(name, cells) for name, cells in jemas["models"].items()},
        clocks={name: Clock(name, **numbers(cells)) for name, cells in jemas["clocks"].items()},
        classes={name: JobClass(name, **numbers(cells)) for name, cells in jemas["classes"].items()},
        constants=numbers(jemas["constants"]),
        origin_shares=tuple(map(number, jemas["origin_shares"])),
        origin_shifts=tuple(map(number, jemas["origin_shifts"])),
        technologies={name: numbers(cells) for name, cells in raw["technologies"].items()},
        finance=numbers(raw["finance"]),
        server_idle_watts=number(raw["server"]["idle_watts"]),
    )


def catalogue_table() -> pd.DataFrame:
    """Every number of the catalogue, one a row: group, name, quantity, value, unit, evidence, source."""
    columns = ["group", "name", "quantity", "value", "unit", "evidence", "source"]
    return pd.DataFrame(
        [
            (group, name, quantity, number.value, number.unit, number.evidence, number.source)
            for group, name, quantity, number in _rows(load_catalogue())
        ],
        columns=columns,
    )


def _rows(book: Catalogue) -> Iterator[tuple[str, str, str, Quantity]]:
    for group, models in (("model", book.models), ("jemas model", book.jemas_models)):
        for model in models.values():
            derived = {"joules_fixed": model.joules_fixed, "joules_per_step": model.joules_per_step}
            for quantity, number in (vars(model) | derived).items():
                if isinstance(number, Quantity):
                    yield group, model.name, quantity, number
            for limit, number in model.step_range.items():
                yield group, model.name, f"steps {limit}", number
            for parameter, number in model.quality.parameters.items():
                yield group, model.name, f"quality {model.quality.kind} {parameter}", number
            for steps, number in model.quality.points.items():
                yield group, model.name, f"quality at {steps} steps", number
    things: dict[str, Mapping[str, Any]] = {"gpu": book.gpus, "clock": book.clocks, "class": book.classes}
    for group, entries in things.items():
        for name, entry in entries.items():
            for quantity, number in vars(entry).items():
                if isinstance(number, Quantity):
                    yield group, name, quantity, number
    for name, quantities in {**book.technologies, "any": book.finance}.items():
        for quantity, number in quantities.items():
            yield "technology", name, quantity, number
    yield "server", "any", "idle_watts a GPU", book.server_idle_watts
    for quantity, number in book.constants.items():
        yield "constant", "jemas", quantity, number
    for quantity in ("origin_shares", "origin_shifts"):
        for position, number in enumerate(getattr(book, quantity)):
            yield "constant", "jemas", f"{quantity}[{position}]", number

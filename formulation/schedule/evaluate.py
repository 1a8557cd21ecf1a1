"""The one judge: recompute everything that follows from a schedule, and say what it is worth.

Nothing is taken from the producer but the decisions: lost jobs follow from arrivals and FIFO deadlines,
energy content, temperature, peak, commitment and every money term from the flows (model.md, "One evaluator").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..instance.arrays import InstanceArrays
from ..instance.given import the_instance
from ..instance.instance import Instance
from ..instance.useful import largest_power_mw
from .physics import (
    GENERATOR_OFF_MW,
    commitment,
    energy_content,
    it_power,
    metered_import,
    per_site,
    queue,
    room_temperature,
)
from .schedule import SITE_FLOWS, Schedule, check_fits

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: Violations up to this are rounding of floating-point solvers: jobs, GPUs, GB and °C as they are, MW and MWh
#: as a share of the largest power that is of use, divided by ten (energy is money, so it is held tighter).
TOLERANCE = 1e-6

#: Families measured in MW or MWh.
POWER_FAMILIES = frozenset(
    {
        "import_limit",
        "export_limit",
        "import_export",
        "renewable",
        "cooling_limit",
        "charge_limit",
        "discharge_limit",
        "charge_discharge",
        "state_of_charge",
        "generator_limit",
        "generator_minimum",
        "balance",
    }
)


@dataclass(frozen=True)
class Evaluation:
    """What a schedule is worth (USD), what it did, and how far it breaks each constraint family.

    ``violations`` maps family to its largest violation in the family's own unit (see :func:`violations_of`).
    Trajectories: ``energy_mwh`` (J,T+1), ``temperature_c`` (J,T+1), ``facility_mw`` (J,T), ``waiting``
    (I,K,T) jobs after the slot, ``lost`` (I,K,T), ``metered_mw`` (J,T) mean import of the metering interval
    so far, ``peak_mw`` (J,) the highest one, ``generator_on`` (J,T).
    """

    utility: float
    breakdown: dict[str, float]
    metrics: dict[str, float]
    violations: dict[str, float]
    power_tolerance_mw: float
    energy_mwh: Floats
    temperature_c: Floats
    it_mw: Floats
    facility_mw: Floats
    waiting: Floats
    lost: Floats
    metered_mw: Floats
    peak_mw: Floats
    generator_on: Bools

    def __repr__(self) -> str:
        state = "feasible" if self.feasible else f"breaks {', '.join(self.broken)}"
        return f"<Evaluation: utility {self.utility:,.2f}, {state}>"

    @property
    def feasible(self) -> bool:
        """Whether no constraint family is broken by more than rounding (:data:`TOLERANCE`)."""
        return not self.broken

    @property
    def broken(self) -> dict[str, float]:
        """The constraint families broken by more than rounding, and by how much."""
        return {name: value for name, value in self.violations.items() if value > self.tolerance(name)}

    def tolerance(self, family: str) -> float:
        """What counts as rounding in a constraint family, in its unit."""
        return self.power_tolerance_mw if family in POWER_FAMILIES else TOLERANCE

    @property
    def worst(self) -> tuple[str, float]:
        """The constraint family broken most, measured by its tolerance, and by how much."""
        return max(self.violations.items(), key=lambda item: item[1] / self.tolerance(item[0]))


def evaluate(inst: Instance | InstanceArrays, schedule: Schedule) -> Evaluation:
    """Judge a schedule against the instance it was made for (model.md, all constraints and money terms).

    Raises:
        InputError: no instance, no schedule, or one with arrays whose shapes do not fit the instance or that
            hold other than finite numbers.
    """
    a = inst if isinstance(inst, InstanceArrays) else the_instance(inst).arrays()
    check_fits(a, schedule)
    it_mw = it_power(a, schedule)
    facility = np.where(a.thermal[:, None], it_mw + schedule.cooling_mw, a.pue * it_mw)
    waiting, lost, excess = queue(a, schedule)
    energy = energy_content(a, schedule)
    temperature = room_temperature(a, it_mw, schedule.cooling_mw)
    metered = metered_import(a, schedule.import_mw)
    peak = np.maximum(a.state.peak_mw, metered.max(axis=1, initial=0.0))
    on, starts = commitment(a, schedule.generator_mw)
    breakdown = _money(a, schedule, lost, energy, temperature, peak, on, starts)
    income = breakdown["revenue"] + breakdown["export"]
    costs = sum(value for name, value in breakdown.items() if name not in ("revenue", "export"))
    return Evaluation(
        utility=income - costs,
        breakdown=breakdown,
        metrics=_metrics(a, schedule, lost, facility),
        violations=violations_of(a, schedule, facility, excess, energy, temperature),
        # at least that of a kilowatt, to keep the tolerance above noise
        power_tolerance_mw=0.1 * TOLERANCE * max(1e-3, float(largest_power_mw(a).max())),
        energy_mwh=energy,
        temperature_c=temperature,
        it_mw=it_mw,
        facility_mw=facility,
        waiting=waiting,
        lost=lost,
        metered_mw=metered,
        peak_mw=peak,
        generator_on=on,
    )


def _money(
    a: InstanceArrays,
    s: Schedule,
    lost: Floats,
    energy: Floats,
    temperature: Floats,
    peak: Floats,
    on: Bools,
    starts: Bools,
) -> dict[str, float]:
    dt = a.slot_hours
    moved_gb = np.einsum("k,ijkt->ij", a.payload_gb, s.transfers)
    carbon_kg = a.carbon_kg_per_mwh * s.import_mw + a.generator_carbon[:, None] * s.generator_mw
    missing = np.maximum(0.0, a.energy_reference_mwh - energy[:, -1])
    warmer = np.maximum(0.0, temperature[:, -1] - a.temperature_reference_c)
    terms = {
        "revenue": a.options.revenue @ s.runs.sum(axis=1),
        "transfer": (a.transfer_cost * moved_gb).sum(),
        "miss_penalty": a.miss_penalty @ lost.sum(axis=(0, 2)),
        "import": (a.import_price * s.import_mw).sum() * dt,
        "export": (a.export_price * s.export_mw).sum() * dt,
        "carbon": a.carbon_price / 1000 * carbon_kg.sum() * dt,
        "wear": a.wear_cost @ s.discharge_mw.sum(axis=1) * dt,
        "fuel": (a.fuel_cost @ s.generator_mw.sum(axis=1) + a.no_load_cost @ on.sum(axis=1)) * dt,
        "startup": a.startup_cost @ starts.sum(axis=1),
        "demand": a.demand_charge @ (peak - a.state.peak_mw),
        "terminal": a.terminal_price @ missing + a.terminal_heat_price @ warmer,
    }
    return {name: float(value) for name, value in terms.items()}


def _metrics(a: InstanceArrays, s: Schedule, lost: Floats, facility: Floats) -> dict[str, float]:
    jobs = float(a.arrivals.sum() + a.state.backlog.sum())
    run = float(s.runs.sum())
    per_option = s.runs.sum(axis=1)
    away = float(s.transfers.sum() - np.einsum("iikt->", s.transfers))
    supplied = float((s.import_mw + s.renewable_mw + s.generator_mw).sum())
    kg = float(
        (a.carbon_kg_per_mwh * s.import_mw).sum() + (a.generator_carbon[:, None] * s.generator_mw).sum()
    )
    seconds = float(a.options.seconds @ per_option)
    capacity = float(3600 * a.slot_hours * a.n_slots * a.gpus.sum())
    missed = float(lost.sum())
    return {
        "jobs": jobs,
        "missed": missed,
        "miss_rate": _ratio(missed, jobs),
        "mean_quality": _ratio(float(a.options.quality @ per_option), run),
        "mean_steps": _ratio(float(a.options.steps @ per_option), run),
        "transfer_share": _ratio(away, run),
        "energy_mwh": float(facility.sum() * a.slot_hours),
        "carbon_t": kg * a.slot_hours / 1000,
        "renewable_share": _ratio(float(s.renewable_mw.sum()), supplied),
        "gpu_utilisation": _ratio(seconds, capacity),
    }


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else 0.0


def violations_of(
    a: InstanceArrays, s: Schedule, facility: Floats, excess: Floats, energy: Floats, temperature: Floats
) -> dict[str, float]:
    """The largest violation of every constraint family of model.md, 0 where the family holds.

    Units: jobs (``assignment``, ``deadline``, ``integrality``), GPUs (``gpu_count``, ``gpu_time``), GB per
    slot (``link``), MWh (``state_of_charge``), °C (``temperature``), MW (the others); ``sign`` as the flow.
    """
    per_gpu = a.seconds_per_gpu[:, None]
    needed = per_site(a, a.options.seconds[:, None] * s.runs) / per_gpu
    run = np.zeros((len(a.sites), len(a.classes), a.n_slots))
    np.add.at(run, (a.options.site, a.options.job_class), s.runs)
    moved = np.einsum("k,ijkt->ijt", a.payload_gb, s.transfers)
    supply = s.import_mw + s.renewable_mw + s.discharge_mw + s.generator_mw
    use = facility + s.charge_mw + s.export_mw
    signed = [getattr(s, flow) for flow in ("transfers", "runs", *SITE_FLOWS)]
    whole = [s.transfers, s.runs, s.gpus_on] if a.integral_jobs else []
    power = a.battery_power_mw[:, None]
    inside = energy[:, 1:]
    generating = s.generator_mw > GENERATOR_OFF_MW
    with np.errstate(invalid="ignore"):
        link = moved - (a.link_gb_per_hour * a.slot_hours)[:, :, None]
    return {
        "sign": max(_largest(-flow) for flow in signed),
        "integrality": max((_largest(np.abs(n - np.round(n))) for n in whole), default=0.0),
        "assignment": _largest(np.abs(run - s.transfers.sum(axis=0))),
        "deadline": _largest(excess),
        "gpu_count": _largest(s.gpus_on - a.gpus[:, None]),
        "gpu_time": _largest(needed - s.gpus_on),
        "link": _largest(link),
        "import_limit": _largest(s.import_mw - a.import_limit_mw[:, None]),
        "export_limit": _largest(s.export_mw - a.export_limit_mw[:, None]),
        "import_export": _largest(np.minimum(s.import_mw, s.export_mw)[a.either_way]),
        "renewable": _largest(s.renewable_mw - a.renewable_mw),
        "cooling_limit": _largest(s.cooling_mw - a.cooling_max_mw[:, None]),
        "temperature": _largest((temperature[:, 1:] - a.max_c[:, None])[a.thermal]),
        "charge_limit": _largest(s.charge_mw - power),
        "discharge_limit": _largest(s.discharge_mw - power),
        "charge_discharge": _largest(np.minimum(s.charge_mw, s.discharge_mw)),
        "state_of_charge": max(
            _largest(inside - a.energy_max_mwh[:, None]), _largest(a.energy_min_mwh[:, None] - inside)
        ),
        "generator_limit": _largest(s.generator_mw - a.generator_max_mw[:, None]),
        "generator_minimum": _largest((a.generator_min_mw[:, None] - s.generator_mw)[generating]),
        "balance": _largest(np.abs(supply - use)),
    }


def _largest(violation: Floats) -> float:
    return max(0.0, float(violation.max(initial=0.0)))

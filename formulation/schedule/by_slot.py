"""The money of a judged schedule by site and slot; its sums are the judge's breakdown."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..instance.arrays import InstanceArrays
from .evaluate import Evaluation
from .physics import per_site
from .schedule import Schedule

Floats = NDArray[np.float64]


def money_by_slot(a: InstanceArrays, s: Schedule, judged: Evaluation) -> dict[str, Floats]:
    """USD by item, each (J,T): income and costs positive, as in :attr:`.Evaluation.breakdown`.

    Transfers and missed jobs are counted at their origin; the demand charge in the slots that raise the peak;
    what is missing at the end in the last slot.
    """
    dt, last = a.slot_hours, np.zeros((len(a.sites), a.n_slots))
    missing = np.maximum(0.0, a.energy_reference_mwh - judged.energy_mwh[:, -1])
    warmer = np.maximum(0.0, judged.temperature_c[:, -1] - a.temperature_reference_c)
    last[:, -1] = a.terminal_price * missing + a.terminal_heat_price * warmer
    carbon_kg = a.carbon_kg_per_mwh * s.import_mw + a.generator_carbon[:, None] * s.generator_mw
    was_on = np.concatenate([a.state.generator_on[:, None], judged.generator_on[:, :-1]], axis=1)
    peak = np.maximum.accumulate(np.column_stack([a.state.peak_mw, judged.metered_mw]), axis=1)
    return {
        "revenue": per_site(a, a.options.revenue[:, None] * s.runs),
        "transfer": np.einsum("ij,k,ijkt->it", a.transfer_cost, a.payload_gb, s.transfers),
        "miss_penalty": np.einsum("k,ikt->it", a.miss_penalty, judged.lost),
        "import": a.import_price * s.import_mw * dt,
        "export": a.export_price * s.export_mw * dt,
        "carbon": a.carbon_price / 1000 * carbon_kg * dt,
        "wear": a.wear_cost[:, None] * s.discharge_mw * dt,
        "fuel": (a.fuel_cost[:, None] * s.generator_mw + a.no_load_cost[:, None] * judged.generator_on) * dt,
        "startup": a.startup_cost[:, None] * (judged.generator_on & ~was_on),
        "demand": a.demand_charge[:, None] * np.diff(peak, axis=1),
        "terminal": last,
    }

"""Tiny instances whose optima are worked out by hand."""

from __future__ import annotations

from typing import Any

from stepwatt.formulation import Instance

HOUR = 3600.0
MWH = 3.6e9  # joules


def site(price: list[float], **fields: Any) -> dict[str, Any]:
    """One GPU that draws nothing when idle, a wide import line, no export, no sun, PUE 1."""
    slots = len(price)
    return {
        "gpus": 1,
        "gpu_idle_watts": 0.0,
        "models": ["m"],
        "grid": {
            "import_price": price,
            "export_price": [0.0] * slots,
            "import_limit_mw": 100.0,
            "export_limit_mw": 0.0,
            "carbon_kg_per_mwh": [0.0] * slots,
        },
        "renewable_mw": [0.0] * slots,
        "cooling": {"kind": "pue", "pue": [1.0] * slots},
        **fields,
    }


def instance(
    sites: dict[str, dict[str, Any]],
    arrivals: dict[str, list[int]],
    *,
    steps: dict[int, float],
    seconds_per_step: float,
    mwh_per_step: float,
    transfer_cost: float = 0.0,
    job: dict[str, Any] | None = None,
    **fields: Any,
) -> Instance:
    """One class ``k`` and one model ``m``; ``steps`` maps each step count to its revenue (USD, ≤ 100).

    Slots of one hour, time and energy proportional to steps, 1 GB and 1 USD of penalty a job.
    """
    n_slots = len(next(iter(arrivals.values())))
    counts, values = list(steps), [revenue / 100 for revenue in steps.values()]
    return Instance.from_dict(
        {
            "schema": "stepwatt.instance/1",
            "name": "tiny",
            "start": "2024-03-01T00:00:00Z",
            "n_slots": n_slots,
            "slot_hours": 1.0,
            "models": {
                "m": {
                    "steps": counts,
                    "seconds_fixed": 0.0,
                    "seconds_per_step": seconds_per_step,
                    "joules_fixed": 0.0,
                    "joules_per_step": mwh_per_step * MWH,
                    "quality": {"default": {"kind": "tabulated", "steps": counts, "values": values}},
                }
            },
            "classes": {
                "k": {
                    "base_price": 0.0,
                    "quality_price": 100.0,
                    "quality_floor": 0.0,
                    "deadline_slots": 0,
                    "miss_penalty": 1.0,
                    "payload_gb": 1.0,
                    **(job or {}),
                }
            },
            "sites": sites,
            "arrivals": {name: {"k": jobs} for name, jobs in arrivals.items()},
            "transfer_cost": {i: {j: 0.0 if i == j else transfer_cost for j in sites} for i in sites},
            **fields,
        }
    )


def one_slot() -> Instance:
    """Two GPUs give 2 · 3600 s; a job takes 360 s with 10 steps or 720 s with 20, so s + 2 l ≤ 20.

    Power costs 20 USD/MWh. A short job earns 5 − 0.1 · 20 = 3, a long one 9 − 0.2 · 20 = 5. Of 12 jobs,
    s + l = 12 and s + 2 l = 20 give s = 4, l = 8: 4 · 3 + 8 · 5 = 52. Both GPUs idle at 0.1 MW: 2 · 0.1 · 20
    = 4. Utility 48. All numbers are whole and the two step counts lie on a line, so LP and conic agree.
    """
    return instance(
        {"a": site([20.0], gpus=2, gpu_idle_watts=1e5)},
        {"a": [12]},
        steps={10: 5.0, 20: 9.0},
        seconds_per_step=36.0,
        mwh_per_step=0.01,
    )


def two_sites() -> Instance:
    """Ten jobs fit on the one GPU of each site; a job takes 0.1 MWh and pays 8 USD; moving it costs 1 USD.

    Power: 50 USD/MWh at a, 10 at b, where 0.5 MWh of sun come free. A job at a earns 8 − 5 = 3, at b 8 − 1 =
    7, moved from a to b 6. b runs its own 4 jobs (28) and 6 of a (36), a runs the other 6 of its 12 (18); the
    sun saves 0.5 · 10 = 5. Utility 87.
    """
    return instance(
        {"a": site([50.0]), "b": site([10.0], renewable_mw=[0.5])},
        {"a": [12], "b": [4]},
        steps={10: 8.0},
        seconds_per_step=36.0,
        mwh_per_step=0.01,
        transfer_cost=1.0,
    )


def battery() -> Instance:
    """Five jobs of 1 MWh a slot, 90 USD each (10 · 90 = 900); power at 20, then 70 USD/MWh: 5 · 90 = 450.

    The empty battery (10 MWh, 4 MW) charges 4 MW for 80 USD, holds 4 · 0.8 = 3.2 MWh and gives 3.2 · 0.75 =
    2.4 MWh, which save 2.4 · 70 = 168 and wear 2.4 · 5 = 12. Utility 900 − 450 − 80 + 168 − 12 = 526.
    """
    storage = {
        "energy_mwh": 10.0,
        "power_mw": 4.0,
        "charge_efficiency": 0.8,
        "discharge_efficiency": 0.75,
        "soc_min": 0.0,
        "soc_max": 1.0,
        "soc_initial": 0.0,
        "wear_cost": 5.0,
    }
    return instance(
        {"a": site([20.0, 70.0], gpus=5, battery=storage)},
        {"a": [5, 5]},
        steps={10: 90.0},
        seconds_per_step=360.0,
        mwh_per_step=0.1,
    )


def whole_jobs() -> Instance:
    """Jobs of 1500 s: two fit into the hour of a GPU, 2.4 in the relaxation. Power at 2 USD/MWh.

    A job pays 10 USD and takes no energy, the GPU idles at 1 MW: 2 USD; a lost job costs 1. Whole: 2 of 3
    jobs, 20 − 1 − 2 = 17. Fluid: 24 − 0.6 − 2 = 21.4.
    """
    return instance(
        {"a": site([2.0], gpu_idle_watts=1e6)},
        {"a": [3]},
        steps={10: 10.0},
        seconds_per_step=150.0,
        mwh_per_step=0.0,
    )


#: name → instance, optimum, linear relaxation (and conic: the curves are linear)
BY_HAND = {
    "one slot": (one_slot, 48.0, 48.0),
    "two sites": (two_sites, 87.0, 87.0),
    "battery": (battery, 526.0, 526.0),
    "whole jobs": (whole_jobs, 17.0, 21.4),
}

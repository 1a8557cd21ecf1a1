"""What an instance is about, in a few lines: for reports and the command line."""

from __future__ import annotations

from stepwatt.formulation import Instance
from stepwatt.solvers.methods import Kind

#: How tables name the kinds of methods.
KIND_LABELS: dict[Kind, str] = {
    "optimum": "optimum",
    "bound": "bound",
    "planner": "planner",
    "ablation": "restricted foresight",
    "yours": "given schedule",
}


def instance_facts(inst: Instance) -> list[tuple[str, str]]:
    """Name and value, ready to print."""
    offset = inst.start_time.strftime("%z")
    zone = "UTC" if offset == "+0000" else f"UTC{offset[:3]}:{offset[3:]}"
    gpus = sum(site.gpus for site in inst.sites.values())
    jobs = sum(sum(series) for by_class in inst.arrivals.values() for series in by_class.values())
    batteries = [site.battery for site in inst.sites.values() if site.battery]
    storage = sum(battery.energy_mwh for battery in batteries)
    prices = inst.arrays().import_price
    return [
        ("start", f"{inst.start_time:%Y-%m-%d %H:%M} {zone}"),
        (
            "slots",
            f"{inst.n_slots} of {60 * inst.slot_hours:g} minutes ({inst.n_slots * inst.slot_hours:g} h)",
        ),
        ("sites", f"{len(inst.sites)}: {_names(list(inst.sites))}"),
        ("models", _names(list(inst.models))),
        ("job classes", _names(list(inst.classes))),
        ("jobs arriving", f"{jobs:,.0f}"),
        ("GPUs", f"{gpus:,}"),
        ("batteries", f"{storage:.3g} MWh" if batteries else "none"),
        ("import price", f"{prices.min():.1f} to {prices.max():.1f} {inst.currency}/MWh"),
        ("jobs and GPUs", "whole numbers" if inst.integral_jobs else "divisible (fluid)"),
    ]


def _names(names: list[str], most: int = 6) -> str:
    shown = ", ".join(names[:most])
    return f"{shown}, … ({len(names)})" if len(names) > most else shown

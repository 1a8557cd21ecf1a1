"""A month of two Norwegian sites, day by day: the peak that is paid for goes from each day into the next."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np

import stepwatt as sw

FIRST, DAYS = date(2025, 2, 1), 28
SPOT = sw.read_prices(
    Path(__file__).with_name("spot.csv"),
    time="Time",
    value=["NO1", "NO4"],
    zone="all",
    tz="Europe/Oslo",
    dayfirst=True,
    unit="NOK/kWh",
)


def instance(first: date, days: int) -> sw.Instance:
    """Both sites in so many days; nothing is charged for what is missing in the battery at the end."""
    afternoon = np.tile(np.cos(2 * np.pi * (np.arange(24) - 14) / 24), days)
    campaign = np.repeat([1.4 if 8 <= (first + timedelta(d)).day <= 12 else 1.0 for d in range(days)], 24)
    busy = campaign * (1 + 0.5 * afternoon)

    def site(zone: str, cooling: sw.Cooling, battery: sw.Battery | None = None) -> sw.Site:
        # 60 NOK/MWh for the use of the grid, 60 NOK/kW of the month's highest hour
        grid = sw.Grid(import_price=SPOT[zone] + 60, import_limit_mw=0.3, demand_charge=60_000)
        gpus = sw.Gpus(count=256, kind="H100-SXM")
        return sw.Site(gpus=gpus, grid=grid, cooling=cooling, battery=battery, terminal_price=0.0)

    return sw.build(
        name=f"Norway, {days} days from {first}",
        start=first,
        days=days,
        slot="1h",
        timezone="Europe/Oslo",
        currency="NOK",
        sites={
            "oslo": site(
                "NO1", sw.Cooling(pue=1.25), sw.Battery(energy_mwh=0.4, power_mw=0.1, wear_cost=150)
            ),
            "narvik": site("NO4", sw.Cooling(outside_c=-6 + 4 * afternoon)),
        },
        models={"sdxl-base": sw.Model.named("sdxl-base", steps=[14, 22, 30])},
        classes={
            "app": sw.JobClass(base_price=0.004, step_price=3e-5, miss_penalty=0.006, payload_gb=0.0015),
            "batch": sw.JobClass(
                base_price=0.002,
                step_price=2e-5,
                miss_penalty=0.002,
                payload_gb=0.0015,
                deadline_minutes=480,
            ),
        },
        arrivals={
            "oslo": {"app": 70_000 * busy, "batch": 50_000 * busy},
            "narvik": {"app": 40_000 * busy},
        },
        transfer_cost=0.25,
        integral_jobs=False,
        closes=False,
    )


def day_by_day(first_peak_mw: np.ndarray | None, carry: bool = True) -> list[sw.Result]:
    """Each day's optimum, begun with what the day before left; peaks are carried over, or forgotten."""
    done: list[sw.Result] = []
    for number in range(DAYS):
        today = instance(FIRST + timedelta(days=number), 1)
        if done:
            today = done[-1].instance.after(done[-1].schedule, today)
        elif first_peak_mw is not None:
            today = with_peak(today, first_peak_mw)
        if not carry:
            today = with_peak(today, np.zeros(2))
        done.append(sw.solve(today))
    return done


def with_peak(inst: sw.Instance, peak_mw: np.ndarray) -> sw.Instance:
    """The instance where such a peak of each site is paid for already."""
    named = zip(inst.sites, peak_mw.tolist(), strict=True)
    return inst.replace({f"sites.{site}.grid.peak_so_far_mw": peak for site, peak in named})


def joined(days: list[sw.Result]) -> sw.Schedule:
    """The days' schedules as one of the month: all arrays have slots last."""
    parts = [vars(day.schedule) for day in days]
    return sw.Schedule(**{name: np.concatenate([part[name] for part in parts], axis=-1) for name in parts[0]})


month = instance(FIRST, DAYS)
whole = sw.solve(month, "lp")  # jobs and GPUs are real numbers here: the relaxation is the optimum
alone, carried = day_by_day(None, carry=False), day_by_day(None)
aimed = day_by_day(whole.evaluation.peak_mw)  # of last month, in earnest
table = sw.compare(
    month,
    {
        "today: 30 steps": sw.rules(steps=30),
        "days, peak forgotten": joined(alone),
        "days, peak carried": joined(carried),
        "days, peak aimed at": joined(aimed),
        "the month at once": whole,
    },
).table
print(table[["utility", "energy_cost", "gap"]].to_string(float_format="{:,.4f}".format))

booked = sum(day.utility for day in carried)
judged = sw.evaluate(month, joined(carried))
print(f"peak carried: 28 days booked {booked:,.2f} NOK, the month judged as one {judged.utility:,.2f} NOK")
peaks = {"first day": carried[0], "last day": carried[-1], "month at once": whole}
for name, result in peaks.items():
    told = zip(month.sites, 1000 * result.evaluation.peak_mw, strict=True)
    print(f"peak, {name}:", ", ".join(f"{site} {kw:.1f} kW" for site, kw in told))

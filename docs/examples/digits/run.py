"""A provider with models of three sizes whose quality against steps was measured, not assumed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

import stepwatt as sw

STEPS = [1, 2, 3, 4, 6, 8, 10, 14, 18, 22, 30, 42]
#: Seconds and joules are those of published models of three sizes; the digits stand in for quality alone.
SIZES = {"small": "sd-2.1", "middle": "sdxl-base", "large": "sd-3.5-large"}
prices = sw.data.load_europe_2018().loc["DE"]["price_usd_per_mwh"]

points = {size: pd.read_csv(Path(__file__).with_name(f"{size}.csv")) for size in SIZES}
means = {size: table.groupby("steps").quality.mean() for size, table in points.items()}
fits = {size: sw.fit_quality(table.steps, table.quality)[0] for size, table in points.items()}


def day(quality: dict[str, object]) -> sw.Instance:
    """The same day with other curves of quality."""
    busy = 1 + 0.6 * np.cos(2 * np.pi * (np.arange(24) - 14) / 24)
    site = sw.Site(
        gpus=sw.Gpus(count=256, kind="H100-SXM"),
        grid=sw.Grid(import_price=prices + 80, import_limit_mw=0.3),
        cooling=sw.Cooling(pue=1.2),
    )
    return sw.build(
        start="2018-10-10",
        timezone="Europe/Berlin",
        slot="1h",
        sites={"berlin": site},
        models={
            size: sw.Model.named(name, steps=STEPS).model_copy(update={"quality": quality[size]})
            for size, name in SIZES.items()
        },
        classes={
            "free": sw.JobClass(quality_price=0.001, miss_penalty=0.0005, models=["small", "middle"]),
            "pro": sw.JobClass(quality_price=0.01, miss_penalty=0.01, deadline_minutes=120),
        },
        arrivals={"berlin": {"free": 500_000 * busy, "pro": 250_000 * busy}},
        integral_jobs=False,
    )


# what one would assume who measured 42 steps alone and takes the rate of sdxl-base from the catalogue
assumed = {
    size: {"kind": "exponential", "ceiling": q[42], "span": q[42], "rate": 0.53} for size, q in means.items()
}
curves = {
    "assumed": assumed,
    "fitted": {size: fit.quality for size, fit in fits.items()},
    "measured": {size: q.to_dict() for size, q in means.items()},
}
real = day(curves["measured"])
plans = {name: sw.solve(day(quality)) for name, quality in curves.items()}
judged = {name: sw.evaluate(real, plan.schedule) for name, plan in plans.items()}
today = sw.compare(real, {"today": sw.rules(model="small", steps=14), "measured": plans["measured"]}).table

print(pd.DataFrame(means).T.to_string(float_format="{:.3f}".format))
for size, fit in fits.items():
    print(f"{size}: {fit.kind}, R² {fit.r2:.3f}, RMSE {fit.rmse:.3f}")
for name, plan in plans.items():
    paid = judged[name]
    print(
        f"planned with {name} curves: hoped for {plan.utility:,.0f} USD, paid {paid.utility:,.0f} USD", end=""
    )
    print(f", {paid.metrics['mean_steps']:.1f} steps")
    columns = ["site", "class", "model", "steps", "clock", "slot", "jobs"]
    runs = pd.DataFrame(plan.schedule.to_dict(real)["runs"], columns=columns)
    share = runs.groupby(["class", "model"]).jobs.sum() / runs.jobs.sum()
    print("   ", ", ".join(f"{job} by {size} {part:.0%}" for (job, size), part in share.items()))
print(today[["utility", "miss_rate", "mean_quality", "gap"]].to_string(float_format="{:,.3f}".format))

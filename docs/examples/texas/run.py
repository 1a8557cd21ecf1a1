"""A Texan site on real-time prices with a generator: what is it worth on a day with a spike?"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import stepwatt as sw

price = sw.read_prices(Path(__file__).with_name("ercot_rtm.csv"), tz="America/Chicago")
hours = np.arange(96) / 4
busy = 1 + 0.5 * np.cos(2 * np.pi * (hours - 19) / 24)

site = sw.Site(
    gpus=sw.Gpus(count=1024, kind="H100-SXM"),
    # 12 USD/MWh for delivery; what the generator makes beyond the site's need is sold at the hub
    grid=sw.Grid(import_price=price + 12, export_price=price, import_limit_mw=1.0, export_limit_mw=1.0),
    cooling=sw.Cooling(outside_c=31 + 6 * np.cos(2 * np.pi * (hours - 17) / 24)),
    generator=sw.Generator(
        max_mw=1.2, min_mw=0.4, fuel_cost=85, no_load_cost=25, startup_cost=150, carbon_kg_per_mwh=500
    ),
    battery=sw.Battery(energy_mwh=0.5, power_mw=0.25, wear_cost=25),
)
day = sw.build(
    name="West Texas, 2025-08-20",
    start="2025-08-20",
    timezone="America/Chicago",
    slot="15min",
    sites={"west": site},
    models={"sdxl-base": sw.Model.named("sdxl-base", steps=[14, 22, 30])},
    classes={
        "interactive": sw.JobClass(base_price=0.0008, step_price=4e-6, miss_penalty=0.002),
        "batch": sw.JobClass(base_price=0.0003, step_price=3e-6, miss_penalty=0.0003, deadline_minutes=360),
    },
    arrivals={"west": {"interactive": np.round(90_000 * busy), "batch": np.round(60_000 * busy)}},
)
worth = sw.what_if(
    day,
    {
        "no generator": {"sites.west.generator": None},
        "batch jobs at once": {"classes.batch.deadline_slots": 0},
    },
)
best = worth.results["as it is"]
table = sw.compare(day, {"today: 30 steps": sw.rules(steps=30), "greedy": "greedy", "oracle": best}).table
table["against"] = table.utility - best.utility

print(sw.sizing(day))
print(worth.table[["utility", "bound", "low", "high"]].to_string(float_format="{:,.2f}".format))
print(table[["utility", "against", "energy_cost", "gap"]].to_string(float_format="{:,.3f}".format))
on = best.schedule.generator_mw[0] > 0
print(
    f"price {price.min():.0f} to {price.max():,.0f} USD/MWh; the generator runs {on.sum() / 4:g} h, from",
    end=" ",
)
print(price.index[on][0].strftime("%H:%M"), f"on, and sells {best.schedule.export_mw[0].sum() / 4:.2f} MWh")

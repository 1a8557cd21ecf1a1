"""Video: jobs of many GPU-minutes and many megabytes, at two sites with sun and wind and a link."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

import stepwatt as sw

measured = sw.data.load_europe_2018()
log = pd.read_csv(Path(__file__).with_name("requests.csv"), sep=";")
hours = pd.date_range("2018-05-08", periods=24, freq="h", tz="Europe/Copenhagen")


def clips(studio: str) -> pd.DataFrame:
    """Clips of each kind by the hour; the log says nothing before its first and after its last."""
    rows = log[log.studio == studio]
    jobs = sw.read_jobs(
        rows, time="submitted", dayfirst=True, tz=str(hours.tz), job_class="kind", count="clips", every="1h"
    )
    return jobs.reindex(hours, fill_value=0)


def site(zone: str, gpus: int, pv_mw: float, wind_mw: float) -> sw.Site:
    """What sun and wind give beyond the site's need is sold at the price of the exchange."""
    hour = measured.loc[zone]
    return sw.Site(
        gpus=sw.Gpus(count=gpus, kind="H100-SXM", clocks=["eco", "base"]),
        grid=sw.Grid(
            import_price=hour["price_usd_per_mwh"] + 60,
            export_price=hour["price_usd_per_mwh"],
            import_limit_mw=0.001 * gpus,
            carbon_kg_per_mwh=hour["carbon_lca_g_per_kwh"],
        ),
        cooling=sw.Cooling(pue=1.15),
        renewable_mw=pv_mw * hour["pv_cf"] + wind_mw * hour["wind_cf"],
    )


def wan(seconds: float, joules: float, ceiling: float) -> sw.Model:
    """A video model by what ML.ENERGY measured for a clip of 50 steps; 67.5 W of it are the idle GPU."""
    return sw.Model(
        steps=[20, 30, 40, 50],
        seconds_per_step=seconds / 50,
        joules_per_step=(joules - 67.5 * seconds) / 50,
        quality={"kind": "exponential", "ceiling": ceiling, "span": ceiling, "rate": 0.08},
    )


day = sw.build(
    name="video, 2018-05-08",
    start="2018-05-08",
    timezone="Europe/Copenhagen",
    slot="1h",
    sites={
        "copenhagen": site("DK", gpus=8, pv_mw=0.0, wind_mw=0.01),
        "amsterdam": site("NL", gpus=6, pv_mw=0.006, wind_mw=0.0),
    },
    models={"wan-1.3b": wan(95.4, 64_672, 0.75), "wan-14b": wan(466.8, 289_253, 0.9)},
    classes={
        "short": sw.JobClass(quality_price=0.03, quality_floor=0.5, payload_gb=0.02, miss_penalty=0.02),
        "film": sw.JobClass(
            quality_price=0.04, quality_floor=0.7, payload_gb=0.2, miss_penalty=0.02, deadline_minutes=600
        ),
    },
    arrivals={studio: clips(studio) for studio in ("copenhagen", "amsterdam")},
    transfer_cost=0.02,
    link_gb_per_hour={"copenhagen": {"amsterdam": 5}, "amsterdam": {"copenhagen": 5}},
    carbon_price=25,
)
GAP = 1e-3  # few and large jobs: the last digits cost minutes
worth = sw.what_if(
    day,
    {
        "no link": {"link_gb_per_hour.*.*": 0.0},
        "films at once": {"classes.film.deadline_slots": 0},
        "no sun, no wind": {"sites.*.renewable_mw": 0.0},
    },
    gap=GAP,
)
best = worth.results["as it is"]
table = sw.compare(
    day,
    {"today: 14B, 50 steps": sw.rules(model="wan-14b", steps=50), "greedy": "greedy", "oracle": best},
).table
table["against"] = table.utility - best.utility

print(worth.table[["utility", "bound", "low", "high", "mean_steps"]].to_string(float_format="{:,.2f}".format))
shown = table[["utility", "against", "energy_cost", "miss_rate", "gap"]]
print(shown.to_string(float_format="{:,.4f}".format))
for name, result in worth.results.items():
    told = result.evaluation.metrics
    print(f"{name}: mean quality {told['mean_quality']:.3f}, {told['renewable_share']:.0%} sun and wind")

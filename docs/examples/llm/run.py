"""Serving language models: tokens are the steps, and how long agents may think depends on the hour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

import stepwatt as sw

PER_ROW = 20_000  # the log is a sample: a row stands for so many requests
log = sw.read_jobs(Path(__file__).with_name("requests.csv"), tz="UTC", every="1h")
tokens = round(log.attrs["steps"]["jobs"]["mean"])
measured = sw.data.load_europe_2018()


def site(zone: str, gpus: int) -> sw.Site:
    """Decoding waits for memory: a slower clock costs a tenth of the speed and a quarter of the energy."""
    clocks = [sw.Clock(name="eco", speed=0.9, energy=0.75), sw.Clock(name="base", speed=1.0, energy=1.0)]
    prices = measured.loc[zone]["price_usd_per_mwh"]
    return sw.Site(
        gpus=sw.Gpus(count=gpus, kind="H100-SXM", clocks=clocks),
        grid=sw.Grid(
            import_price=prices + 80,
            import_limit_mw=0.001 * gpus,
            carbon_kg_per_mwh=measured.loc[zone]["carbon_lca_g_per_kwh"],
        ),
        cooling=sw.Cooling(pue=1.2),
    )


def language_model(steps: list[int], quality: object) -> sw.Model:
    """1,000 tokens a second and GPU, as batches of many requests have it; reading the prompt takes 0.1 s."""
    return sw.Model(
        steps=steps,
        seconds_per_step=0.001,
        joules_per_step=0.45,
        seconds_fixed=0.1,
        joules_fixed=50,
        quality=quality,
    )


hours = np.arange(24)
day = sw.build(
    name="tokens, 2018-10-10",
    start="2018-10-10",
    timezone="Europe/Berlin",
    slot="1h",
    sites={"frankfurt": site("DE", 24), "paris": site("FR", 16)},
    models={
        "chat": language_model([tokens], 1.0),
        # share of tasks that are solved, by tokens of thinking
        "thinking": language_model(
            [256, 512, 1024, 2048, 4096], {256: 0.38, 512: 0.47, 1024: 0.55, 2048: 0.61, 4096: 0.65}
        ),
    },
    classes={
        "chat": sw.JobClass(base_price=0.0004, miss_penalty=0.001, models=["chat"], payload_gb=1e-5),
        "agents": sw.JobClass(
            quality_price=0.003,
            quality_floor=0.45,
            miss_penalty=0.001,
            deadline_minutes=240,
            models=["thinking"],
            payload_gb=1e-4,
        ),
    },
    arrivals={
        "frankfurt": {"chat": PER_ROW * log["jobs"], "agents": 24_000 + 16_000 * np.cos((hours - 15) / 3.82)},
        "paris": {"agents": [9_000] * 24},
    },
    transfer_cost=0.02,
    carbon_price=25,
    integral_jobs=False,
)
best = sw.solve(day)
policies = {"oracle": best, "greedy": "greedy"}
policies |= {f"{count} tokens": sw.rules(steps=count, route="nearest") for count in (512, 1024, 2048)}
table = sw.compare(day, policies).table
levers = sw.levers(day).table

columns = ["site", "class", "model", "tokens", "clock", "hour", "jobs"]
runs = pd.DataFrame(best.schedule.to_dict(day)["runs"], columns=columns)
agents = runs[runs["class"] == "agents"]
part = agents.hour // 4
thinking = (agents.tokens * agents.jobs).groupby(part).sum() / agents.jobs.groupby(part).sum()

print(f"{log.to_numpy().sum()} rows of the log, {tokens} tokens each")
print(sw.sizing(day, steps=1024))
print(table[["utility", "energy_cost", "miss_rate", "gap"]].to_string(float_format="{:,.4f}".format))
print(
    levers.loc[["transfer", "steps", "clocks", "deferral"], ["low", "high"]].to_string(
        float_format="{:,.2f}".format
    )
)
for number, mean in thinking.items():
    print(f"{4 * number:2d}:00 to {4 * number + 4}:00: agents think for {mean:,.0f} tokens")

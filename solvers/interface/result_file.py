"""What a result file (``stepwatt.result/1``) holds, for readers and for validators."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from stepwatt.formulation.records import Computed, NonNegative, Record, about
from stepwatt.formulation.schedule.schedule import ScheduleFile


class SecondsFile(Record):
    """Wall-clock seconds of a solve."""

    build: Annotated[NonNegative, about("writing the model down", "s")]
    solve: Annotated[NonNegative, about("solving it", "s")]
    total: Annotated[NonNegative, about("all together", "s")]


class ResultFile(Record):
    """What a solver call returned."""

    schema_: Annotated[Literal["stepwatt.result/1"], about("format and version")] = Field(alias="schema")
    instance: Annotated[str, about("name of the instance")]
    method: Annotated[str, about("that was run")]
    extra: Annotated[
        list[str],
        about("own constraints by name, where there are any; status, bound and gap are those with them"),
    ] = Field(default_factory=list)
    status: Annotated[
        Literal["optimal", "feasible", "time_limit", "infeasible"],
        about("how it ended; optimal only with a bound within the gap asked for"),
    ]
    utility: Annotated[Computed | None, about("as judged; none without a schedule", "USD")]
    bound: Annotated[
        Computed | None, about("on the utility of any schedule; none where none is proved", "USD")
    ]
    gap: Annotated[
        Computed | None, about("distance to the bound", "1", "(bound − utility)/max(|bound|, 1e-9)")
    ]
    seconds: Annotated[SecondsFile, about("what it took")]
    breakdown: Annotated[
        dict[str, Computed],
        about(
            "revenue, transfer, miss_penalty, import, export, carbon, wear, fuel, startup, demand, terminal",
            "USD",
            "utility = revenue + export − the rest",
        ),
    ]
    metrics: Annotated[
        dict[str, Computed],
        about(
            "jobs, missed, miss_rate, mean_quality, mean_steps, transfer_share, energy_mwh, carbon_t, "
            "renewable_share, gpu_utilisation"
        ),
    ]
    violations: Annotated[
        dict[str, Computed], about("largest of each family of constraints, 0 where it holds")
    ]
    schedule: Annotated[ScheduleFile | None, about("the decisions; none where there are none")]

"""Logs of requests become whole numbers by slot and class."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from stepwatt.data import look, read_jobs
from stepwatt.formulation import InputError

AZURE = """TIMESTAMP,ContextTokens,GeneratedTokens
2024-05-10 00:00:00.009930+00:00,2162,5
2024-05-10 00:14:59.999999+00:00,2399,6
2024-05-10 00:15:00+00:00,2399,10
2024-05-10 00:45:01.5+00:00,2399,11
"""
BURST = """Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type
5,,,GPT-4,400,10,410,Conversation log
899.5,,,ChatGPT,401,20,421,API log
900,,,ChatGPT,401,30,431,API log
"""
IMAGES = """request_id,gmt_create,base_model,num_inference_steps
r0,2024-10-12 10:00:07,sdxl,20
r1,2024-10-12 10:20:07,sd15,30
r2,2024-10-12 10:20:07,sdxl,40
"""
OWN = "arrived;tier;jobs\n12.06.2025 08:59;gold;2\n13.06.2025 09:00;free;3\n12.06.2025 09:01;free;0\n"


def log(folder: Path, text: str) -> Path:
    path = folder / "log.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "how", "layout", "first", "counts"),
    [
        (AZURE, {}, "azure-llm", "2024-05-10T00:00Z", {"jobs": [2, 1, 0, 1]}),
        (AZURE, {"every": "1h"}, "azure-llm", "2024-05-10T00:00Z", {"jobs": [4]}),
        (
            BURST,
            {"start": "2025-06-12T22:00Z"},
            "burstgpt",
            "2025-06-12T22:00Z",
            {"ChatGPT": [1, 1], "GPT-4": [1, 0]},
        ),
        (
            IMAGES,
            {"tz": "Asia/Shanghai"},
            "image-generation",
            "2024-10-12T02:00Z",
            {"sd15": [0, 1], "sdxl": [1, 1]},
        ),
    ],
    ids=["azure", "azure-hours", "burstgpt", "images"],
)
def test_public_traces_are_recognised_and_counted(
    text: str, how: dict[str, Any], layout: str, first: str, counts: dict[str, list[int]], tmp_path: Path
) -> None:
    jobs = read_jobs(log(tmp_path, text), **how)
    assert {name: jobs[name].tolist() for name in jobs} == counts
    assert jobs.index[0] == pd.Timestamp(first)
    assert (jobs.attrs["unit"], jobs.attrs["layout"]) == ("jobs", layout)
    assert (jobs.dtypes == "int64").all()


def test_any_log_is_read_by_its_columns(tmp_path: Path) -> None:
    path = log(tmp_path, OWN)
    said = {"time": "arrived", "job_class": "tier", "tz": "Europe/Oslo"}
    jobs = read_jobs(path, every="30min", **said)
    assert jobs.index[0] == pd.Timestamp("2025-06-12T08:30+02:00")
    assert jobs.index[-1] == pd.Timestamp("2025-06-13T09:00+02:00")
    assert (len(jobs), jobs["gold"].sum(), jobs["free"].sum()) == (50, 1, 2)
    counted = read_jobs(path, every="30min", count="jobs", **said)
    assert (counted["gold"].iloc[0], counted["free"].iloc[1], counted["free"].iloc[-1]) == (2, 0, 3)
    assert list(read_jobs(path, time="arrived", tz="UTC")) == ["jobs"]


def test_what_requests_wanted_is_told_by_class(tmp_path: Path) -> None:
    jobs = read_jobs(log(tmp_path, IMAGES), tz="UTC")
    assert jobs.attrs["steps"]["sdxl"] == pytest.approx({"mean": 30, "p10": 22, "p50": 30, "p90": 38})
    assert jobs.attrs["steps_column"] == "num_inference_steps"


def test_frames_of_requests_are_counted() -> None:
    times = pd.to_datetime(["2025-10-26T00:59Z", "2025-10-26T01:01Z"]).tz_convert("Europe/Oslo")
    jobs = read_jobs(
        pd.DataFrame({"when": times, "kind": ["a", "b"]}), time="when", job_class="kind", every="1h"
    )
    assert jobs.to_dict("list") == {"a": [1, 0], "b": [0, 1]}


@pytest.mark.parametrize(
    ("text", "how", "told"),
    [
        (
            IMAGES,
            {},
            "gmt_create, line 2 = '2024-10-12 10:00:07': expected an offset from UTC, or the time zone",
        ),
        (BURST, {}, "start = None: expected the time from which its seconds count"),
        (
            BURST.replace("899.5", "soon"),
            {"start": "2025-06-12"},
            "Timestamp, line 3 = 'soon': expected a number",
        ),
        (IMAGES.replace("sd15", ""), {"tz": "UTC"}, "base_model, line 3 = '': expected the name of a class"),
        (
            IMAGES.replace(",30", ",many"),
            {"tz": "UTC"},
            "num_inference_steps, line 3 = 'many': expected a number",
        ),
        (IMAGES, {"tz": "UTC", "start": "2024-10-12"}, "start = "),
        (
            IMAGES,
            {"tz": "UTC", "every": "7min"},
            "every = '7min': expected whole minutes that divide the hour",
        ),
        (OWN, {}, "expected a layout that is known (azure-llm, burstgpt, image-generation;"),
        (
            OWN,
            {"time": "arrive"},
            "columns = 'arrive': expected one of arrived, tier, jobs; did you mean arrived?",
        ),
        (
            OWN.replace(";2", ";2,5"),
            {"time": "arrived", "count": "jobs", "tz": "UTC"},
            "jobs, line 2 = '2,5': expected a whole number of jobs",
        ),
        (
            "arrived,tier\n2025-10-26 02:30,a\n",
            {"time": "arrived", "tz": "Europe/Oslo"},
            "expected an offset: clocks in Europe/Oslo show this twice",
        ),
        (
            "t,c\n" + "".join(f"2025-06-12T0{h}:00Z,a\n" * 2 for h in range(6)),
            {"time": "t"},
            "rows = '12 rows, each of them twice': expected each request once",
        ),
    ],
)
def test_logs_that_leave_something_open_are_refused(
    text: str, how: dict[str, Any], told: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=re.escape(told)):
        read_jobs(log(tmp_path, text), **how)


def test_a_look_at_a_log(tmp_path: Path) -> None:
    path = log(tmp_path, BURST)
    seen = look(path)
    assert (seen.layout, seen.jobs) == ("burstgpt", None)
    assert "start=" in seen.refused[0]
    seen = look(path, start="2025-06-12")
    assert seen.jobs is not None
    assert seen.jobs["classes"] == {"GPT-4": 1, "ChatGPT": 2}

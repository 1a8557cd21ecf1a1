"""Project folders: what site.toml says becomes the instance that Python would build, or one line."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import stepwatt as sw
from stepwatt.cli import run
from stepwatt.data import load_catalogue, load_europe_2018
from stepwatt.data.folder import build_folder, init_folder

SMALL = """
currency = "EUR"
date = "2018-06-12"
slot = "6 h"
timezone = "Europe/Berlin"
exchange = { USD = 0.9 }
carbon_price = "80 EUR/t"
transfer_cost = "0.02 EUR/GB"

[models.mine]
steps = [10, 20]
seconds_per_step = "0.1 s/step"
joules_per_step = "42 J/step"
quality = { 10 = 0.4, 20 = 0.5 }

[models.known]
like = "sdxl-base"
steps = [30]

[classes.k]
quality_price = "0.02 ct"
deadline = "12 h"
miss_penalty = "0.0001 USD"
payload = "1.5 MB"

[sites.a]
models = ["mine"]
[sites.a.gpus]
count = 8
idle = "0.12 kW"
[sites.a.grid]
import_price = { embedded = "DE", add = "2.5 ct/kWh" }
export_price = "30 EUR/MWh"
import_limit = "20 kW"
carbon = "380 g/kWh"
demand_charge = "12 EUR/kW"
demand_interval = "6 h"
[sites.a.cooling]
pue = 1.2
[sites.a.battery]
energy = "600 kWh"
power = "0.2 MW"
wear_cost = "20 EUR/MWh"
soc_min = "10 %"
[sites.a.renewables]
pv = "100 kW"
wind = "0.05 MW"
profile = { embedded = "DE" }

[sites.b]
[sites.b.gpus]
count = 4
kind = "MI300X"
[sites.b.grid]
import_price = "60 EUR/MWh"
import_limit_mw = 0.01
[sites.b.cooling]
outside = "18 °C"
max = "300.15 K"

[jobs.a]
per_hour = { k = 100 }
seed = 4

[link.a]
b = "2 GB/h"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "site.toml").write_text(SMALL, encoding="utf-8")
    return tmp_path


def test_the_file_says_what_python_would_build(folder: Path) -> None:
    found = build_folder(folder)
    year = load_europe_2018().loc["DE"]
    a = sw.Site(
        models=["mine"],
        gpus=sw.Gpus(count=8, idle_watts=120),
        grid=sw.Grid(
            import_price=year["price_usd_per_mwh"] / 1.181 + 25,
            export_price=30.0,
            import_limit_mw=0.02,
            carbon_kg_per_mwh=380.0,
            demand_charge=12_000.0,
            demand_interval_minutes=360,
        ),
        cooling=sw.Cooling(pue=1.2),
        battery=sw.Battery(energy_mwh=0.6, power_mw=0.2, wear_cost=20, soc_min=0.1),
        renewable_mw=year["wind_cf"] * 0.05 + year["pv_cf"] * 0.1,
    )
    b = sw.Site(
        gpus=sw.Gpus(count=4, kind="MI300X"),
        grid=sw.Grid(import_price=60, import_limit_mw=0.01),
        cooling=sw.Cooling(outside_c=18, max_c=27),
    )
    mine = sw.Model(steps=[10, 20], seconds_per_step=0.1, joules_per_step=42, quality={10: 0.4, 20: 0.5})
    wanted = sw.build(
        start="2018-06-12",
        slot="6h",
        timezone="Europe/Berlin",
        currency="EUR",
        name=folder.name,
        sites={"a": a, "b": b},
        models={"mine": mine, "known": sw.Model.named("sdxl-base", [30])},
        classes={
            "k": sw.JobClass(quality_price=2e-4, deadline_minutes=720, miss_penalty=9e-5, payload_gb=0.0015)
        },
        arrivals={"a": found.arrivals["a"]},
        transfer_cost=0.02,
        link_gb_per_hour={"a": {"b": 2.0}},
        carbon_price=80,
    )
    one, other = numbers(found.to_dict()), numbers(wanted.to_dict())
    words = {path for path, value in other.items() if not isinstance(value, int | float)}
    assert {path: one[path] for path in words} == {path: other[path] for path in words}
    assert {path: one[path] for path in one.keys() - words} == pytest.approx(
        {path: other[path] for path in other.keys() - words}, rel=1e-12
    )
    assert sum(found.arrivals["a"]["k"]) == pytest.approx(2400, rel=0.5)


def numbers(node: Any, path: str = "") -> dict[str, Any]:
    if isinstance(node, dict):
        return {k: v for name, one in node.items() for k, v in numbers(one, f"{path}.{name}").items()}
    if isinstance(node, list):
        return {k: v for n, one in enumerate(node) for k, v in numbers(one, f"{path}[{n}]").items()}
    return {path: node}


def put(folder: Path, old: str, new: str) -> Path:
    file = folder / "site.toml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("count = 8", "cout = 8", "sites.a.gpus.cout = 8: expected one of"),
        ('"600 kWh"', '"600 kW"', "sites.a.battery.energy = 'kW': expected a quantity such as 1.5 MWh"),
        ('"600 kWh"', "600", 'expected a unit with the number, such as "600 MWh"'),
        ('"30 EUR/MWh"', '"30 NOK/MWh"', "money in EUR, or the rate of NOK under exchange"),
        ('embedded = "DE"', 'embedded = "NO1"', "import_price.embedded = 'NO1': expected one of AT"),
        ('embedded = "DE", add', 'embeded = "DE", add', "did you mean embedded?"),
        ('{ embedded = "DE", add = "2.5 ct/kWh" }', "{}", "a.grid.import_price = {}: expected file ="),
        ('add = "2.5 ct/kWh"', "add = 25", "sites.a.grid.import_price.add = 25"),
        ("pue = 1.2", "pue = 0.2", "sites.a.cooling.pue = 0.2: expected greater than or equal to 1"),
        ('like = "sdxl-base"', 'like = "sdxl"', "models.known.like = 'sdxl': expected one of"),
        ("[jobs.a]", "[jobs.c]", "jobs.c = 'c': expected one of a, b"),
        ("per_hour = { k = 100 }", "per_hour = { k = -1 }", "jobs.a.per_hour.k = -1"),
        ("per_hour = { k = 100 }", "per_hour = { q = 1 }", "arrivals.a.q = 'q': expected one of k"),
        ("per_hour = { k = 100 }", "rate = 3", "jobs.a.rate = 3: expected one of file, per_hour"),
        ("seed = 4", "seed = -4", "jobs.a.seed = -4"),
        ('pv = "100 kW"', "pv = 100", "sites.a.renewables.pv = 100"),
        ("[sites.b.cooling]", "[sites.b.coling]", "sites.b.cooling = '(missing)'"),
        ('models = ["mine"]', 'model = ["mine"]', "sites.a.model = ['mine']"),
        ('models = ["mine"]', 'models = ["his"]', "sites.a.models[0] = 'his'"),
        ('slot = "6 h"', 'slot = "7 h"', "slot = '420 min': expected a length that divides 24 hours"),
        ('slot = "6 h"', "slot = 15", "slot = 15: expected a text in quotes"),
        ('currency = "EUR"', 'currenzy = "EUR"', "currenzy = 'EUR': expected one of name"),
        ('date = "2018-06-12"', "", "date = '(missing)'"),
        ('date = "2018-06-12"', 'date = "2019-06-12"', "'nothing at 2019-06-12T00:00:00+02:00'"),
        ("exchange = { USD = 0.9 }", 'exchange = { USD = "0.9" }', "exchange.USD = '0.9'"),
        ("[link.a]", "[link.q]", "link_gb_per_hour.q"),
        ("[classes.k]", "[classes.k.z]", "classes.k"),
        ('"0.1 s/step"', '"0.1 s"', "models.mine.seconds_per_step = 's'"),
        ("steps = [10, 20]", 'steps = ["10"]', "models.mine.steps"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_line_with_file_and_field(
    old: str, new: str, told: str, folder: Path
) -> None:
    with pytest.raises(sw.InputError) as error:
        build_folder(put(folder, old, new))
    text = str(error.value)
    assert told in text
    assert text.startswith(str(folder / "site.toml"))
    assert len(text.splitlines()) == 1


def test_a_file_that_is_no_toml_and_a_folder_without_one_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(sw.InputError, match="stepwatt init"):
        build_folder(tmp_path)
    (tmp_path / "site.toml").write_text("[sites", encoding="utf-8")
    with pytest.raises(sw.InputError, match="a readable TOML file"):
        build_folder(tmp_path)


def test_series_of_ones_own_are_read_from_files_in_the_folder(folder: Path) -> None:
    year = load_europe_2018().loc[["FR"]].reset_index().rename(columns={"zone": "region"})
    year[year["timestamp_utc"].dt.month == 6].to_csv(folder / "mine.csv", index=False)
    put(folder, '{ embedded = "DE", add = "2.5 ct/kWh" }', '{ series = "mine.csv", times = 2 }')
    found = build_folder(folder).sites["a"].grid.import_price
    assert isinstance(found, list)
    prices = load_europe_2018().loc["FR", "price_usd_per_mwh"].loc["2018-06-11T22:00Z":"2018-06-12T03:00Z"]
    assert found[0] == pytest.approx(2 * 0.9 * prices.mean())


QUARTERS = pd.date_range("2025-10-26", periods=100, freq="15min", tz="Europe/Berlin")


def entsoe(prices: list[float]) -> str:
    """Quarter hours of 26 October 2025, which has 25 hours, as the transparency platform exports them."""

    def stamp(t: pd.Timestamp) -> str:
        return f"{t:%d/%m/%Y %H:%M:%S} ({t.tzname()})"

    rows = [
        f'"{stamp(a)} - {stamp(b)}","BZN|DE-LU","Sequence 1","{p}","",""'
        for a, b, p in zip(QUARTERS, QUARTERS + pd.Timedelta(minutes=15), prices, strict=True)
    ]
    names = ["MTU (CET/CEST)", "Area", "Sequence", "Day-ahead Price (EUR/MWh)"]
    names += ["Intraday Period (CET/CEST)", "Intraday Price (EUR/MWh)"]
    return "\n".join([",".join(f'"{name}"' for name in names), *rows]) + "\n"


def test_files_as_people_have_them_become_a_day_of_25_hours(folder: Path) -> None:
    """Prices as ENTSO-E exports them, and a log of requests with names of its own."""
    prices = [float(40 + n) for n in range(100)]
    (folder / "prices.csv").write_text(entsoe(prices), encoding="utf-8")
    log = ["when,tier", *(f"{t.isoformat()},{n % 3}" for n, t in enumerate(QUARTERS[:20]))]
    (folder / "requests.csv").write_text("\n".join(log) + "\n", encoding="utf-8")
    put(folder, '{ embedded = "DE", add = "2.5 ct/kWh" }', '{ file = "prices.csv", add = "25 EUR/MWh" }')
    put(folder, 'profile = { embedded = "DE" }', "")
    put(folder, 'pv = "100 kW"', "")
    put(folder, '[sites.a.renewables]\n\nwind = "0.05 MW"', "")
    put(folder, 'slot = "6 h"', 'slot = "15 min"')
    put(
        folder,
        "per_hour = { k = 100 }\nseed = 4",
        'file = "requests.csv"\ntime = "when"\njob_class = "tier"\ntz = "Europe/Berlin"\n'
        'classes = { 0 = "k", 1 = "k", 2 = "k" }\nquiet_outside = true',
    )
    inst = build_folder(folder, "2025-10-26")
    assert inst.n_slots == 100
    assert inst.sites["a"].grid.import_price == [price + 25 for price in prices]
    assert inst.arrivals["a"]["k"] == [1.0] * 20 + [0.0] * 80
    put(folder, "quiet_outside = true", "")
    with pytest.raises(sw.InputError, match=r"nothing at 2025-10-26T04:00:00\+01:00"):
        build_folder(folder, "2025-10-26")


@pytest.mark.parametrize(
    ("new", "told"),
    [
        ('{ file = "no.csv" }', "no.csv"),
        ("{ file = 3 }", "import_price.file = 3: expected the name of a file"),
        ('{ file = "x.csv", layuot = "entsoe" }', "did you mean layout?"),
        ('{ file = "x.csv", embedded = "DE" }', "import_price.embedded = 'DE': expected one of file"),
    ],
)
def test_files_that_cannot_be_used_are_one_line(new: str, told: str, folder: Path) -> None:
    with pytest.raises(sw.InputError) as error:
        build_folder(put(folder, '{ embedded = "DE", add = "2.5 ct/kWh" }', new))
    assert told in str(error.value)


@pytest.mark.parametrize("currency", ["EUR", "USD", "NOK"])
def test_a_new_folder_builds_as_it_is_and_is_not_overwritten(currency: str, tmp_path: Path) -> None:
    init_folder(tmp_path / "mine", gpu="A100-80GB", currency=currency, models=("sdxl-base", "flux.1-schnell"))
    inst = build_folder(tmp_path / "mine")
    assert (inst.currency, inst.n_slots, list(inst.models)) == (currency, 96, ["sdxl-base", "flux.1-schnell"])
    share = sw.sizing(inst).fleet_share
    assert 0.1 < share < 0.9
    with pytest.raises(sw.InputError, match=r"one without site\.toml"):
        init_folder(tmp_path / "mine")


@pytest.mark.parametrize(
    "given",
    [{"gpu": "H900"}, {"models": ("sdxl",)}, {"timezone": "Oslo"}, {"currency": "euro"}],
)
def test_what_a_new_folder_cannot_have_is_one_line(given: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(sw.InputError):
        init_folder(tmp_path / "mine", **given)
    assert not (tmp_path / "mine").exists()


def test_every_gpu_of_the_catalogue_stands_in_a_new_file_with_its_evidence(tmp_path: Path) -> None:
    text = init_folder(tmp_path / "mine").read_text(encoding="utf-8")
    for gpu in load_catalogue().gpus.values():
        assert f"{gpu.name:<10} idle {gpu.idle_watts.value:g} W ({gpu.idle_watts.evidence})" in text
    assert tomllib.loads(text)["slot"] == "15 min"


def test_the_walk_of_an_engineer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three commands from nothing to a report."""
    monkeypatch.chdir(tmp_path)
    walk: list[Callable[[], int]] = [
        lambda: run(["init", "mine"]),
        lambda: run(["build", "mine", "--date", "2018-06-12"]),
        lambda: run(["compare", "mine", "--policy", "greedy", "--policy", "all-off", "--bound", "lp"]),
    ]
    assert [step() for step in walk] == [0, 0, 0]
    told = capsys.readouterr()
    assert "your jobs need" in told.out
    assert "all-off" in told.out
    assert (tmp_path / "mine" / "report.html").exists()
    assert sw.load("mine/instance.json") == build_folder("mine")
    assert run(["compare", "mine/instance.json", "--date", "2018-06-13"]) == 2
    assert "expected a project folder" in capsys.readouterr().err

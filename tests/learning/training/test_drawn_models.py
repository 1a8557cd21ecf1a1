"""Days whose models are drawn: repeatable, valid, and side by side with others."""

from __future__ import annotations

import numpy as np
import pytest

import stepwatt as sw
from stepwatt.formulation import Instance
from stepwatt.formulation.plant.engine import numpy_engine
from stepwatt.formulation.plant.stacking import shape_of
from stepwatt.learning.environment.play import record
from stepwatt.learning.environment.task import TaskSettings
from stepwatt.learning.environment.world import World, make_pool
from stepwatt.learning.training.families import Family

FAMILY = Family(every=12, slot_minutes=60, models="drawn", regions=("DE,FR,DK", "FR,DK,DE"))


@pytest.fixture(scope="module")
def days() -> list[Instance]:
    return FAMILY.instances("train")


def figures(inst: Instance) -> dict[str, object]:
    return dict(inst.to_dict()["models"])


def test_a_days_draw_is_always_the_same_and_others_differ(days: list[Instance]) -> None:
    again = FAMILY.instances("train")
    assert [figures(day) for day in again] == [figures(day) for day in days]
    own = [
        figures(day) for day in Family(every=12, slot_minutes=60, regions=FAMILY.regions).instances("train")
    ]
    changed = [a != b for a, b in zip(map(figures, days), own, strict=True)]
    assert 0.4 < np.mean(changed) < 0.9
    drawn = [str(figures(day)) for day, one in zip(days, changed, strict=True) if one]
    assert len(set(drawn)) == len(drawn)


def test_on_some_days_the_same_runs_everywhere(days: list[Instance]) -> None:
    kinds = [len({str(model) for model in figures(day).values()}) for day in days]
    assert 0.1 < np.mean([kind == 1 for kind in kinds]) < 0.5
    assert set(kinds) == {1, 3}


def test_nothing_but_the_models_is_drawn(days: list[Instance]) -> None:
    own = FAMILY.changed(models="own").instances("train")
    for day, usual in zip(days, own, strict=True):
        assert {**day.to_dict(), "models": 0} == {**usual.to_dict(), "models": 0}


@pytest.mark.parametrize("codec", ["direct", "priced"])
def test_days_with_other_numbers_of_options_do_side_by_side_what_they_do_alone(
    codec: str, days: list[Instance]
) -> None:
    choices = [shape_of(day.arrays()).choices for day in days]
    chosen = [days[int(np.argmin(choices))], days[int(np.argmax(choices))]]
    assert min(choices) < max(choices)
    task = TaskSettings(codec=codec, information="none")

    def earned(some: list[Instance], first: int) -> np.ndarray:
        engine = numpy_engine()
        world = World(make_pool(some, "none", engine), engine, task)
        rng = np.random.default_rng(0)
        said = [rng.uniform(-1, 1, (2, world.act_size))[first:][: len(some)] for _ in range(24)]
        record(world, lambda seen: said[world.t])
        return np.asarray(world.earned)

    together = earned(chosen, 0)
    alone = [earned([day], number)[0] for number, day in enumerate(chosen)]
    np.testing.assert_allclose(together, alone, rtol=1e-6)


def test_what_is_neither_is_refused() -> None:
    with pytest.raises(sw.InputError, match="models = 'some': expected one of own, drawn"):
        Family(models="some")  # type: ignore[arg-type]

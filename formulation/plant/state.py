"""What the plant is in, what is asked of it, and what happens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from .engine import Array
from .stacked import Problem


@dataclass(frozen=True)
class PlantState:
    """What one slot leaves to the next.

    ``energy`` (B,J) MWh, ``temperature`` (B,J) °C, ``waiting`` (B,I,K) jobs, ``restart`` (B,J) USD to
    generate in the next slot (0 while on), ``peak`` (B,J) MW metered at most so far, ``metered`` (B,J) MW
    that the slots of the metering interval have added to its mean.
    """

    energy: Array
    temperature: Array
    waiting: Array
    restart: Array
    peak: Array
    metered: Array


@dataclass(frozen=True)
class Request:
    """What a codec asks for in a slot.

    ``transfers`` (B,I,K,J) jobs; either ``option`` (B,J,K) index into the option tables, with the share
    ``longer`` (B,J,K) of the jobs that run with the next longer option, or ``mix`` (B,J,K,F·C) shares that
    sum to 1; ``cooling`` (B,J): MW, or the share of what brings the room from its ceiling to its minimum when
    ``cooling_is_share``; ``battery`` (B,J) MW, positive charges, or the share of what it can take or give
    when ``battery_is_share``; ``generator`` (B,J) MW, 0 is off. ``imported`` (B,J) MW, where given, is the
    most to import where that pays better than free renewables (negative prices) but raises the peak.
    """

    transfers: Array
    cooling: Array
    battery: Array
    generator: Array
    option: Array | None = None
    longer: Array | None = None
    mix: Array | None = None
    cooling_is_share: bool = False
    battery_is_share: bool = False
    imported: Array | None = None


class Outcome(NamedTuple):
    """What happened: flows (B,J) MW, jobs, money (B,) USD, and how much of the request was cut.

    ``transfers`` (B,I,K,J), ``jobs`` (B,J,K) run, ``lost`` (B,I,K), ``gpus`` (B,J). ``cut_jobs`` (B,J) were
    sent to the site but could not run; ``cut_mw`` (B,J) is the distance between asked and done of battery and
    generator. ``utility`` is the slot's share of the horizon's utility, so they add up to it. Where options
    were asked for, ``longer`` (B,J,K) jobs ran with the next longer one; where a mix was and jobs are whole,
    ``runs`` (B,J,K,F·C) of them ran with each option.
    """

    transfers: Array
    jobs: Array
    lost: Array
    gpus: Array
    it_mw: Array
    imported: Array
    exported: Array
    renewable: Array
    charge: Array
    discharge: Array
    generator: Array
    cooling: Array
    cut_jobs: Array
    cut_mw: Array
    utility: Array
    revenue: Array
    energy_cost: Array
    longer: Array | None = None
    runs: Array | None = None


def first_state(problem: Problem) -> PlantState:
    """How the instances begin."""
    return PlantState(
        energy=problem.first_energy,
        temperature=problem.first_temperature,
        waiting=problem.first_waiting,
        restart=problem.first_restart,
        peak=problem.first_peak,
        metered=problem.first_metered,
    )

"""``why``: a reason for what a schedule does at a site in a slot, in words and money, and what else costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np

from stepwatt.formulation import InputError, Instance, Schedule, evaluate
from stepwatt.formulation.errors import one_of
from stepwatt.formulation.instance.given import the_instance
from stepwatt.formulation.schedule.excerpt import between_meters, excerpt
from stepwatt.solvers import Result
from stepwatt.solvers.interface.settings import Settings
from stepwatt.solvers.optimum.regret import Priced

from .alternatives import Alternative, Alternatives, Decided

Certify = Literal["prices", "relaxation", "solve"]
#: How a regret is certified.
CERTIFICATES: dict[Certify, str] = {
    "prices": "weak duality, at the prices as they are",
    "relaxation": "weak duality, the relaxation solved with it forced",
    "solve": "the instance solved with it forced",
}


#: Hours beyond which a window is solved instead of the whole horizon, and how many it has.
LONG_HOURS, WINDOW_HOURS = 72.0, 48.0


@dataclass(frozen=True)
class Rejected:
    """An alternative and its regret: the utility of the schedule less the best with it forced.

    ``loss`` USD at the prices; the regret is at least ``low`` and, where it was solved, at most ``high``.
    ``low`` below zero: it could be better by as much.
    """

    words: str
    slot: int
    amount: float
    loss: float
    low: float
    high: float | None
    certificate: str
    found: Alternative

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        plain = {"kind": self.found.kind, "slot": self.slot, "words": self.words, "amount": self.amount}
        regret = {"at_least": self.low, "at_most": self.high, "certificate": self.certificate}
        return {**plain, "loss_at_prices": self.loss, "regret": regret}


@dataclass(frozen=True)
class Reason:
    """A decision in words, and what else could have been done, the best first."""

    words: str
    found: Decided
    rejected: tuple[Rejected, ...]

    @property
    def best(self) -> Rejected | None:
        """The best rejected alternative, or None where nothing else could be done."""
        return self.rejected[0] if self.rejected else None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        decided = {"kind": self.found.kind, "words": self.words, "amount": self.found.amount}
        return {**decided, "money": self.found.money, "rejected": [one.to_dict() for one in self.rejected]}

    def lines(self) -> Iterator[str]:
        """The reason and what else costs."""
        yield self.words
        if not self.rejected:
            yield "  nothing else could be done"
        for number, one in enumerate(self.rejected):
            yield f"  {'best rejected' if number == 0 else 'also'}: {one.words}"


@dataclass(frozen=True)
class Why:
    """The reasons of all decisions at a site in a slot; ``prices`` of power (USD/MWh) and a GPU-hour.

    ``window`` are the first slot that was solved, and the one after the last.
    """

    site: str
    slot: int
    head: str
    currency: str
    prices: dict[str, float]
    window: tuple[int, int]
    reasons: tuple[Reason, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        reasons = [reason.to_dict() for reason in self.reasons]
        place = {"site": self.site, "slot": self.slot, "currency": self.currency}
        return {**place, "window": list(self.window), "prices": self.prices, "reasons": reasons}

    def __repr__(self) -> str:
        return f"<Why: {self.head}>"

    def __str__(self) -> str:
        lines = [line for reason in self.reasons for line in reason.lines()]
        return "\n".join([self.head, *(lines or ["no jobs, and nothing to decide"])])


class Reasons:
    """Reasons for a schedule of an instance: the relaxation is solved once, then any slot and site is asked.

    ``priced`` is that relaxation, where it is solved already. ``window``: only from its first slot to before
    its second one is solved, and the schedule outside stays as it is (:func:`.excerpt`); bounds and regrets
    are those of the window.

    Raises:
        InputError: the schedule breaks a constraint.
        SolverError: the instance has no schedule.
    """

    def __init__(
        self,
        instance: Instance,
        schedule: Result | Schedule,
        priced: Priced | None = None,
        window: tuple[int, int] | None = None,
    ) -> None:
        found = schedule.schedule if isinstance(schedule, Result) else schedule
        if found is None:
            raise InputError(field="schedule", value="none", expected="a result with a schedule")
        self.instance, self.a = the_instance(instance), instance.arrays()
        judged = evaluate(self.a, found)
        if not judged.feasible:
            family, broken = judged.worst
            told = f"{family} broken by {broken:.3g}"
            raise InputError(field="schedule", value=told, expected="one that keeps every constraint")
        whole = (0, self.a.n_slots)
        self.window = whole if window is None else between_meters(self.a, *window)
        self._first = self.window[0]
        # a bound with own constraints, or of another instance, is none of this one
        own = isinstance(schedule, Result) and not schedule.extra and schedule.instance == instance
        proved = schedule.bound if isinstance(schedule, Result) and own else None
        if self.window != whole:
            self.a, found = excerpt(self.a, found, judged, *self.window)
            judged, proved = evaluate(self.a, found), None
        self.priced = priced or Priced(self.a)
        self.bound = self.priced.bound if proved is None else min(proved, self.priced.bound)
        self.utility = judged.utility
        self.found = Alternatives(self.priced, found, judged)

    def at(
        self, slot: int, site: str, *, certify: Certify = "relaxation", settings: Settings | None = None
    ) -> Why:
        """The reasons at a site in a slot; ``certify`` as in :func:`why`."""
        first, end = self.window
        _check(certify, site, self.a.sites, slot, first, end)
        j, t = self.a.sites.index(site), slot - first
        gpu_hour, power = 3600 * self.priced.gpu_time[j, t], self.priced.power[j, t]
        money = self.instance.currency
        head = f"{site}, slot {slot} ({self._time(t)}): a GPU-hour is worth {_usd(gpu_hour)} {money}"
        head += f", power {power:.2f} {money}/MWh; "
        if end - first < self.instance.n_slots:
            head += f"of {self._time(0)} to {self._time(end - first)} alone, the rest as it is, "
        head += f"the schedule is {_usd(self.bound - self.utility)} {money} below its bound at most"
        reasons = [
            self._reason(decided, j, t, certify, settings or Settings(time_limit=60.0))
            for decided in self.found.at(j, t)
        ]
        prices = {"gpu_hour": float(gpu_hour), "power": float(power)}
        return Why(site, slot, head, money, prices, self.window, tuple(reasons))

    def brief(self, slot: int, site: str) -> list[str]:
        """Lines about the main jobs, battery and generator at a site in a slot, each with the best rejected.

        Regrets are certified at the prices as they are, so that a whole day takes seconds.
        """
        j, money = self.a.sites.index(site), self.instance.currency
        gpu_hour, power = 3600 * self.priced.gpu_time[j, slot], self.priced.power[j, slot]
        lines = [f"A GPU-hour is worth {_usd(gpu_hour)} {money} here now, power {power:.2f} {money}/MWh."]
        for decided in self.found.main(j, slot):
            reason = self._reason(decided, j, slot, "prices", Settings())
            lines += list(reason.lines())[:2]
        return lines

    def _time(self, slot: int) -> str:
        """Of a slot of the window."""
        begun = self.instance.start_time
        time = begun + timedelta(hours=(self._first + slot) * self.a.slot_hours)
        return f"{time:%H:%M}" if time.date() == begun.date() else f"{time:%d %b %H:%M}"

    def _reason(self, decided: Decided, j: int, slot: int, certify: Certify, settings: Settings) -> Reason:
        first: Certify = "relaxation" if certify == "solve" else certify
        found = [self._rejected(one, decided, slot, first, settings) for one in decided.alternatives]
        # what cannot be done was not rejected
        order = sorted((one for one in found if np.isfinite(one.low)), key=_regret)
        if certify == "solve" and order:
            order[0] = self._rejected(order[0].found, decided, slot, certify, settings)
        return Reason(self._words(decided, j), decided, tuple(order))

    def _rejected(
        self, one: Alternative, decided: Decided, slot: int, certify: Certify, settings: Settings
    ) -> Rejected:
        high: float | None = None
        if certify == "solve":
            solved = self.priced.solved(one.forced, settings)
            bound = solved.bound
            high = self.bound - solved.utility
        else:
            ask = self.priced.at_prices if certify == "prices" else self.priced.relaxed
            bound = ask(one.forced)
        # with it forced, nothing is worth more than without
        low, money = self.utility - min(bound, self.bound), self.instance.currency
        words = self._place(one, decided, slot)
        if decided.job_class is None:
            words += f": {_less(one.loss, money)} at the prices"
        else:
            scale, per = self._scale
            less = scale * one.loss / one.amount
            close = abs(less) < 1e-6
            words += ": as good at the prices" if close else f": {_less(less, money)} {per} at the prices"
        if low > 0:
            words += f"; it costs at least {_usd(low)} {money}"
        else:
            words += f"; that it is better by up to {_usd(-low)} {money} is not ruled out"
        if high is not None and np.isfinite(high):
            words += f", at most {_usd(high)}" if high >= 0 else f"; it is better by {_usd(-high)}"
        return Rejected(
            words, self._first + one.slot, one.amount, one.loss, low, high, CERTIFICATES[certify], one
        )

    def _place(self, one: Alternative, decided: Decided, slot: int) -> str:
        a, site = self.a, self.a.sites[one.site]
        jobs = f"{_count(one.amount)} jobs"
        if one.kind == "option":
            return f"{jobs} {self._option(one.option)}"
        if one.kind in ("site", "run", "time"):
            when = "now"
            if one.kind == "time":
                price = _usd(3600 * float(self.priced.gpu_time[one.site, one.slot]))
                when = f"at {self._time(one.slot)} (a GPU-hour is worth {price} then)"
            return f"{jobs} in {site} {when} {self._option(one.option)}"
        if one.kind == "lost":
            assert decided.job_class is not None
            scale, per = self._scale
            return f"{jobs} lost, {_usd(scale * float(a.miss_penalty[decided.job_class]))} penalty {per}"
        return {
            "idle": "the battery idle",
            "charge": f"the battery charging {one.amount:.3g} MW",
            "discharge": f"the battery giving {one.amount:.3g} MW",
            "off": "the generator off",
            "on": f"the generator on at {one.amount:.3g} MW",
        }[one.kind]

    def _option(self, row: int | None) -> str:
        assert row is not None
        o, a = self.a.options, self.a
        clock = a.clocks[o.site[row]][o.clock[row]]
        return f"with {a.models[o.model[row]]} at {int(o.steps[row])} steps, clock {clock}"

    def _words(self, d: Decided, j: int) -> str:
        site, money, cash = self.a.sites[j], self.instance.currency, d.money
        if d.kind == "battery":
            doing = "idles"
            if abs(d.amount) > 0:
                doing = f"{'charges' if d.amount > 0 else 'gives'} {abs(d.amount):.3g} MW"
            told = f"a MWh is worth {cash['power']:.2f} {money} here now, in the battery {cash['stored']:.2f}"
            return f"the battery of {site} {doing}: {told}"
        if d.kind == "generator":
            doing = f"gives {d.amount:.3g} MW" if d.amount > 0 else "is off"
            told = (
                f"a MWh is worth {cash['power']:.2f} {money} here now and costs {-cash['fuel']:.2f} to make"
            )
            return f"the generator of {site} {doing}: {told}"
        assert d.job_class is not None
        scale, per = self._scale
        cash = {name: scale * value for name, value in cash.items()}
        jobs = f"{_count(d.amount)} {self.a.classes[d.job_class]} jobs"
        if d.kind == "waits":
            return f"{jobs} of {site} wait: worth {_usd(cash['left'])} {money} {per}, later"
        if d.kind == "lost":
            return f"{jobs} of {site} are lost: {_usd(-cash['left'])} {money} {per}"
        assert d.site is not None
        start = (
            f"{site} runs {jobs}" if d.kind == "runs" else f"{jobs} of {site} go to {self.a.sites[d.site]}"
        )
        how = self._option(d.option)
        if d.kind == "runs" and d.of_option < d.amount * (1 - 1e-9):
            how += f" ({_count(d.of_option)} of them)"
        parts = [f"GPU time {_usd(-cash['gpu_time'])}", f"power {_usd(-cash['power'])}"]
        if abs(cash["transfer"]) > 0:
            parts.append(f"transfer {_usd(-cash['transfer'])}")
        brings = f"{_usd(cash['revenue'])} {money} {per}, less {', '.join(parts)}"
        return f"{start} {how}: {brings}: {_usd(cash['left'])} left"

    @cached_property
    def _scale(self) -> tuple[float, str]:
        """How many jobs money is told for, so that it can be read, and compared between classes."""
        most = float(np.abs(self.a.options.revenue).max(initial=0.0))
        scales = {1.0: "a job", 1e3: "for 1,000 jobs", 1e6: "for a million jobs"}
        return next(((n, word) for n, word in scales.items() if n * most >= 0.1), (1e6, scales[1e6]))


def why(
    schedule: Result | Schedule,
    instance: Instance | None = None,
    *,
    slot: int,
    site: str,
    certify: Certify = "relaxation",
    window_hours: float | None = None,
    gap: float = 1e-4,
    time_limit: float | None = 60.0,
) -> Why:
    """Why a schedule does what it does at a site in a slot, in words and money.

    Prices are the duals of the linear relaxation. The regret of an alternative, the utility of the schedule
    less the best with it forced, is certified: by weak duality at these prices (``prices``), or at those of
    the relaxation solved with it forced (``relaxation``, tighter), or by solving the mixed-integer model with
    it forced (``solve``, of each decision's best alternative; minutes), which also says what it is at most.

    Args:
        schedule: any schedule that keeps the constraints, or a result with one.
        instance: that it is for; a result knows its own.
        slot: from 0.
        site: by name.
        certify: how.
        window_hours: hours around the slot that are solved, the schedule outside staying as it is; by default
            48 where the horizon has more than 72, else all of it. Bounds and regrets are those of the window.
        gap: of solving with an alternative forced.
        time_limit: seconds of each of those.

    Raises:
        InputError: no such site or slot, no instance, no window, or a schedule that breaks a constraint.
        SolverError: the instance has no schedule.
    """
    if instance is None:
        if not isinstance(schedule, Result):
            raise InputError(field="instance", value=None, expected="the instance of the schedule")
        instance = schedule.instance
    instance = the_instance(instance)
    settings = Settings(gap=gap, time_limit=time_limit)
    _check(certify, site, tuple(instance.sites), slot, 0, instance.n_slots)
    window = _window(instance, slot, window_hours)
    return Reasons(instance, schedule, window=window).at(slot, site, certify=certify, settings=settings)


def _check(certify: str, site: str, sites: tuple[str, ...], slot: int, first: int, end: int) -> None:
    if certify not in get_args(Certify):
        raise InputError(field="certify", value=certify, expected=one_of(get_args(Certify), certify))
    if site not in sites:
        raise InputError(field="site", value=site, expected=one_of(sites, site))
    if type(slot) is not int or not first <= slot < end:
        raise InputError(field="slot", value=slot, expected=f"a slot from {first} to {end - 1}")


def _window(inst: Instance, slot: int, hours: float | None) -> tuple[int, int] | None:
    """So many hours around the slot; None for the whole horizon."""
    if hours is None:
        if inst.n_slots * inst.slot_hours <= LONG_HOURS:
            return None
        hours = WINDOW_HOURS
    if not hours > 0:
        raise InputError(field="window_hours", value=hours, expected="hours above 0")
    half = max(1, round(min(hours / inst.slot_hours, 2.0 * inst.n_slots) / 2))
    return max(0, slot - half), min(inst.n_slots, slot + half)


def _regret(one: Rejected) -> tuple[float, float]:
    """What orders alternatives: equal regrets, but for their rounding, by what a job loses at the prices."""
    return round(one.low, 6), one.loss / max(one.amount, 1e-9)


def _less(loss: float, money: str) -> str:
    return f"{_usd(abs(loss))} {money} {'less' if loss >= 0 else 'more'}"


def _usd(value: float) -> str:
    """Money to the cent, and small money to three figures."""
    return f"{value:,.2f}" if abs(value) >= 0.095 or abs(value) < 1e-9 else f"{value:.3g}"


def _count(jobs: float) -> str:
    return f"{jobs:,.0f}" if abs(jobs - round(jobs)) < 1e-6 or jobs >= 100 else f"{jobs:,.2f}"

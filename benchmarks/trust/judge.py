"""The judge's judge: docs/model.md once more, in plain loops over the files themselves.

It shares no line with the package: no arrays, no options, no evaluator. Slow, and only for small instances.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

File = dict[str, Any]

#: A generator giving less than this (MW) is off.
_OFF_MW = 1e-9

#: A site without a battery has one that holds nothing.
_NONE = {
    **dict.fromkeys(("energy_mwh", "power_mw", "wear_cost", "soc_min", "soc_max", "soc_initial"), 0.0),
    **dict.fromkeys(("charge_efficiency", "discharge_efficiency"), 1.0),
}


@dataclass
class Judgement:
    """Money by term (USD), the worst break of each rule in its own unit, and what rooms and batteries did."""

    money: dict[str, float]
    breaks: dict[str, float]
    lost: dict[tuple[str, str, int], float]
    stored: dict[str, list[float]]
    warmth: dict[str, list[float]]
    facility: dict[str, list[float]] = field(default_factory=dict)

    @property
    def utility(self) -> float:
        """USD."""
        income = self.money["revenue"] + self.money["export"]
        return income - sum(v for name, v in self.money.items() if name not in ("revenue", "export"))


def at(series: float | Sequence[float], t: int) -> float:
    """A series in a slot; one number holds in every slot."""
    return float(series[t]) if isinstance(series, Sequence) else float(series)


def quality(curve: File, steps: int) -> float:
    """Quality at a step count, by the formula of its kind."""
    kind = curve["kind"]
    if kind == "exponential":
        raw = curve["ceiling"] - curve["span"] * math.exp(-curve["rate"] * steps)
    elif kind == "power":
        raw = curve["ceiling"] - curve["span"] * steps ** (-curve["rate"])
    elif kind == "logarithmic":
        raw = curve["offset"] + curve["gain"] * math.log(steps)
    elif kind == "sigmoid":
        raw = curve["floor"] + curve["span"] / (1 + math.exp(-curve["rate"] * (steps - curve["midpoint"])))
    else:
        raw = _between(curve["steps"], curve["values"], steps)
    return min(1.0, max(0.0, raw))


def _between(xs: Sequence[float], ys: Sequence[float], x: float) -> float:
    if x <= xs[0]:
        return float(ys[0])
    for (x0, x1), (y0, y1) in zip(pairwise(xs), pairwise(ys), strict=True):
        if x <= x1:
            return float(y0 + (y1 - y0) * (x - x0) / (x1 - x0))
    return float(ys[-1])


def judge(file: File, schedule: File) -> Judgement:
    """What a schedule file is worth on an instance file."""
    return _Court(file, schedule).judgement()


class _Court:
    def __init__(self, file: File, schedule: File) -> None:
        self.file, self.slots, self.hours = file, range(file["n_slots"]), file["slot_hours"]
        self.sites, self.classes = file["sites"], file["classes"]
        self.schedule = schedule
        self.flows = schedule["sites"]
        self.breaks: dict[str, float] = {}

    def flow(self, site: str, name: str, t: int) -> float:
        return float(self.flows.get(site, {}).get(name, [0.0] * len(self.slots))[t])

    def blame(self, rule: str, amount: float) -> None:
        self.breaks[rule] = max(self.breaks.get(rule, 0.0), amount)

    def judgement(self) -> Judgement:
        money = dict.fromkeys(
            ("revenue", "transfer", "miss_penalty", "import", "export", "carbon", "wear", "fuel", "startup",
             "demand", "terminal"), 0.0)  # fmt: skip
        lost = self.queues(money)
        seconds, joules = self.jobs(money)
        found = Judgement(money, self.breaks, lost, {}, {})
        for name, site in self.sites.items():
            it_mw = [joules[name][t] / 3.6e9 / self.hours + self.idle(name, site, t) for t in self.slots]
            for t in self.slots:
                on = self.flow(name, "gpus_on", t)
                room = 3600 * self.hours * site.get("max_utilisation", 1.0)
                self.blame("gpu_count", on - site["gpus"])
                self.blame("gpu_time", seconds[name][t] / room - on)
                self.whole(on)
            found.warmth[name] = self.room(site["cooling"], name, it_mw)
            found.facility[name] = [self.facility(site, name, it_mw[t], t) for t in self.slots]
            found.stored[name] = self.battery(site.get("battery"), name)
            self.grid(site, name, found.facility[name], money)
            self.generator(site, name, money)
            self.ends(site, found.stored[name], found.warmth[name], money)
        return found

    def whole(self, count: float) -> None:
        if self.file.get("integral_jobs", True):
            self.blame("integrality", abs(count - round(count)))

    def queues(self, money: dict[str, float]) -> dict[tuple[str, str, int], float]:
        """FIFO queues: transfers take the oldest jobs; who is not run by the deadline is lost.

        Jobs run before they come are owed, and those that come next are they.
        """
        moved: dict[tuple[str, str, int], float] = {}
        linked: dict[tuple[str, str, int], float] = {}
        for i, j, k, t, count in self.schedule["transfers"]:
            self.whole(count)
            self.blame("sign", -count)
            moved[i, k, t] = moved.get((i, k, t), 0.0) + count
            gb = self.classes[k]["payload_gb"] * count
            if i != j:
                linked[i, j, t] = linked.get((i, j, t), 0.0) + gb
                money["transfer"] += self.file["transfer_cost"][i][j] * gb
        for (i, j, _), gb in linked.items():
            per_hour = self.file.get("link_gb_per_hour", {}).get(i, {}).get(j, math.inf)
            self.blame("link", gb - per_hour * self.hours)
        lost: dict[tuple[str, str, int], float] = {}
        closes = self.file.get("closes", True)
        for i in self.sites:
            for k, rules in self.classes.items():
                waits = self.file.get("backlog", {}).get(i, {}).get(k, [])
                queue = [[-age, float(jobs)] for age, jobs in reversed(list(enumerate(waits, 1)))]
                owed = 0.0
                for t in self.slots:
                    come = float(self.file["arrivals"][i][k][t])
                    queue.append([t, max(0.0, come - owed)])
                    owed = max(0.0, owed - come)
                    run = moved.get((i, k, t), 0.0)
                    for entry in queue:
                        taken = min(entry[1], run)
                        entry[1] -= taken
                        run -= taken
                    owed += run
                    self.blame("deadline", owed)
                    ended = closes and t == self.slots[-1]
                    gone = sum(n for came, n in queue if ended or came + rules["deadline_slots"] <= t)
                    queue = [e for e in queue if not (ended or e[0] + rules["deadline_slots"] <= t)]
                    lost[i, k, t] = gone
                    money["miss_penalty"] += rules["miss_penalty"] * gone
        return lost

    def jobs(self, money: dict[str, float]) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
        """GPU-seconds and joules by site and slot; what is run is what was sent."""
        seconds = {name: [0.0] * len(self.slots) for name in self.sites}
        joules = {name: [0.0] * len(self.slots) for name in self.sites}
        run: dict[tuple[str, str, int], float] = {}
        for j, k, m, steps, clock_name, t, count in self.schedule["runs"]:
            site, rules, model = self.sites[j], self.classes[k], self.file["models"][m]
            clocks = site.get("clocks", [{"name": "base", "speed": 1.0, "energy": 1.0}])
            clock = next(c for c in clocks if c["name"] == clock_name)
            q = quality(model["quality"].get(k) or model["quality"]["default"], steps)
            takes = (model["seconds_fixed"] + model["seconds_per_step"] * steps) / clock["speed"]
            allowed = m in site["models"] and steps in model["steps"] and q >= rules["quality_floor"] - 1e-12
            allowed &= m in (rules.get("models") or self.file["models"])
            allowed &= takes <= (rules.get("max_execution_s") or math.inf) * (1 + 1e-12)
            self.blame("option", 0.0 if allowed else count)
            self.whole(count)
            self.blame("sign", -count)
            seconds[j][t] += takes * count
            joules[j][t] += (
                (model["joules_fixed"] + model["joules_per_step"] * steps) * clock["energy"] * count
            )
            money["revenue"] += count * (
                rules["base_price"] + rules["quality_price"] * q + rules.get("step_price", 0.0) * steps
            )
            run[j, k, t] = run.get((j, k, t), 0.0) + count
        for _, j, k, t, count in self.schedule["transfers"]:
            run[j, k, t] = run.get((j, k, t), 0.0) - count
        for left in run.values():
            self.blame("assignment", abs(left))
        return seconds, joules

    def idle(self, name: str, site: File, t: int) -> float:
        return self.flow(name, "gpus_on", t) * float(site["gpu_idle_watts"]) / 1e6

    def facility(self, site: File, name: str, it_mw: float, t: int) -> float:
        if site["cooling"]["kind"] == "pue":
            return at(site["cooling"]["pue"], t) * it_mw
        return it_mw + self.flow(name, "cooling_mw", t)

    def room(self, cooling: File, name: str, it_mw: list[float]) -> list[float]:
        if cooling["kind"] == "pue":
            for t in self.slots:
                self.blame("cooling_limit", self.flow(name, "cooling_mw", t))
            return [0.0] * (len(self.slots) + 1)
        theta = [float(cooling["initial_c"])]
        for t in self.slots:
            cools = self.flow(name, "cooling_mw", t)
            self.blame("cooling_limit", cools - cooling["max_power_mw"])
            leak = cooling["leak_mw_per_c"] * (theta[t] - at(cooling["outside_c"], t))
            heat = it_mw[t] - at(cooling["cop"], t) * cools - leak
            after = theta[t] + self.hours / cooling["heat_capacity_mwh_per_c"] * heat
            theta.append(max(float(cooling["min_c"]), after))
            self.blame("temperature", theta[-1] - max(cooling["min_c"], cooling["max_c"]))
        return theta

    def battery(self, unit: File | None, name: str) -> list[float]:
        spec = unit or _NONE
        low, high = (spec[f"soc_{end}"] * spec["energy_mwh"] for end in ("min", "max"))
        stored = [min(max(spec["soc_initial"] * spec["energy_mwh"], low), max(low, high))]
        for t in self.slots:
            takes, gives = self.flow(name, "charge_mw", t), self.flow(name, "discharge_mw", t)
            self.blame("charge_limit", takes - spec["power_mw"])
            self.blame("discharge_limit", gives - spec["power_mw"])
            self.blame("charge_discharge", min(takes, gives))
            gain = spec["charge_efficiency"] * takes - gives / spec["discharge_efficiency"]
            stored.append(stored[-1] + self.hours * gain)
            self.blame("state_of_charge", max(stored[-1] - max(low, high), low - stored[-1]))
        return stored

    def grid(self, site: File, name: str, facility: list[float], money: dict[str, float]) -> None:
        grid, battery, unit = site["grid"], site.get("battery"), site.get("generator")
        flows = ("import_mw", "export_mw", "renewable_mw", "charge_mw", "discharge_mw", "generator_mw")
        metered: dict[int, list[float]] = {}
        for t in self.slots:
            bought, sold, sun, takes, gives, makes = (self.flow(name, flow, t) for flow in flows)
            for amount in (bought, sold, sun, takes, gives, makes, self.flow(name, "cooling_mw", t),
                           self.flow(name, "gpus_on", t)):  # fmt: skip
                self.blame("sign", -amount)
            self.blame("import_limit", bought - grid["import_limit_mw"])
            self.blame("export_limit", sold - grid["export_limit_mw"])
            if at(grid["export_price"], t) > at(grid["import_price"], t):
                self.blame("import_export", min(bought, sold))
            self.blame("renewable", sun - at(site["renewable_mw"], t))
            self.blame("balance", abs(bought + sun + gives + makes - facility[t] - takes - sold))
            money["import"] += at(grid["import_price"], t) * bought * self.hours
            money["export"] += at(grid["export_price"], t) * sold * self.hours
            kg = at(grid["carbon_kg_per_mwh"], t) * bought + (
                unit["carbon_kg_per_mwh"] * makes if unit else 0.0
            )
            money["carbon"] += self.file.get("carbon_price", 0.0) / 1000 * kg * self.hours
            money["wear"] += (battery["wear_cost"] if battery else 0.0) * gives * self.hours
            metered.setdefault(t // grid.get("demand_interval_slots", 1), []).append(bought)
        highest = max(sum(part) / len(part) for part in metered.values())
        above = max(0.0, highest - grid.get("peak_so_far_mw", 0.0))
        money["demand"] += grid.get("demand_charge", 0.0) * above

    def generator(self, site: File, name: str, money: dict[str, float]) -> None:
        """The cheapest commitment that gives the flow; below the minimum there is only off."""
        unit = site.get("generator")
        cost = {bool(unit and unit.get("initially_on")): 0.0}
        for t in self.slots:
            makes = self.flow(name, "generator_mw", t)
            if unit is None:
                self.blame("generator_limit", makes)
                continue
            self.blame("generator_limit", makes - max(unit["max_mw"], unit["min_mw"]))
            on = makes > _OFF_MW
            if on:
                self.blame("generator_minimum", unit["min_mw"] - makes)
            money["fuel"] += unit["fuel_cost"] * makes * self.hours
            after: dict[bool, float] = {}
            for was, paid in cost.items():
                for now in (True, False):
                    if (on and not now) or (now and not on and unit["min_mw"] > 0):
                        continue
                    more = unit["no_load_cost"] * self.hours * now + unit["startup_cost"] * (now and not was)
                    after[now] = min(after.get(now, math.inf), paid + more)
            cost = after
        # start-ups and no-load hours together: which of them a tie prefers is nobody's business
        money["startup"] += min(cost.values()) if unit else 0.0

    def ends(self, site: File, stored: list[float], warmth: list[float], money: dict[str, float]) -> None:
        price = site.get("terminal_price")
        if price is None:
            price = max(0.0, *(at(site["grid"]["import_price"], t) for t in self.slots))
        money["terminal"] += price * max(0.0, stored[0] - stored[-1])
        room = site["cooling"]
        if room["kind"] == "thermal":
            per_c = room["heat_capacity_mwh_per_c"] / at(room["cop"], self.slots[-1])
            money["terminal"] += price * per_c * max(0.0, warmth[-1] - warmth[0])

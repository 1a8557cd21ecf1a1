"""What a unit of a technology costs a year, from the catalogue's investment, lifetime, upkeep and rent."""

from __future__ import annotations

from stepwatt.formulation import InputError

from .catalogue import EVIDENCE, Quantity, load_catalogue

HOURS_A_YEAR = 8760
#: kW in the MW, or kWh in the MWh, that costs are told of.
_KILO = 1000


def annuity(rate: float, years: float) -> float:
    """Share of an investment to pay every year, so that it is paid back with interest at the end.

    Raises:
        InputError: no years, or a rate of −1 or less.
    """
    if not years > 0:
        raise InputError(field="lifetime", value=years, expected="years above 0")
    if not rate > -1:
        raise InputError(field="discount_rate", value=rate, expected="a rate a year above -1")
    return float(rate / (1 - (1 + rate) ** -years)) if rate else 1 / years


def annual_costs(currency: str = "USD", discount_rate: float | None = None) -> dict[str, Quantity]:
    """What one more MWh or MW of battery, MW of roof PV, or GPU costs a year, by the catalogue.

    Args:
        currency: USD or EUR.
        discount_rate: a year, real; by default the catalogue's.

    Raises:
        InputError: another currency, for which costs have to be said.
    """
    book = load_catalogue()
    usd_per_eur, rate = book.finance["usd_per_eur"], book.finance["discount_rate"]
    if currency not in ("USD", "EUR"):
        raise InputError(field="currency", value=currency, expected="USD or EUR, or costs of your own")
    used = rate.value if discount_rate is None else discount_rate
    found = {}
    for name, parts in book.technologies.items():
        quantities = list(parts.values())
        if "rent" in parts:
            cost, own = HOURS_A_YEAR * parts["rent"].value, "USD"
        else:
            upkeep = parts["upkeep"].value / 100 if "upkeep" in parts else 0.0
            yearly = annuity(used, parts["lifetime"].value) + upkeep
            cost, own = _KILO * parts["investment"].value * yearly, "EUR"
            quantities += [rate] if discount_rate is None else []
        if own != currency:
            cost = cost * usd_per_eur.value if own == "EUR" else cost / usd_per_eur.value
            quantities.append(usd_per_eur)
        evidence = max((one.evidence for one in quantities), key=EVIDENCE.index)
        source = "; ".join(dict.fromkeys(one.source for one in quantities))
        unit = {"battery_mwh": "MWh", "gpus": "GPU"}.get(name, "MW")
        found[name] = Quantity(cost, f"{currency}/({unit} a year)", evidence, source)
    return found

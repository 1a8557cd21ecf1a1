"""What every component of the Pyomo model is, in a line with its unit: its ``doc`` text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyomo.environ as pyo

SETS = {
    "SITES": "sites, which are the origins of jobs, too",
    "CLASSES": "classes of jobs",
    "SLOTS": "slots, from 0",
    "QUEUES": "(origin, class)",
    "OPTIONS": "(site, class, model, steps, clock) in which a job may run",
    "SERVED": "(site, class) that have an option",
    "ROUTES": "(origin, site, class) on which jobs may be sent, home included",
    "BATTERIES": "sites with a battery",
    "GENERATORS": "sites with a generator",
    "ROOMS": "sites with a thermal room",
    "PEAKS": "sites that have, or may come to have, a demand charge",
    "METERS": "those whose meter averages over several slots",
    "FEEDS_IN": "sites where export may pay, or come to pay, more than import costs",
    "LINKS": "(origin, site) of limited capacity that a route uses",
}

PARAMS = {
    "slot_hours": "length of a slot, h",
    "arrivals": "jobs that arrive in the slot",
    "backlog": "jobs that wait when slot 0 begins",
    "waiting_limit": "jobs that may still wait after the slot",
    "present": "most jobs that can be there in the slot",
    "penalty_per_job": "cost of a lost job, USD",
    "payload_gb": "data moved with a job, GB",
    "transfer_cost": "cost of moving data, USD/GB",
    "link_gb_per_hour": "capacity of the link, GB/h",
    "option_quality": "quality of a job, 0 to 1",
    "option_revenue": "revenue of a job, USD",
    "option_seconds": "GPU time of a job, s",
    "option_energy_mwh": "energy of a job above idle, MWh",
    "import_price": "price of import, USD/MWh",
    "export_price": "price of export, USD/MWh",
    "carbon_kg_per_mwh": "carbon of import, kg/MWh",
    "carbon_price": "price of carbon, USD/t",
    "renewable_available_mw": "sun and wind that there are, MW",
    "pue": "facility power per IT power, 1 with a thermal room",
    "cop": "heat taken away per cooling power",
    "outside_c": "temperature outside, °C",
    "meter_share": "1 / slots of the metering interval",
    "demand_charge": "charge on the highest metered import, USD/MW",
    "wear_cost": "wear of the battery, USD per MWh discharged",
    "fuel_cost": "fuel of the generator, USD/MWh",
    "no_load_cost": "cost of a generator that is on, USD/h",
    "startup_cost": "cost of a start, USD",
    "generator_carbon": "carbon of the generator, kg/MWh",
    "terminal_price": "price of energy missing, or heat left over, at the end, USD/MWh",
    "gpus": "GPUs there are",
    "gpu_idle_mw": "power of a GPU that is on, MW",
    "max_utilisation": "share of a GPU's time that jobs may take",
    "import_limit_mw": "most import, MW",
    "export_limit_mw": "most export, MW",
    "cooling_max_mw": "most cooling power, MW",
    "heat_capacity": "heat capacity of the room, MWh/°C",
    "leak_mw_per_c": "heat through the walls, MW/°C",
    "min_c": "lowest temperature of the room, °C",
    "max_c": "highest temperature of the room, °C",
    "temperature_reference_c": "temperature above which heat left over is charged, °C",
    "energy_min_mwh": "least energy in the battery, MWh",
    "energy_max_mwh": "most energy in the battery, MWh",
    "battery_power_mw": "most power into or out of the battery, MW",
    "energy_reference_mwh": "energy below which what is missing at the end is charged, MWh",
    "charge_efficiency": "share of the charged energy that is stored",
    "discharge_efficiency": "share of the stored energy that is given",
    "generator_max_mw": "most power of the generator, MW",
    "generator_min_mw": "least power of a generator that is on, MW",
    "peak_so_far_mw": "highest metered import so far, paid for already, MW",
}

VARIABLES = {
    "transfers": "jobs sent from origin to site, to run there in the slot",
    "lost": "jobs given up in the slot",
    "waiting": "jobs that wait after the slot",
    "runs": "jobs that run with the option",
    "gpus_on": "GPUs that are on",
    "it_mw": "power of the GPUs, MW",
    "import_mw": "import, MW",
    "export_mw": "export, MW",
    "renewable_mw": "sun and wind used, MW",
    "peak_mw": "at least the highest metered import, MW",
    "metered_mw": "mean import of the metering interval so far, MW",
    "importing": "1 where the site may import, 0 where it may export",
    "charge_mw": "power into the battery, MW",
    "discharge_mw": "power out of the battery, MW",
    "charging": "1 where the battery may charge, 0 where it may discharge",
    "energy_mwh": "energy in the battery after the slot, MWh",
    "energy_missing_mwh": "at least the energy missing at the end, MWh",
    "generator_mw": "power of the generator, MW",
    "generator_on": "1 where the generator is on",
    "generator_start": "1 where it goes on",
    "cooling_mw": "power of the cooling, MW",
    "temperature_c": "at least the temperature of the room after the slot, °C",
    "heat_leftover_c": "at least the warmth left over at the end, °C",
}

CONSTRAINTS = {
    "waiting_balance": "jobs that wait, are lost or sent are those that waited or arrive",
    "assignment": "jobs that run at a site are those sent there",
    "gpu_time": "jobs take no more time than the GPUs that are on have, s",
    "it_power": "power of the GPUs: jobs, and idling, MW",
    "link": "data on a link within its capacity, GB",
    "metering": "the mean of the metering interval adds up the slots' import, MW",
    "peak": "the peak is no lower than metered import, MW",
    "import_mode": "import only where the site imports, MW",
    "export_mode": "export only where it does not, MW",
    "state_of_charge": "energy after the slot: before, charged, discharged, MWh",
    "charge_mode": "charging only where the battery charges, MW",
    "discharge_mode": "discharging only where it does not, MW",
    "terminal_energy": "what is missing at the end, MWh",
    "generator_maximum": "power only of a generator that is on, MW",
    "generator_minimum": "a generator that is on gives its minimum, MW",
    "generator_starting": "going on is a start",
    "room_heat": "temperature after the slot: before, heat of the GPUs, cooling, walls, °C",
    "terminal_heat": "warmth left over at the end, °C",
    "power_balance": "supply is use at the site, MW",
}

MONEY = {
    "revenue": "revenue of the jobs, USD",
    "transfer": "cost of moving jobs, USD",
    "miss_penalty": "cost of lost jobs, USD",
    "import_": "cost of import, USD",
    "export": "revenue of export, USD",
    "carbon": "cost of carbon, import's and generators', USD",
    "wear": "wear of batteries, USD",
    "fuel": "cost of fuel and of running generators, USD",
    "startup": "cost of starts, USD",
    "demand": "demand charges, USD",
    "terminal": "charge on energy missing and heat left over at the end, USD",
    "utility": "revenue + export − every other term, USD: what is maximised",
}

DOCS = SETS | PARAMS | VARIABLES | CONSTRAINTS | MONEY


def document(m: pyo.ConcreteModel) -> None:
    """Give every component its text.

    Raises:
        KeyError: a component without one.
    """
    for component in m.component_objects(descend_into=False):
        component.doc = DOCS[component.local_name]

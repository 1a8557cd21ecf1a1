"""``stepwatt explain``: why an instance is infeasible."""

from __future__ import annotations

import typer

from .options import InstanceFile, Json


def explain(instance: InstanceFile, as_json: Json = False) -> None:
    """Say what keeps an instance from having a schedule: by how much, where, and what would be enough.

    Exit code 0 when it is feasible, 1 when it is not.

    Example: stepwatt explain instance.json
    """
    from stepwatt.formulation import load

    from ..console import print_json, working

    inst = load(instance)
    from stepwatt import solvers

    found = working("explain", lambda progress: solvers.explain(inst))
    if as_json:
        print_json(found.to_dict())
    else:
        print(found)
    if not found.feasible:
        raise typer.Exit(1)

"""Trained policies as planners and as files: a network, what it sees and says, what it was trained for.

They are played on numpy: torch is for those who train one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from tokenize import TokenError
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile
from zlib import error as BadCompression

import numpy as np
from numpy.lib.format import read_array
from numpy.typing import NDArray
from pydantic import ConfigDict, ValidationError

from stepwatt.formulation import InputError, Instance, Schedule
from stepwatt.formulation.arguments import path_of
from stepwatt.formulation.files import write_files
from stepwatt.formulation.plant.engine import Array
from stepwatt.formulation.plant.stacking import shape_of
from stepwatt.formulation.records import Positive, Record, as_input_error, parse_json

from ..environment.play import plan
from ..environment.task import TaskSettings
from .actor import Actor, Description, Size

if TYPE_CHECKING:
    from ..networks.policy import Policy

POLICY_FILE = "policy.npz"
SHIPPED = Path(__file__).parent / "shipped"
#: Raised whenever the numbers of an action or an observation come to mean something else.
SCHEMA = "stepwatt.policy/3"

#: What instances must share with those a policy was trained on; the sites, unless they share its network.
FAMILY = ("sites", "classes", "slot_hours", "has_generator", "has_demand_charge")
#: Bytes of a policy file, unpacked: far more than any network here has, and less than a machine's memory.
LARGEST = 2**30


@dataclass(frozen=True)
class TrainedPolicy:
    """A deterministic policy (the last one of its training, never the best of several evaluations).

    ``family`` is what instances must share with those of the training (:data:`FAMILY`); ``training`` tells
    how it came about (settings, seed), for the record.
    """

    network: Actor
    task: TaskSettings
    family: Mapping[str, Any]
    training: Mapping[str, Any]

    def __repr__(self) -> str:
        shape, task = self.family, self.task
        slots = (
            f"slots of {60 * shape['slot_hours']:g} min" if "slot_hours" in shape else "slots of any length"
        )
        return f"<TrainedPolicy, codec {task.codec}, information {task.information}, for {slots}>"

    @property
    def kind(self) -> str:
        """What comparisons hold it against: planners, unless it is told what will be."""
        return "ablation" if self.task.information == "perfect" else "planner"

    def __call__(self, observation: Array) -> Array:
        """(B,O) observations to (B,A) actions in [-1,1], arrays as they came: of numpy or of torch."""
        said = self.network(np.asarray(observation))
        if isinstance(observation, np.ndarray):
            return said.astype(observation.dtype)
        return observation.new_tensor(said)

    def schedule(self, instance: Instance, history: Instance | None = None) -> Schedule:
        """The schedule it makes of an instance; ``history`` is the day before, for persistence.

        Raises:
            InputError: an instance of another family.
        """
        return self.schedules([instance], [history])[0]

    def schedules(
        self, instances: Sequence[Instance], histories: Sequence[Instance | None] | None = None
    ) -> list[Schedule]:
        """The schedules of several instances of one shape, made side by side."""
        for instance in instances:
            self.check(instance)
        return plan(instances, self, self.task, histories=histories)

    def check(self, instance: Instance) -> None:
        """Refuse an instance of another family.

        Raises:
            InputError: which names the first difference.
        """
        there = asdict(shape_of(instance.arrays()))
        for name in FAMILY:
            # older files do not say all of it
            if name in self.family and not np.isclose(float(there[name]), float(self.family[name])):
                raise InputError(
                    field=f"instance {instance.name!r}: {name}",
                    value=there[name],
                    expected=f"{self.family[name]}, as in the training of the policy",
                )

    def task_of(self, instance: Instance) -> TaskSettings:
        """How slots of any instance of its family are decided."""
        return self.task

    def fingerprint(self) -> bytes:
        """What tells it from other policies."""
        state = sorted(self.network.state.items())
        return b"".join(name.encode() + values.tobytes() for name, values in state)

    def save(self, path: str | Path) -> Path:
        """Write the policy: arrays and JSON in a NumPy archive, nothing that could run when it is read.

        Raises:
            InputError: the place cannot be written.
        """
        target = path_of(path)
        if target.suffix != ".npz":
            target = target / POLICY_FILE
        write_files({target: self.to_bytes()})
        return target

    def to_bytes(self) -> bytes:
        """The content of a policy file."""
        about = {
            "schema": SCHEMA,
            "network": self.network.description.model_dump(exclude_defaults=True),
            "task": self.task.plain(),
            "family": dict(self.family),
            "training": dict(self.training),
        }
        arrays: dict[str, Any] = dict(self.network.state)
        arrays["about"] = np.array(json.dumps(about))
        archive = BytesIO()
        np.savez(archive, allow_pickle=False, **arrays)
        return archive.getvalue()


class _Family(Record):
    """:data:`FAMILY` in a file; older ones do not say all of it."""

    model_config = ConfigDict(extra="ignore")

    sites: Size | None = None
    classes: Size | None = None
    slot_hours: Positive | None = None
    has_generator: bool | None = None
    has_demand_charge: bool | None = None


class _About(Record):
    """What a policy file says beside its arrays."""

    network: Description
    task: dict[str, Any]
    family: _Family
    training: dict[str, Any]


def shipped() -> list[str]:
    """Names of the policies that come with the package; a TOML file beside each says how it was trained."""
    return sorted(file.stem for file in SHIPPED.glob("*.npz"))


def load_policy(path: str | Path) -> TrainedPolicy:
    """Read a policy from its file, or from the folder of its training.

    Raises:
        InputError: no policy there, not one of this format, or one whose parts do not fit each other.
    """
    source = SHIPPED / f"{path}.npz" if str(path) in shipped() else Path(path)
    if os.path.isdir(source):
        source = source / POLICY_FILE
    about, arrays = _read_archive(source)
    schema = about.pop("schema", None)
    if schema != SCHEMA:
        raise InputError(field="schema", value=schema, expected=SCHEMA, file=str(source))
    try:
        said = _About.model_validate(about)
        network, task = Actor.read(said.network, arrays), _task(said.task)
        if bool(said.network.parts) != (task.view == "sites"):
            expected = "sites with a network that the sites share, and flat with others"
            raise InputError(field="task.view", value=task.view, expected=expected)
    except ValidationError as error:
        raise as_input_error(error, about).in_file(str(source)) from None
    except InputError as defect:
        raise defect.in_file(str(source)) from None
    return TrainedPolicy(network, task, said.family.model_dump(exclude_none=True), said.training)


def _task(values: Mapping[str, Any]) -> TaskSettings:
    try:
        return TaskSettings.read(values)
    except InputError as defect:
        raise defect.inside("task") from None


def _read_archive(source: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The JSON object ``about`` of a policy file, and its other arrays."""
    arrays: dict[str, NDArray[Any]] = {}
    try:
        with ZipFile(source) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())
            if unpacked > LARGEST:
                raise ValueError(f"{unpacked} bytes, unpacked")
            names = archive.namelist()
            if len(set(names)) < len(names):
                raise ValueError("an array is there twice")
            for name in names:
                with archive.open(name) as part:
                    arrays[name.removesuffix(".npy")] = read_array(part, allow_pickle=False)
        about = parse_json(str(arrays.pop("about")))
        if not isinstance(about, dict):
            raise ValueError("about is no JSON object")
    except _UNREADABLE as why:
        raise InputError(
            field="(file)", value=str(why), expected="a policy that stepwatt has saved", file=str(source)
        ) from None
    return about, arrays


#: What numpy, zip and JSON say of files that are none of theirs.
_UNREADABLE = (
    OSError, EOFError, ValueError, KeyError, SyntaxError, TokenError, RuntimeError, MemoryError,
    BadZipFile, BadCompression,
)  # fmt: skip


def policy_of(
    network: Policy, task: TaskSettings, instance: Instance, about: Mapping[str, Any]
) -> TrainedPolicy:
    """A policy of one run (S = 1), trained on instances like this one."""
    shape = asdict(shape_of(instance.arrays()))
    arrays = {name: values.cpu().numpy() for name, values in network.run_state(0).items()}
    actor = Actor.read(Description.model_validate(network.description()), arrays)
    told = [name for name in FAMILY if name != "sites" or task.view != "sites"]
    return TrainedPolicy(actor, task, {name: shape[name] for name in told}, about)

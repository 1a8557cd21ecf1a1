"""The package as others meet it: quick to import, honest about its names, complete in its papers."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from places import ROOT

import stepwatt as sw

HEAVY = ("torch", "pyomo", "cvxpy", "plotly", "highspy", "rich", "typer", "jinja2")


def python(code: str, cwd: Path) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@cache
def outside(code: str, cwd: Path) -> frozenset[str]:
    """Distributions, by the top name of their modules, that code brings in beyond the standard library."""
    loaded = {
        name.partition(".")[0] for name in python(f"{code}; import sys; print(*sys.modules)", cwd).split()
    }
    ours = {*sys.stdlib_module_names, "stepwatt"}
    return frozenset(name for name in loaded - ours if not name.startswith("_"))


NAMING = "import stepwatt; stepwatt.Instance, stepwatt.evaluate"


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder outside the checkout."""
    return tmp_path_factory.mktemp("elsewhere")


def test_import_brings_in_the_standard_library_alone(elsewhere: Path) -> None:
    assert outside("import stepwatt", elsewhere) <= outside("pass", elsewhere)


def test_naming_an_instance_and_the_judge_brings_in_arrays_and_records_alone(elsewhere: Path) -> None:
    arrays_and_records = outside("import numpy, pandas; from pydantic import BaseModel, Field", elsewhere)
    assert outside(NAMING, elsewhere) <= arrays_and_records


@pytest.mark.parametrize("code", ["import stepwatt", NAMING])
def test_import_brings_in_no_modelling_library(code: str, elsewhere: Path) -> None:
    assert not outside(code, elsewhere) & set(HEAVY)


def test_planning_from_a_file_waits_for_neither_tables_nor_models(tmp_path: Path) -> None:
    sw.scenario("jemas", start="2018-06-12", n_slots=2, slot_minutes=60).save(tmp_path / "day.json")
    code = "import stepwatt; stepwatt.foresight().schedule(stepwatt.load('day.json'))"
    assert not outside(code, tmp_path) & ({*HEAVY, "pandas", "scipy"} - {"highspy"})


def test_help_of_the_command_needs_neither_numpy_nor_pandas(tmp_path: Path) -> None:
    code = "import stepwatt.cli, sys; stepwatt.cli.run(['--help']); print(*sys.modules)"
    loaded = python(code, tmp_path).split()
    assert not {"numpy", "pandas", "pydantic"} & set(loaded)


def test_every_public_name_is_there() -> None:
    for name in sw.__all__:
        assert getattr(sw, name) is not None
    assert set(sw.__all__) <= set(dir(sw))


@pytest.mark.parametrize(
    "folder",
    [
        "formulation.instance",
        "formulation.schedule",
        "learning.environment",
        "learning.networks",
        "learning.policies",
        "learning.training",
        "solvers",
        "solvers.distributed",
    ],
)
def test_folders_hand_on_the_names_that_they_say(folder: str) -> None:
    package = import_module(f"stepwatt.{folder}")
    for name in package.__all__:
        assert getattr(package, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = package.trian


def test_no_file_imports_what_another_keeps_to_itself() -> None:
    for room in ("stepwatt", "learning", "solvers", "data", "formulation", "benchmarks"):
        for file in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                names = [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) else []
                own = [name for name in names if name.startswith("_") and not name.startswith("__")]
                assert not own, f"{file}: {own}"


def test_type_checkers_and_the_runtime_know_the_same_names() -> None:
    source = (ROOT / "stepwatt" / "__init__.py").read_text(encoding="utf-8")
    declared = source.partition("if TYPE_CHECKING:")[2].partition("_HOME")[0]
    for name in sw.__all__:
        assert f" as {name}\n" in declared or f"{name}: str" in declared


def test_no_module_of_the_face_takes_the_place_of_a_public_name() -> None:
    """Once imported, a module is an attribute of the package, whatever was there."""
    modules = {path.stem for path in (ROOT / "stepwatt").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert not modules & set(sw.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = sw.trian  # type: ignore[attr-defined]


def test_papers_agree_on_version_and_licence() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert sw.__version__ == project["version"]
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"version: {project['version']}\n" in citation
    assert f"license: {project['license']}\n" in citation


def test_every_package_folder_with_code_is_declared() -> None:
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    folders = {folder: name for name, folder in tools["package-dir"].items()}
    for folder, package in folders.items():
        for init in (ROOT / folder).rglob("__init__.py"):
            inner = init.parent.relative_to(ROOT / folder).parts
            assert ".".join((package, *inner)) in tools["packages"]


LOCKED = ROOT / ".ci" / "locked"
PARTS = re.findall(r"^PARTS := ([\w,]+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize(("file", "extras"), [("demo.txt", ["planners"]), ("test.txt", PARTS[0].split(","))])
def test_lock_files_hold_what_the_project_asks_for(file: str, extras: list[str]) -> None:
    entries = re.findall(
        r"^(\S+)==(\S+)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$",
        (LOCKED / file).read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    releases = {canonicalize_name(name): release for name, release, _ in entries}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    while extras:
        more = project["project"]["optional-dependencies"][extras.pop()]
        for requirement in map(Requirement, more):
            extras += [*requirement.extras] if requirement.name == "stepwatt" else []
            asked += [] if requirement.name == "stepwatt" else [str(requirement)]
    small = (ROOT / ".ci" / "small.txt").read_text(encoding="utf-8").splitlines()
    for requirement in map(Requirement, [*asked, *(line for line in small if not line.startswith("#"))]):
        release = releases[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(release), f"{requirement}: {release} is locked"

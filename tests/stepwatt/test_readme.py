"""README and docs do what they say: their commands and programs run as written."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
from places import ROOT

import stepwatt as sw
from stepwatt.cli import run
from stepwatt.formulation.plant.engine import numpy_engine
from stepwatt.learning.environment.task import TaskSettings
from stepwatt.learning.environment.world import World, make_pool
from stepwatt.moved import MOVED

PAGES = ["README.md", *(f"docs/{name}.md" for name in ("index", "cli", "files", "reports", "own-data"))]
#: Pages whose console blocks show output, too, so that only their programs run.
MORE = [
    f"docs/{name}.md" for name in ("model", "explain", "data", "environment", "scale", "worth", "plugins")
]
#: Folders that commands make.
MADE = ("runs", "demo", "build")
COMMANDS = [
    "demo",
    "scenario",
    "solve",
    "train",
    "run",
    "evaluate",
    "compare",
    "report",
    "curves",
    "levers",
    "what-if",
    "pareto",
    "expansion",
    "why",
    "where-lost",
    "export",
    "data look",
    "quality fit",
]


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", [page for page in [*PAGES, *MORE] if blocks(page, "python")])
def test_programs_run_as_written(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks of a page are one program, as a reader would type them."""
    monkeypatch.chdir(tmp_path)
    exec(compile("\n".join(blocks(page, "python")), page, "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("page", sorted(path.name for path in (ROOT / "docs").glob("*.md")))
def test_what_programs_import_is_there(page: str) -> None:
    """Of pages whose programs take minutes, too."""
    for program in blocks(f"docs/{page}", "python"):
        for node in ast.walk(ast.parse(program)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("stepwatt"):
                module = importlib.import_module(str(node.module))
                missing = [name.name for name in node.names if not hasattr(module, name.name)]
                assert not missing, (page, node.module)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "console")])
def test_commands_run_as_written(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours in this process, what a shell does by one; that the command is installed is for test_packaging."""
    monkeypatch.chdir(tmp_path)
    lines = [line for block in blocks(page, "console") for line in block.splitlines()]
    assert all(line.startswith("$ ") for line in lines)
    for line in lines:
        name, *words = shlex.split(line[2:])
        if name == "stepwatt":
            assert run(words) == 0, line
        else:
            subprocess.run(["bash", "-c", line[2:]], check=True)


def test_the_two_commands_are_what_ci_runs() -> None:
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    wanted = [line for block in blocks("README.md", "sh") for line in block.splitlines()]
    assert wanted == ["make demo", "make test"]
    assert set(wanted) <= set(ci)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_documented(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command.split(), "--help"]) == 0
    options = set(re.findall(r"^  (--[a-z-]+)", capsys.readouterr().out, re.MULTILINE))
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    section = text.partition(f"## stepwatt {command}\n")[2].partition("\n## ")[0]
    common = {"--help", "--json", "--quiet"}
    assert options - common == set(re.findall(r"`(--[a-z-]+)", section)) - common
    assert f"| `stepwatt {command}" in text


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    source = ROOT / page
    for target in re.findall(r"\]\(([^)#]+)\)", source.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (source.parent / target).exists(), target


DOCS = sorted(str(path.relative_to(ROOT)) for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


@pytest.mark.parametrize("page", [*DOCS, "benchmarks/README.md", "data/README.md"])
def test_every_file_that_is_named_is_there(page: str) -> None:
    """A path in code quotes that begins with a folder of the root; ``<…>`` and ``*`` stand for any name."""
    rooms = "|".join(path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith("."))
    text = (ROOT / page).read_text(encoding="utf-8")
    for named in re.findall(rf"`((?:{rooms})/[^`\s:]*)`", text):
        if named.partition("/")[0] in MADE:
            continue
        assert list(ROOT.glob(re.sub(r"<[^>]*>", "*", named).rstrip("/"))), named
    for named in re.findall(r"(?<!`)`(?:python )?([\w/]+\.py)`", text):
        assert (ROOT / named).exists(), named


def test_every_benchmark_that_is_named_can_be_started() -> None:
    """A package without ``__main__`` cannot."""
    for page in [*DOCS, "benchmarks/README.md"]:
        text = (ROOT / page).read_text(encoding="utf-8")
        for named in re.findall(r"python -m (benchmarks[.\w]*\w)", text):
            module = find_spec(named)
            assert module is not None, (page, named)
            assert module.submodule_search_locations is None or find_spec(f"{named}.__main__"), (page, named)


@pytest.mark.parametrize("old", MOVED)
def test_names_of_modules_that_were_told_before_go_on_working(old: str) -> None:
    assert importlib.import_module(old) is importlib.import_module(MOVED[old])


def test_sizes_that_are_told_are_right() -> None:
    inst = sw.scenario("jemas", n_slots=12)
    engine = numpy_engine()

    def world(codec: str) -> World:
        task = TaskSettings(codec=codec, information="none")
        return World(make_pool([inst], task.information, engine), engine, task)

    told = {
        page: {int(n) for n in re.findall(r"(\d+) numbers for `jemas`", (ROOT / page).read_text("utf-8"))}
        for page in ("docs/learning.md", "docs/environment.md")
    }
    assert told == {
        "docs/learning.md": {world("priced").act_size},
        "docs/environment.md": {world("direct").obs_size},
    }

"""Pages as a site: the navigation names every page, and every link between them leads somewhere.

That the site is built without a warning is for ``make docs``.
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest
from places import ROOT

import stepwatt as sw

PAGES = sorted(str(path.relative_to(ROOT)) for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])

NOTEBOOKS = sorted((ROOT / "docs").glob("**/*.ipynb"))

#: Made with the site: the page of public names, and pages of notebooks.
MADE = {"api.md", *(str(path.relative_to(ROOT / "docs").with_suffix(".md")) for path in NOTEBOOKS)}


def named() -> list[str]:
    """Pages in the navigation; those beside docs/ are ``root/…``."""
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    return re.findall(r"(?:- |: )([\w/.-]+\.md)$", navigation, re.MULTILINE)


def headings(page: Path) -> set[str]:
    """The anchors of a page: headings in small letters, words joined, signs left out."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", title).strip().lower()) for title in titles}


def test_the_navigation_names_every_page_once_and_no_other() -> None:
    pages = named()
    assert len(pages) == len(set(pages))
    files = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").glob("**/*.md")}
    assert {page for page in pages if not page.startswith("root/")} == files | MADE
    assert all((ROOT / page.removeprefix("root/")).exists() for page in pages if page.startswith("root/"))


def test_pages_outside_docs_that_pages_link_to_are_in_the_navigation() -> None:
    linked = set()
    for page in PAGES:
        if page.startswith("docs/"):
            for target in re.findall(r"\]\(([^)#\s]*\.md)", (ROOT / page).read_text(encoding="utf-8")):
                if not re.match(r"[a-z]+:", target):
                    file = ((ROOT / page).parent / target).resolve().relative_to(ROOT)
                    linked.add(f"root/{file}" if file.parts[0] != "docs" else "")
    assert linked - {""} <= set(named())


def test_every_public_name_has_a_group_on_the_page_of_names() -> None:
    tree = ast.parse((ROOT / ".ci" / "site.py").read_text(encoding="utf-8"))
    (groups,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "GROUPS"
    )
    homes = {home for members in groups.values() for home in members}
    assert {home.partition(".")[0] for name, home in sw._HOME.items() if not name.isupper()} <= homes


@pytest.mark.parametrize("page", [*PAGES, *(str(path.relative_to(ROOT)) for path in NOTEBOOKS)])
def test_every_link_leads_to_a_file_and_to_a_heading_of_it(page: str) -> None:
    source = ROOT / page
    text = source.read_text(encoding="utf-8")
    if source in NOTEBOOKS:
        text = "\n".join(part for cell in json.loads(text)["cells"] for part in cell["source"])
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file = source.parent / target if target else source
        assert file.exists(), target
        if anchor:
            assert anchor in headings(file), f"{target}#{anchor}"

"""What mkdocs must be told of this checkout: files beside docs/ that pages link to, the public names,
and notebooks as pages.

A page on the site has the name that it has below docs/; what lies elsewhere in the checkout is ``root/…``.
"""

import json
import posixpath
import re
import urllib.parse
from pathlib import Path

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?(\))")

#: Heading and the homes of its names, for the page of public names.
GROUPS = {
    "Instances and schedules": ("formulation", "completing", "practice"),
    "Data": ("data",),
    "Solving": ("solving", "solvers"),
    "Comparing and showing": ("comparing", "reports", "showing", "learning_curves", "worth"),
    "Learning": ("learned",),
    "Parts of your own": ("declared", "registering"),
}


def place(page):
    """Where a page of the site lies in the checkout."""
    return page.removeprefix("root/") if page.startswith("root/") else f"docs/{page}"


def name_of(path):
    """The name on the site of a file of the checkout."""
    return path.removeprefix("docs/") if path.startswith("docs/") else f"root/{path}"


def linked(text, page):
    """The files of the checkout that a page links to."""
    folder = posixpath.dirname(place(page))
    for _, target, _, _ in LINK.findall(text):
        if not re.match(r"[a-z]+:", target):
            yield posixpath.normpath(posixpath.join(folder, urllib.parse.unquote(target)))


def on_files(files, config):
    """Add what pages link to outside docs/, and the page of public names."""
    waiting = [file.src_uri for file in files.documentation_pages()]
    while waiting:
        page = waiting.pop()
        for path in linked((ROOT / place(page)).read_text(encoding="utf-8"), page):
            name = name_of(path)
            if path.startswith("..") or files.get_file_from_path(name) or not (ROOT / path).is_file():
                continue  # mkdocs says what is missing
            files.append(File.generated(config, name, abs_src_path=str(ROOT / path)))
            if path.endswith(".md"):
                waiting.append(name)
    files.append(File.generated(config, "api.md", content=names()))
    for notebook in (ROOT / "docs").glob("**/*.ipynb"):
        name = notebook.relative_to(ROOT / "docs").with_suffix(".md").as_posix()
        files.append(File.generated(config, name, content=written(notebook)))
    return Files(list(files))


def on_page_markdown(markdown, page, config, files):
    """Links as they are on the site."""
    here = page.file.src_uri
    if here == "api.md":
        return markdown

    def moved(match):
        before, target, anchor, after = match.groups(default="")
        if re.match(r"[a-z]+:", target):
            return match.group()
        path = posixpath.normpath(posixpath.join(posixpath.dirname(place(here)), target))
        if path.startswith("..") or not (ROOT / path).is_file():
            return match.group()
        name = re.sub(r"\.ipynb$", ".md", name_of(path))
        return before + posixpath.relpath(name, posixpath.dirname(here) or ".") + anchor + after

    return LINK.sub(moved, markdown)


def on_page_content(html, page, config, files):
    """Roles of docstrings (``:class:`.Result```) as code."""
    return re.sub(r":\w+:<code>~?\.?([^<]*)</code>", r"<code>\1</code>", html)


def written(notebook):
    """A notebook as Markdown: its text and programs, and where the file is."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    parts = []
    for cell in cells:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
    parts.insert(1, f'<a href="{notebook.name}" download>This page as a notebook</a>')
    return "\n\n".join(parts)


def names():
    """The page of public names."""
    import stepwatt

    lines = [
        "# Public names",
        "",
        "`import stepwatt as sw`; what `sw` has, with what its docstrings say.",
        "",
    ]
    told = set()
    for heading, homes in GROUPS.items():
        lines += [f"## {heading}", ""]
        for name in sorted(stepwatt._HOME, key=str.lower):
            thing = getattr(stepwatt, name)
            if stepwatt._HOME.get(name, "").partition(".")[0] not in homes or name.isupper():
                continue
            lines += [f"::: {thing.__module__}.{thing.__qualname__}", "    options:"]
            lines += [f"      heading: sw.{name}", f"      toc_label: {name}", ""]
            told.add(name)
    missing = [name for name in stepwatt._HOME if name not in told and not name.isupper()]
    if missing:
        raise SystemExit(f"names without a group in {__file__}: {', '.join(missing)}")
    return "\n".join(lines)

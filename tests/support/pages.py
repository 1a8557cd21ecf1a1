"""Reports as text: what a browser would fetch or run, and the figures packed in them."""

from __future__ import annotations

import gzip
import json
import re
from base64 import b64decode
from html.parser import HTMLParser
from typing import Any, NoReturn


class Page(HTMLParser):
    """What a browser would fetch or run, and the places where figures go."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.places: list[str] = []
        self.scripts: list[str] = []
        self.tags: list[str] = []
        self._inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.fetched += [value for name, value in attrs if name in ("src", "href") and value]
        if given.get("class") == "plot":
            self.places.append(given["id"] or "")
        self._inside = tag == "script"
        if self._inside:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.scripts[-1] += data


def unpacked(text: str, name: str) -> str:
    """What the page's own script would unpack."""
    found = re.search(rf'<script type="application/gzip"[^>]* id="{name}">(.*?)</script>', text)
    assert found is not None
    return gzip.decompress(b64decode(found.group(1))).decode("utf-8")


def figures_of(text: str) -> dict[str, Any]:
    """The figures of all instances by the places that they go to."""

    def no_number(word: str) -> NoReturn:
        raise AssertionError(f"{word} in a figure")

    figures: dict[str, Any] = {}
    for name in re.findall(r'class="figures" id="([^"]*)"', text):
        figures |= json.loads(unpacked(text, name), parse_constant=no_number)
    return figures

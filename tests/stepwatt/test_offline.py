"""Nothing is asked of a network: every command works where no socket opens, and reports load nothing."""

from __future__ import annotations

import json
import re
import socket
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NoReturn

import pytest
from pages import figures_of

from stepwatt.cli import run

TRAINING = ["env_steps=64", "warmup_steps=32", "batch_size=8", "agent.hidden=[8]", "family.every=300"]
TRAINING += ['family.regions=["DE,FR"]', "family.slot_minutes=60"]


class LocalSocket(socket.socket):
    """A socket of this machine alone."""

    def __init__(self, family: int = -1, *arguments: Any, **named: Any) -> None:
        if family != socket.AF_UNIX:
            raise AssertionError(f"a socket of family {family} was opened")
        super().__init__(family, *arguments, **named)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(*names: object, **named: object) -> NoReturn:
        raise AssertionError(f"an address was asked for: {names}")

    monkeypatch.setattr(socket, "socket", LocalSocket)
    for name in ("create_connection", "getaddrinfo", "gethostbyname"):
        monkeypatch.setattr(socket, name, ask)


@pytest.mark.usefixtures("offline")
def test_commands_open_no_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AssertionError, match="opened"):
        socket.socket(socket.AF_INET)
    lines = [json.dumps({"slot": slot}) for slot in range(3)]
    (tmp_path / "slots.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for words in (
        ["scenario", "jemas", "--zones=DE,FR", "--slots=3", "--slot-minutes=60", "--out=day.json"],
        ["solve", "day.json", "--out", "result.json", "--prices", "prices.csv"],
        ["evaluate", "day.json", "result.json"],
        ["train", "--shaping", "none", "--out", "trained", "--tensorboard", *TRAINING],
        ["run", "trained", "day.json", "--slots", "slots.jsonl", "--state", "state.json"],
        ["compare", "day.json", "--policy=lp", "--policy=mine=trained", "--out=c.json", "--out=c.html"],
        ["report", "c.json", "--out", "report.html"],
        ["export", "day.json", "--out", "model.mps"],
    ):
        assert run(words) == 0, words
    for name in ("c.html", "report.html"):
        assert loaded_by((tmp_path / name).read_text(encoding="utf-8")) == []
    assert list((tmp_path / "trained" / "tensorboard").glob("events.*"))
    assert "s0-o-curves" in figures_of((tmp_path / "c.html").read_text(encoding="utf-8"))


class Loads(HTMLParser):
    """What a page loads: sources of scripts, pictures and frames, style sheets, and what styles name."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.style = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = dict(attributes)
        self.style = tag == "style"
        self.found += [value for name in ("src", "srcset", "data", "poster") if (value := named.get(name))]
        if tag == "link" and named.get("href"):
            self.found.append(str(named["href"]))

    def handle_data(self, data: str) -> None:
        if self.style:
            self.found += re.findall(r"@import[^;]*|url\([^)]*\)", data)


def loaded_by(page: str) -> list[str]:
    """What a page loads that does not lie in it."""
    seen = Loads()
    seen.feed(page)
    return [address for address in seen.found if not address.startswith("data:")]


def test_what_a_page_would_load_is_found() -> None:
    page = '<link href="//a/s.css"><script src="https://a/x.js"></script><style>p {background: url(http://b)}</style>'
    assert loaded_by(page + '<img src="data:image/png;base64,AA">') == [
        "//a/s.css",
        "https://a/x.js",
        "url(http://b)",
    ]

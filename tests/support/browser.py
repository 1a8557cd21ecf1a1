"""A page in Debian's Chromium at the width of a desktop or a phone; tests skip where there is no browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

#: Width and height in CSS pixels, and whether it is a phone.
SIZES = {"desktop": (1280, 900, False), "phone": (390, 844, True)}


@contextmanager
def browser(size: str) -> Iterator[Any]:
    """A driver of selenium with a window of that size; its console is kept."""
    selenium = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("no browser: apt-get install chromium chromium-driver")
    width, height, phone = SIZES[size]
    options = selenium.ChromeOptions()
    options.binary_location = chromium
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    found = selenium.Chrome(options=options, service=selenium.ChromeService(driver))
    try:
        found.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone},
        )
        yield found
    finally:
        found.quit()


def opened(driver: Any, page: Path) -> None:
    """Open the file, and go once down the page, so that everything is drawn."""
    driver.get(page.as_uri())
    driver.set_script_timeout(60)
    driver.execute_async_script(_DRAW_ALL)


#: Scrolls through what is shown until every place has its figure; at most some seconds.
_DRAW_ALL = """
const done = arguments[arguments.length - 1], begun = Date.now();
function missing() {
  return [...document.querySelectorAll(".plot")].filter(p => p.offsetParent && !p.querySelector(".main-svg"));
}
(function step() {
  const first = missing()[0];
  if (!first || Date.now() - begun > 50000) { window.scrollTo(0, 0); setTimeout(done, 200); return; }
  first.scrollIntoView();
  setTimeout(step, 30);
})();
"""

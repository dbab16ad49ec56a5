# SPDX-License-Identifier: MIT
"""A headless Chromium, which opens what drmbench wrote: `scripts/test browser`. Where it is missing, tests fail."""

from __future__ import annotations

import shutil
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from selenium import webdriver

if TYPE_CHECKING:
    from collections.abc import Iterator

REPORTS = Path(__file__).parents[2] / "build/test-reports/browser"
"""Where the screenshots are kept."""

# No sandbox: it refuses to start as root, and the pages are ours. Shared memory is small in containers.
_FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
          "--disable-extensions", "--disable-background-networking", "--no-first-run")


@dataclass(frozen=True)
class Browser:
    """One browser for all tests; `open` shows a file in a window of a width, in light or in dark."""

    driver: webdriver.Chrome

    def open(self, path: Path, *, width: int = 1000, dark: bool = False) -> None:
        """Load the page as it looks there."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._tell("Emulation.setEmulatedMedia", features=[scheme])
        self._resize(width, 900)
        self.driver.get(path.as_uri())

    def run(self, script: str, *arguments: object) -> Any:
        """What a script returns; only the test runs scripts, the page has none."""
        return self.driver.execute_script(script, *arguments)

    def screenshot(self, name: str, width: int) -> tuple[int, int]:
        """Keep a picture of the whole page; its size in pixels."""
        self._resize(width, self.run("return document.documentElement.scrollHeight"))
        REPORTS.mkdir(parents=True, exist_ok=True)
        path = REPORTS / f"{name}.png"
        assert self.driver.save_screenshot(str(path))
        data = path.read_bytes()
        assert data[:8] == b"\x89PNG\r\n\x1a\n"
        across, down = struct.unpack(">II", data[16:24])
        return across, down

    def _resize(self, width: int, height: int) -> None:
        self._tell("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def _tell(self, command: str, **parameters: object) -> None:
        self.driver.execute_cdp_cmd(command, parameters)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.fail("no chromium or no chromedriver: scripts/setup browser installs both")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in _FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    session = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    session.set_page_load_timeout(60)
    session.set_script_timeout(60)
    try:
        yield Browser(session)
    finally:
        session.quit()

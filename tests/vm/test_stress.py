# SPDX-License-Identifier: MIT
"""Two minutes of `drmbench stress` on real drivers: every kind of step is taken, and nothing fails.

The seeds are fixed, so the programs are the same each time; how far they get depends on the machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import pytest
from test_lab_devices import LAB

from drmbench.stress.steps import Step

if TYPE_CHECKING:
    from collections.abc import Sequence

# A driver is only taken away with --unbind.
EVERY = {str(kind.__struct_config__.tag) for kind in get_args(Step)} - {"unbind", "bind"}
PRIME = {"export", "import", "map-dmabuf", "sync", "close-dmabuf"}
# Driver -> the kinds of step that have sense on it: bochs has no PRIME on 6.1.
STEPS = {"vkms": EVERY, "vgem": EVERY, "bochs-drm": EVERY - PRIME, "amdgpu": EVERY}
# Seconds and threads of each driver's runs: half a minute a driver.
RUNS = (("15", "1"), ("15", "3"))


def stressed(drmbench: Any, *arguments: str) -> dict[str, Any]:
    """The result of one run, in which nothing went wrong."""
    ran = drmbench("stress", "--json", "-", *arguments)
    (result,) = ran.json["results"]
    assert (ran.status, result["failure"]) == (0, None)
    assert "kernel-log-unread" not in {note["id"] for note in ran.json["caveats"]}
    assert min(result[name] for name in ("rounds", "pages_checked", "pages_written", "signals", "faults")) > 0
    assert 0 < result["peak_live_bytes"] <= ran.json["parameters"]["live_limit_bytes"]
    return dict(result)


def kinds(results: Sequence[dict[str, Any]]) -> set[str]:
    """The kinds of steps that were taken."""
    return {name for result in results for name, count in result["steps"].items() if count}


class TestNothingFails:
    @pytest.mark.parametrize("lab_driver", [name for name in STEPS if name in LAB])
    def test_alone_and_with_threads(self, drmbench: Any, lab_driver: str) -> None:
        results = [
            stressed(drmbench, "--device", lab_driver, "--buffer", "dumb", "--seed", str(seed), "--seconds", seconds,
                     "--threads", threads)
            for seed, (seconds, threads) in enumerate(RUNS, 1)
        ]
        assert kinds(results) == STEPS[lab_driver]

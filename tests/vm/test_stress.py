# SPDX-License-Identifier: MIT
"""Two minutes of `drmbench stress` on real drivers: every kind of step is taken, and nothing fails.

The seeds are fixed, so the programs are the same each time; how far they get depends on the machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import msgspec
import pytest
from test_lab_devices import LAB

from drmbench.device import list_devices
from drmbench.stress import steps as s
from drmbench.stress.program import Program, Replay
from drmbench.stress.steps import Step

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# A driver is only taken away with --unbind.
EVERY = {str(kind.__struct_config__.tag) for kind in get_args(Step)} - {"unbind", "bind"}
PRIME = {"export", "import", "map-dmabuf", "sync", "close-dmabuf"}
# Driver -> the kinds of step that have sense on it: bochs has no PRIME on 6.1.
STEPS = {"vkms": EVERY, "vgem": EVERY, "bochs-drm": EVERY - PRIME, "amdgpu": EVERY}
# Seconds and threads of each driver's runs: half a minute a driver.
RUNS = (("15", "1"), ("15", "3"))
# bochs has one node, whose number is another as long as a file of before is open.
TAKEN_AWAY = "bochs-drm"
# Twice in one program: a buffer of before is looked at while the driver is away, and one of afterwards holds what is
# written to it. The last step reads a page too far. The shared buffers have files of their own.
AWAY_AND_BACK = (
    s.Create(0, 0, 4), s.Map(0, 0, 0, 4, "write"), s.Write(0, 0, 4, 1), s.MapShared(1, 0, 2, "write"),
    s.Write(1, 0, 2, 2), s.Unbind(), s.Create(1, 0, 1), s.Read(0, 0, 4), s.Bind(),
    s.Open(1), s.Create(1, 1, 4), s.Map(2, 1, 1, 4, "write"), s.Write(2, 0, 4, 3), s.Read(2, 0, 4),
    s.Unbind(), s.Read(2, 0, 4), s.Bind(),
    s.Open(2), s.Create(2, 2, 2), s.Map(3, 2, 2, 2, "write"), s.Write(3, 0, 2, 4), s.Read(3, 0, 3),
)


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


@pytest.mark.skipif(TAKEN_AWAY not in LAB, reason=f"this machine has no {TAKEN_AWAY}")
class TestUnbind:
    def stressed(self, drmbench: Any, *arguments: str) -> dict[str, Any]:
        """One run, after which the device has a driver and a node."""
        result = stressed(drmbench, "--device", TAKEN_AWAY, "--buffer", "dumb", "--unbind", *arguments)
        (device,) = (each for each in list_devices() if each.driver is not None and each.driver.name == TAKEN_AWAY)
        assert device.primary is not None
        return result

    def test_each_round_finds_the_node_that_the_device_then_has(self, drmbench: Any, tmp_path: Path) -> None:
        replay = tmp_path / "replay.json"
        replay.write_bytes(msgspec.json.encode(Replay(
            program=Program([4, 4], [list(AWAY_AND_BACK)]), buffer_pages=16, live_pages=64,
        )))
        result = self.stressed(drmbench, "--replay", str(replay), "--seconds", "5")
        assert result["rounds"] > 1
        times = {name: result["steps"][name] / result["rounds"] for name in ("unbind", "bind", "open", "create")}
        assert times == {"unbind": 2, "bind": 2, "open": 2, "create": 4}

    def test_random_steps_around_it(self, drmbench: Any) -> None:
        result = self.stressed(drmbench, "--seed", "3", "--seconds", "10")
        assert result["steps"].get("unbind") == result["steps"].get("bind")

# SPDX-License-Identifier: MIT
"""What counts as a failure where a device that the user named refuses something."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from drmbench.errors import DrmbenchError
from drmbench.measurement import Measurement, Options
from drmbench.targets import Target

REFUSED = DrmbenchError("virtio_gpu renderD128", "RESOURCE_CREATE", errno=22)


def target(kind: str, driver: str = "virtio_gpu") -> Target:
    return Target("drm", "/dev/dri/card0", driver, "", (kind,), "named", nullcontext)


def measurement(buffer: str | None, works: list[Target], dropped: list[Target]) -> Measurement[Any]:
    options = Options(devices=("virtio_gpu",), buffer=buffer, size_bytes=None, accesses=("write",), order="sequential",
                      runs=1, cpu=None, seed=1, baseline=False)
    made: Measurement[Any] = Measurement(options, None, None)  # type: ignore[arg-type] (neither is called)
    made.series = [SimpleNamespace(target=one) for one in works]
    made.dropped = [(one, REFUSED) for one in dropped]
    return made


DUMB, GEM = target("dumb"), target("gem")


@pytest.mark.parametrize(("buffer", "works", "dropped", "failures"), [
    (None, [DUMB], [GEM], 0),          # one of two uAPIs of a device works: the other one's refusal is a note
    (None, [], [DUMB, GEM], 2),
    (None, [GEM], [GEM], 1),           # it was measured with one access and failed with another
    (None, [target("dumb", "vkms")], [GEM], 1),
    ("gem", [], [GEM], 1),             # a kind that was asked for
    ("all", [DUMB], [GEM], 0),
])
def test_a_refusal_is_a_failure_where_it_leaves_nothing(
    buffer: str | None, works: list[Target], dropped: list[Target], failures: int,
) -> None:
    assert len(measurement(buffer, works, dropped).failures) == failures

# SPDX-License-Identifier: MIT
"""A device whose driver is taken away and given back while stress runs: its node is looked up each time."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import pytest

from drmbench.conformance.kernel_log import KernelLog
from drmbench.errors import DrmbenchError
from drmbench.stress.port import Port, present
from drmbench.stress.traits import Limits, Traits
from drmbench.stress.trial import Lab
from drmbench.stress.worker import Site
from drmbench.targets import find_targets

if TYPE_CHECKING:
    from pathlib import Path

    from drmbench.conformance.attachment import Attachment


@dataclass(frozen=True)
class Pretended:
    """A device as a file that holds its node, or nothing without a driver: what a child process does to it lasts."""

    file: Path
    broken: bool = False

    def node_like(self, node: str) -> str | None:
        assert node == "/dev/dri/card0"
        return self.file.read_text() or None

    def bind(self, timeout_s: float) -> None:
        assert timeout_s > 0
        if self.broken:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self.file.write_text("/dev/dri/card7")


@pytest.fixture
def device(tmp_path: Path) -> Path:
    """A device without its driver."""
    file = tmp_path / "node"
    file.write_text("")
    return file


def lab(device: Path, *, broken: bool = False) -> Lab:
    """A lab whose device hangs on a port; the target itself does not matter here."""
    (target,), _unusable = find_targets(("memfd",), writing=True, floor=False)
    port = Port(cast("Attachment", Pretended(device, broken)), "/dev/dri/card0")
    return Lab(Site(target, "memfd", Traits(), Limits(1, 1), port), KernelLog(), 1.0)


class TestPresent:
    def test_the_node_is_the_one_of_now(self, device: Path) -> None:
        site = lab(device).site
        device.write_text("/dev/dri/card3")
        assert present(site.target, site.port).node == "/dev/dri/card3"

    def test_without_a_driver_there_is_none(self, device: Path) -> None:
        site = lab(device).site
        with pytest.raises(DrmbenchError, match="ENODEV") as caught:
            present(site.target, site.port)
        assert caught.value.errno == errno.ENODEV

    def test_without_a_port_it_is_what_it_was(self, device: Path) -> None:
        target = lab(device).site.target
        assert present(target, None) is target


class TestARoundThatDiedMeanwhile:
    def test_the_driver_is_given_back(self, device: Path) -> None:
        assert lab(device).attach() is None
        assert device.read_text() == "/dev/dri/card7"

    def test_a_device_that_is_bound_is_left_alone(self, device: Path) -> None:
        device.write_text("/dev/dri/card3")
        assert lab(device, broken=True).attach() is None
        assert device.read_text() == "/dev/dri/card3"

    def test_what_refuses_is_a_failure_of_the_next_round(self, device: Path) -> None:
        trial = lab(device, broken=True).run([], [], 0.0)
        assert trial.failed is not None
        assert (trial.failed.category, trial.failed.what, trial.failed.actual) == ("errno", "bind", "EIO")

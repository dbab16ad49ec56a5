# SPDX-License-Identifier: MIT
"""These tests run inside a virtual machine, on real DRM drivers: `make test-vm`.

DRMBENCH_REQUIRE_DEVICES names the drivers that must be there; a missing one is a failure, never a skip.
"""

from __future__ import annotations

import os

import pytest

from drmbench.device import DrmDevice, list_devices

PAGES = 1024
SIZE = "4MiB"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test that takes `driver` runs once on each required driver."""
    if "driver" in metafunc.fixturenames:
        metafunc.parametrize("driver", required(), scope="session")


def required() -> list[str]:
    """The drivers that this lane was asked to test."""
    names = os.environ.get("DRMBENCH_REQUIRE_DEVICES", "vkms,vgem")
    return [name for name in names.split(",") if name]


@pytest.fixture(scope="session")
def device(driver: str) -> DrmDevice:
    """The device of the driver under test."""
    found = [d for d in list_devices() if d.driver is not None and d.driver.name == driver]
    if not found:
        pytest.fail(f"no {driver} device: run these tests with `make test-vm`")
    return found[0]

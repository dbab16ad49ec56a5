# SPDX-License-Identifier: MIT
"""drmbench doctor on real drivers: the devices it finds, and other processes that have them open."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_HOLD = "import os, sys; os.open(sys.argv[1], os.O_RDWR); print(flush=True); sys.stdin.read()"


@pytest.fixture
def node(drmbench: Any) -> str:
    """A node of vkms."""
    found = [device for device in drmbench("devices", "--json").json["devices"] if device["driver"] == "vkms"]
    return str(found[0]["primary"])


@pytest.fixture
def holder(node: str) -> Iterator[int]:
    """Another process that has it open."""
    with subprocess.Popen([sys.executable, "-c", _HOLD, node], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        yield child.pid
        child.communicate(timeout=30)


def findings(ran: Any, name: str) -> list[dict[str, Any]]:
    """Those of this name."""
    assert ran.status == 0, ran.err
    return [finding for finding in ran.json["results"] if finding["id"] == name]


def test_the_driver_and_its_nodes(drmbench: Any, node: str) -> None:
    (driver,) = findings(drmbench("doctor", "--device", "vkms", "--json", "-"), "drm-device")
    assert (driver["severity"], driver["target"].split()[0]) == ("ok", "vkms")
    access = findings(drmbench("doctor", "--device", node, "--json", "-"), "node-access")
    assert {(finding["severity"], finding["found"].split()[0]) for finding in access} >= {("ok", node)}


def test_nobody_else(drmbench: Any) -> None:
    (users,) = findings(drmbench("doctor", "--device", "vkms", "--json", "-"), "other-users")
    assert users["severity"] == "ok"


def test_somebody_else(drmbench: Any, holder: int) -> None:
    (users,) = findings(drmbench("doctor", "--device", "vkms", "--json", "-"), "other-users")
    assert users["severity"] == "note"
    assert f"(pid {holder}" in users["found"]


def test_an_idle_user_is_no_caveat_of_a_result(drmbench: Any, holder: int) -> None:
    document = drmbench("fault-latency", "--device", "vkms", "--size", "64KiB", "--runs", "1", "--json", "-").json
    assert holder > 0
    assert "other-users" not in {caveat["id"] for caveat in document["caveats"]}


def test_every_device_at_once(drmbench: Any) -> None:
    here = [device for device in drmbench("devices", "--json").json["devices"] if device["driver"] is not None]
    found = findings(drmbench("doctor", "--json", "-"), "drm-device")
    assert len(found) == len(here)
    assert {finding["severity"] for finding in found} == {"ok"}


def test_findings_and_caveats_agree(drmbench: Any) -> None:
    report = drmbench("doctor", "--json", "-").json
    warned = {finding["id"] for finding in report["results"] if finding["severity"] == "warning"}
    document = drmbench("fault-latency", "--device", "anon", "--size", "64KiB", "--runs", "1", "--json", "-").json
    for name in ("emulated-cpu", "no-invariant-tsc", "kernel-debug", "clocksource"):
        assert (name in warned) == (name in {caveat["id"] for caveat in document["caveats"]})

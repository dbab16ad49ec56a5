# SPDX-License-Identifier: MIT
"""What drmbench finds on real nodes, and how it opens them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from drmbench._native import lib
from drmbench.device import open_node

if TYPE_CHECKING:
    from drmbench.device import DrmDevice


class TestDevices:
    def test_the_driver_names_itself_without_a_sysfs_driver_link(self, drmbench: Any, device: DrmDevice) -> None:
        (entry,) = [d for d in drmbench("devices", "--json").json["devices"] if d["primary"] == device.primary]
        assert entry["driver"] == device.driver.name
        assert entry["description"]
        assert entry["version"].count(".") == 2
        assert entry["problem"] is None

    def test_dumb_buffers_work_even_where_no_capability_says_so(self, drmbench: Any, device: DrmDevice) -> None:
        (entry,) = [d for d in drmbench("devices", "--json").json["devices"] if d["primary"] == device.primary]
        assert entry["dumb_buffers"] is True
        assert entry["backends"]["dumb"] == ["dumb"]

    def test_the_table_shows_it(self, drmbench: Any, device: DrmDevice) -> None:
        ran = drmbench("devices")
        assert ran.status == 0
        assert max(len(line) for line in ran.out.splitlines()) <= 80
        (row,) = [line for line in ran.out.splitlines() if line.startswith(f"{device.primary} ")]
        assert device.driver.name in row
        assert "dumb" in row


class TestOpening:
    def test_drm_master_is_not_kept(self, device: DrmDevice) -> None:
        with open_node(device.primary) as ours:
            assert not lib.drmIsMaster(ours)
            display_server = os.open(device.primary, os.O_RDWR)
            try:
                # The next opener becomes master only if nobody holds it.
                assert lib.drmIsMaster(display_server)
            finally:
                os.close(display_server)

    def test_without_permission_the_way_out_is_named(self, drmbench: Any, device: DrmDevice) -> None:
        # Imports everything while the interpreter's own files can still be read.
        assert drmbench("fault-latency", "--device", device.primary, "--size", "4KiB").status == 0
        modes = {node: os.stat(node).st_mode for node in device.nodes}
        for node in modes:
            os.chmod(node, 0o600)
        os.seteuid(65534)
        try:
            ran = drmbench("fault-latency", "--device", device.primary)
            listed = drmbench("devices")
        finally:
            os.seteuid(0)
            for node, mode in modes.items():
                os.chmod(node, mode)
        assert ran.status == 1
        assert ": open: EACCES" in ran.err
        assert listed.status == 0
        assert ": open: EACCES" in listed.out
        assert "run as root" in ran.err or "usermod" in ran.err

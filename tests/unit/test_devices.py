# SPDX-License-Identifier: MIT
"""Finding devices: what udev lists, how a device is named on the command line, what happens without one."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import types
from typing import TYPE_CHECKING, Any

import pytest

from drmbench import device as device_module
from drmbench import igt_filter, inventory, targets
from drmbench.device import DriverVersion, DrmDevice, open_node
from drmbench.drivers.baselines import MemfdBackend
from drmbench.errors import DrmbenchError, UnsupportedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def made_up(card: int, driver: str, pci_id: str | None = None, slot: str = "") -> DrmDevice:
    """A device as list_devices() would give it."""
    return DrmDevice(
        f"/dev/dri/card{card}", None, f"/sys/devices/{driver}{card}", "pci" if pci_id else "platform", slot or driver,
        pci_id, DriverVersion(driver, f"{driver} description", "1.0.0"), None,
    )


DEVICES = [
    made_up(0, "vkms"),
    made_up(1, "i915", "8086:5917", "0000:00:02.0"),
    made_up(2, "amdgpu", "1002:73df", "0000:03:00.0"),
    made_up(3, "amdgpu", "1002:73df", "0000:04:00.0"),
]


class TestIgtFilters:
    """The words of IGT's --device."""

    @pytest.mark.parametrize(("spec", "cards"), [
        ("drm:/dev/dri/card2", [2]),
        ("drm:/dev/dri/card9", []),
        ("sys:/sys/devices/i9151", [1]),
        ("pci:vendor=8086", [1]),
        ("pci:vendor=Intel", [1]),
        ("pci:vendor=amd", [2]),
        ("pci:vendor=amd,card=1", [3]),
        ("pci:vendor=amd,card=all", [2, 3]),
        ("pci:vendor=1002,device=73DF,card=0", [2]),
        ("pci:slot=0000:04:00.0", [3]),
        ("pci:device=ffff", []),
    ])
    def test_what_they_find(self, spec: str, cards: list[int]) -> None:
        assert igt_filter.matching(spec, DEVICES) == [DEVICES[card] for card in cards]

    @pytest.mark.parametrize("spec", ["pci:", "pci:vendor", "pci:colour=red", "pci:vendor=12345", "pci:card=x", "sys:"])
    def test_what_makes_no_sense(self, spec: str) -> None:
        with pytest.raises(UsageError):
            igt_filter.matching(spec, DEVICES)


class MemfdNode(MemfdBackend):
    """A back-end that stands in for a DRM one, on no node at all."""

    name = "dumb"
    node = "primary"
    all_kinds = ("memfd",)

    def __init__(self, fd: int) -> None:
        pass

    @classmethod
    def offered(cls, _fd: int, _driver: str) -> bool:
        return True


@contextlib.contextmanager
def _opened(_node: str) -> Iterator[int]:
    yield -1


@pytest.fixture
def four_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with four devices whose buffers are memfds."""
    monkeypatch.setattr(targets, "list_devices", lambda: DEVICES)
    monkeypatch.setattr(targets, "open_node", _opened)
    monkeypatch.setattr(targets, "DRM_BACKENDS", (MemfdNode,))


@pytest.mark.usefixtures("four_devices")
class TestChoosing:
    """--device, else DRMBENCH_DEVICE, else IGT_DEVICE, else every usable node."""

    def nodes(self, drmbench: Any, *arguments: str) -> list[str]:
        ran = drmbench("fault-latency", "--size", "16KiB", "--runs", "1", "--no-baseline", "--phase", "cold", "--json",
                       "-", *arguments)
        assert ran.status == 0, ran.err
        return [result["target"]["node"].removeprefix("/dev/dri/") for result in ran.json["results"]]

    def test_every_node_by_default(self, drmbench: Any) -> None:
        assert self.nodes(drmbench) == ["card0", "card1", "card2", "card3"]

    def test_a_driver_name_means_all_its_devices(self, drmbench: Any) -> None:
        assert self.nodes(drmbench, "--device", "amdgpu") == ["card2", "card3"]

    def test_a_device_named_twice_is_measured_once(self, drmbench: Any) -> None:
        assert self.nodes(drmbench, "--device", "vkms", "--device", "drm:/dev/dri/card0") == ["card0"]

    def test_the_environment_in_order(self, drmbench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("IGT_DEVICE", "pci:vendor=amd;drm:/dev/dri/card0")
        assert self.nodes(drmbench) == ["card2", "card0"]
        monkeypatch.setenv("DRMBENCH_DEVICE", "i915")
        assert self.nodes(drmbench) == ["card1"]
        assert self.nodes(drmbench, "--device", "vkms") == ["card0"]

    def test_two_devices_of_a_driver_are_told_apart_in_the_table(self, drmbench: Any) -> None:
        out = drmbench("fault-latency", "--device", "amdgpu", "--size", "16KiB", "--runs", "1").out
        assert "card2 memfd write cold" in out
        assert "card3 memfd write cold" in out

    def test_a_known_driver_that_is_not_here_exits_77(self, drmbench: Any) -> None:
        ran = drmbench("fault-latency", "--device", "etnaviv")
        assert ran.status == 77
        assert "here: amdgpu, i915, vkms" in ran.err

    def test_a_filter_that_matches_nothing_exits_77(self, drmbench: Any) -> None:
        assert drmbench("fault-latency", "--device", "pci:vendor=nvidia").status == 77

    def test_a_buffer_kind_that_no_chosen_device_has_exits_77(self, drmbench: Any) -> None:
        ran = drmbench("fault-latency", "--device", "vkms", "--buffer", "anon")
        assert ran.status == 77
        assert "EOPNOTSUPP" in ran.err

    def test_all_buffer_kinds(self, drmbench: Any) -> None:
        assert self.nodes(drmbench, "--device", "vkms", "--buffer", "all") == ["card0"]


@pytest.mark.usefixtures("four_devices")
class TestVanishing:
    """A node may go between listing, opening and measuring."""

    def test_before_it_is_opened(self, drmbench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(targets, "open_node", device_module.open_node)
        ran = drmbench("fault-latency", "--device", "i915", "--size", "16KiB")
        assert ran.status == 1
        assert "drmbench: /dev/dri/card1: open: ENOENT" in ran.err

    def test_a_node_nobody_named_is_only_a_caveat(self, drmbench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        @contextlib.contextmanager
        def all_but_the_first(node: str) -> Iterator[int]:
            if node.endswith("card0"):
                raise DrmbenchError(node, "open", errno=errno.ENODEV)
            yield -1

        monkeypatch.setattr(targets, "open_node", all_but_the_first)
        ran = drmbench("fault-latency", "--size", "16KiB", "--runs", "1", "--json", "-")
        assert ran.status == 0
        left_out = [c["message"] for c in ran.json["caveats"] if c["id"] == "not-measured"]
        assert left_out == ["left out: /dev/dri/card0: open: ENODEV: No such device"]

    def test_in_the_middle_of_the_runs(self, drmbench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        calls = {"create": 0}
        create = MemfdNode.create

        def unplugged(self: MemfdNode, kind: str, size_bytes: int) -> Any:
            calls["create"] += 1
            if calls["create"] > 2:
                raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
            return create(self, kind, size_bytes)

        monkeypatch.setattr(MemfdNode, "create", unplugged)
        ran = drmbench("fault-latency", "--device", "vkms", "--size", "16KiB")
        assert ran.status == 1
        assert "vkms card0 memfd: memfd_create (16 KiB): ENODEV" in ran.err

    def test_if_none_is_left_the_baselines_do_not_hide_it(self, drmbench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_arguments: object) -> None:
            raise OSError(errno.EIO, "broken")

        monkeypatch.setattr(MemfdNode, "create", refuse)
        ran = drmbench("fault-latency", "--size", "16KiB")
        assert ran.status == 1
        assert "EIO" in ran.err


@pytest.mark.usefixtures("four_devices")
class TestSize:
    """A device that is too small: the default is halved, an explicit size is refused."""

    @pytest.fixture(autouse=True)
    def _little_vram(self, monkeypatch: pytest.MonkeyPatch) -> None:
        create = MemfdNode.create

        def limited(self: MemfdNode, kind: str, size_bytes: int) -> Any:
            if size_bytes > 2 << 20:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return create(self, kind, size_bytes)

        monkeypatch.setattr(MemfdNode, "create", limited)

    def test_the_default_is_halved_until_it_fits_and_the_table_says_so(self, drmbench: Any) -> None:
        ran = drmbench("fault-latency", "--device", "vkms", "--no-baseline", "--runs", "1")
        assert ran.status == 0
        assert "vkms card0: the default 64 MiB does not fit, measured with 2 MiB" in " ".join(ran.out.split())

    def test_an_explicit_size_is_not(self, drmbench: Any) -> None:
        ran = drmbench("fault-latency", "--device", "vkms", "--size", "4MiB")
        assert ran.status == 1
        assert "vkms card0 memfd: memfd_create (4 MiB): ENOSPC" in ran.err
        assert "smaller --size" in ran.err


class TestNoDevice:
    @pytest.fixture(autouse=True)
    def _nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in (targets, inventory):
            monkeypatch.setattr(module, "list_devices", list)

    def test_devices_names_the_baselines_and_the_lab(self, drmbench: Any) -> None:
        ran = drmbench("devices")
        assert ran.status == 0
        for word in ("No DRM device here", "memfd", "anon", "file:PATH", "drmbench vm run"):
            assert word in ran.out

    def test_devices_as_json(self, drmbench: Any) -> None:
        document = drmbench("devices", "--json").json
        assert document["devices"] == []
        assert document["baselines"] == ["anon", "memfd", "file:PATH", "udmabuf", "dma-heap:NAME"]

    @pytest.mark.parametrize("command", ["fault-latency", "compare-populate"])
    def test_measuring_exits_77_and_names_the_ways_out(self, drmbench: Any, command: str) -> None:
        ran = drmbench(command)
        assert ran.status == 77
        assert "--device memfd" in ran.err
        assert "drmbench vm run" in ran.err


class TestPermission:
    def test_the_group_of_the_node_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        node = tmp_path / "card0"
        node.touch()

        def refused(*_arguments: object) -> int:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

        monkeypatch.setattr(os, "open", refused)
        monkeypatch.setattr("grp.getgrgid", lambda _gid: types.SimpleNamespace(gr_name="video"))
        with pytest.raises(DrmbenchError, match=r"EACCES.*sudo usermod -aG video"), open_node(str(node)):
            pass


def test_unsupported_is_an_error_too() -> None:
    assert issubclass(UnsupportedError, DrmbenchError)
    assert UnsupportedError("a", "b").exit_code == 77


@pytest.mark.usefixtures("four_devices")
class TestSimulated:
    """What is not the real thing is labelled in every report."""

    def caveats(self, drmbench: Any, command: str) -> list[str]:
        document = drmbench(command, "--device", "i915", "--size", "16KiB", "--runs", "1", "--json", "-").json
        return [c["message"] for c in document["caveats"] if c["id"] == "simulated-driver"]

    @pytest.mark.parametrize("command", ["fault-latency", "compare-populate"])
    def test_the_lab_says_so(self, drmbench: Any, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DRMBENCH_VM_SIMULATED", "vkms=nothing,i915=registers are a ROM")
        assert self.caveats(drmbench, command) == ["i915: simulated: registers are a ROM"]

    def test_the_driver_says_so_itself(self, drmbench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        double = dataclasses.replace(DEVICES[1], driver=DriverVersion("i915", "Test double of i915", "1.0.0"))
        monkeypatch.setattr(targets, "list_devices", lambda: [double])
        assert self.caveats(drmbench, "fault-latency") == ["i915: simulated: Test double of i915"]

    def test_a_real_one_is_not_accused(self, drmbench: Any) -> None:
        assert self.caveats(drmbench, "fault-latency") == []


@pytest.mark.usefixtures("four_devices")
class TestAllBuffers:
    """--buffer all tries every kind; what is refused is an answer, and the run goes on."""

    def test_a_refused_kind_is_a_caveat_with_its_errno(self, drmbench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(MemfdNode, "all_kinds", ("memfd", "gem:secret"))
        create = MemfdNode.create

        def picky(self: MemfdNode, kind: str, size_bytes: int) -> Any:
            if kind == "gem:secret":
                raise OSError(errno.EPERM, os.strerror(errno.EPERM))
            return create(self, kind, size_bytes)

        monkeypatch.setattr(MemfdNode, "create", picky)
        arguments = ("fault-latency", "--device", "i915", "--size", "16KiB", "--runs", "1", "--no-baseline")
        ran = drmbench(*arguments, "--buffer", "all", "--json", "-")
        assert ran.status == 0
        assert {r["target"]["buffer"] for r in ran.json["results"]} == {"memfd"}
        refused = [c["message"] for c in ran.json["caveats"] if c["id"] == "not-measured"]
        assert any("i915 card1 gem:secret: memfd_create (16 KiB): EPERM" in message for message in refused)
        assert drmbench(*arguments, "--buffer", "gem:secret").status == 1

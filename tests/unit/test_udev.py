# SPDX-License-Identifier: MIT
"""What udev and /dev/dri say becomes devices, whatever they say."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

import pytest

from drmbench import device as device_module
from drmbench.device import list_devices

if TYPE_CHECKING:
    from pathlib import Path


class TestUdev:
    """What udev says becomes DrmDevice, platform devices without a driver link included."""

    def node(self, name: str, parent: Any, path: str | None = None) -> Any:
        return types.SimpleNamespace(sys_name=name, device_node=path or f"/dev/dri/{name}", parent=parent,
                                     sys_path=f"/sys/class/drm/{name}")

    def parent(self, name: str, subsystem: str | None, attributes: dict[str, str] | None = None) -> Any:
        def asstring(key: str) -> str:
            return (attributes or {})[key]

        return types.SimpleNamespace(sys_path=f"/sys/devices/{name}", sys_name=name, subsystem=subsystem,
                                     attributes=types.SimpleNamespace(asstring=asstring))

    @pytest.fixture
    def folder(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
        """What stands in for /dev/dri."""
        monkeypatch.setattr(device_module, "NODES", str(tmp_path))
        return tmp_path

    @pytest.fixture
    def udev(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> list[Any]:  # noqa: ARG002 (real nodes stay out)
        nodes: list[Any] = []
        context = types.SimpleNamespace(list_devices=lambda subsystem: nodes if subsystem == "drm" else [])
        monkeypatch.setattr("pyudev.Context", lambda: context)
        return nodes

    def test_nodes_of_one_parent_are_one_device(self, udev: list[Any]) -> None:
        pci = self.parent("0000:00:02.0", "pci", {"vendor": "0x8086\n", "device": "0x5917\n"})
        udev += [self.node("renderD200", pci), self.node("card200", pci), self.node("card200-HDMI-A-1", pci)]
        (found,) = list_devices()
        assert found.nodes == ("/dev/dri/card200", "/dev/dri/renderD200")
        assert (found.bus, found.bus_id, found.pci_id) == ("pci", "0000:00:02.0", "8086:5917")
        assert found.driver is None
        assert "ENOENT" in str(found.problem)

    def test_a_platform_device_has_no_pci_id_and_a_faux_one_no_subsystem(self, udev: list[Any]) -> None:
        udev += [self.node("card201", self.parent("vgem", "platform")), self.node("card202", self.parent("vkms", None))]
        assert [(d.bus, d.bus_id, d.pci_id) for d in list_devices()] == [
            ("platform", "vgem", None), ("virtual", "vkms", None),
        ]

    def test_connectors_and_control_files_are_no_devices(self, udev: list[Any]) -> None:
        nothing = self.node("version", self.parent("x", "platform"))
        nothing.device_node = None
        udev.append(nothing)
        assert list_devices() == []

    def test_a_node_that_is_not_drm_is_a_problem_and_no_traceback(self, udev: list[Any], drmbench: Any) -> None:
        udev.append(self.node("card203", self.parent("liar", "platform"), "/dev/null"))
        ran = drmbench("devices")
        assert ran.status == 0
        assert "ENOTTY: this is no DRM node" in " ".join(ran.out.split())

    def test_a_node_that_udev_does_not_list_is_listed_all_the_same(
        self, udev: list[Any], folder: Path, drmbench: Any,
    ) -> None:
        for name in ("card3", "renderD130", "card3-eDP-1", "by-path", "controlD64"):
            (folder / name).touch()
        udev.append(self.node("card3", self.parent("vgem", "platform"), f"{folder}/card3"))
        listed, found = list_devices()
        assert (listed.nodes, listed.bus) == ((f"{folder}/card3",), "platform")
        assert (found.nodes, found.bus, found.sysfs) == ((f"{folder}/renderD130",), "unknown", "")
        assert "ENOTTY: this is no DRM node" in str(found.problem)
        ran = drmbench("devices")
        assert (ran.status, "renderD130" in ran.out) == (0, True)

    def test_one_that_udev_lists_and_that_is_gone_is_a_problem(self, udev: list[Any], drmbench: Any) -> None:
        udev.append(self.node("card204", self.parent("gone", "platform")))
        document = drmbench("devices", "--json").json
        assert [d["problem"].split(": ")[:3] for d in document["devices"]] == [["/dev/dri/card204", "open", "ENOENT"]]
        ran = drmbench("fault-latency")
        assert (ran.status, ran.err.count("\n"), "ENOENT" in ran.err) == (1, 1, True)

    def test_without_a_folder_of_nodes(self, udev: list[Any], folder: Path) -> None:
        folder.rmdir()
        assert (udev, list_devices()) == ([], [])

    @pytest.mark.parametrize("lie", ["\x1b]0;pwned\x07", "\n", "\x9b2J", "x" * 5000, "../../..", "\udcff", ""])
    def test_a_sysfs_that_lies_is_shown_harmlessly(self, udev: list[Any], drmbench: Any, lie: str) -> None:
        parent = self.parent(f"pci{lie}", "pci", {"vendor": lie, "device": f"0x{lie}"})
        udev += [self.node("card205", parent, f"/dev/dri/card205{lie}"), self.node("renderD205", parent)]
        for arguments in (("devices",), ("devices", "--json"), ("fault-latency", "--device", "pci:vendor=8086")):
            ran = drmbench(*arguments)
            assert ran.status == (77 if "fault-latency" in arguments else 0), ran.err
            assert not [c for c in ran.out + ran.err if not c.isprintable() and c != "\n"]

    def test_a_driver_whose_name_would_drive_the_terminal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        texts = [device_module.ffi.new("char[]", text) for text in (b"\x1b]0;pwned\x07vkms\n", b"\xff\x9b2J", b"")]
        version = device_module.ffi.new("drmVersionPtr")
        version.name, version.desc, version.date = texts
        library = types.SimpleNamespace(drmGetVersion=lambda _fd: version, drmFreeVersion=lambda _version: None)
        monkeypatch.setattr(device_module, "lib", library)
        found = device_module.driver_version(-1, "/dev/dri/card0")
        assert "vkms" in found.name
        assert (found.name + found.description).isprintable()

    def test_without_libudev_the_package_is_named(self, monkeypatch: pytest.MonkeyPatch, drmbench: Any) -> None:
        def missing() -> None:
            raise ImportError("No library named udev")

        monkeypatch.setattr("pyudev.Context", missing)
        ran = drmbench("devices")
        assert ran.status == 1
        assert "install libudev1" in ran.err

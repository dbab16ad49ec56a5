# SPDX-License-Identifier: MIT
"""Kernels and devices by name, and the errors that offer the nearest right name."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from drmbench.errors import DrmbenchError, UnsupportedError, UsageError
from drmbench.vm import image
from drmbench.vm.cache import CachedKernel, kernel_folder
from drmbench.vm.devices import DEVICES, find_devices, kernel_options, qemu_options
from drmbench.vm.kernels import KERNELS, find_recipe

if TYPE_CHECKING:
    from pathlib import Path


def bzimage(release: str) -> bytes:
    """The head of an x86 bzImage that says it is `release`."""
    head = bytearray(0x400)
    head[0x202:0x206] = b"HdrS"
    head[0x20E:0x210] = struct.pack("<H", 0x100)
    text = f"{release} (builder@host) #1 SMP\0".encode()
    head[0x300:0x300 + len(text)] = text
    return bytes(head)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def complete(folder: Path, name: str = "debian-6.1") -> CachedKernel:
    kernel = CachedKernel(name, "6.1.0-1-amd64", "6.1.1-1", "boot/vmlinuz-6.1.0-1-amd64", "usr/src/h",
                          {"linux-image": "6.1.1-1"}, "gcc-12", ("libc6",))
    (folder / "boot").mkdir(parents=True)
    (folder / kernel.image).write_bytes(bzimage(kernel.release))
    kernel.modules_dep(folder).parent.mkdir(parents=True)
    kernel.modules_dep(folder).write_text("extra/vkms.ko: kernel/drm.ko\nkernel/a/virtio-gpu.ko.xz:\n")
    kernel.write(folder)
    return kernel


def test_default_devices_are_vkms_and_vgem() -> None:
    assert [device.name for device in find_devices(())] == ["vkms", "vgem"]


def test_devices_keep_their_order_and_come_once() -> None:
    assert [device.name for device in find_devices(("qxl", "vkms", "qxl"))] == ["qxl", "vkms"]


def test_an_unknown_device_is_a_usage_error_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="did you mean vkms"):
        find_devices(("vkm",))


def test_a_name_like_no_other_lists_them_all() -> None:
    with pytest.raises(UsageError, match="known are vkms, vgem, bochs"):
        find_devices(("zzzzzz",))


def test_every_device_row_can_be_found_in_sysfs_and_loaded() -> None:
    for row in DEVICES:
        assert row.modules
        assert row.sysfs
        assert len(row.qemu) % 2 == 0
    assert len({row.name for row in DEVICES}) == len(DEVICES)


def test_hardware_and_kernel_options_of_the_chosen_devices() -> None:
    devices = find_devices(("vkms", "radeon"))
    assert qemu_options(devices) == ["-device", "ati-vga,model=rv100,vgamem_mb=64"]
    assert "drm_kms_helper.fbdev_emulation=0" in kernel_options(devices)


def test_kernel_rows_have_distinct_names() -> None:
    assert len({row.name for row in KERNELS}) == len(KERNELS)
    assert all(find_recipe(row.name) is row for row in KERNELS)
    assert find_recipe("debian-0.1") is None


def test_an_unknown_kernel_offers_the_nearest_name() -> None:
    with pytest.raises(UsageError, match=r"did you mean .*debian-6\.1 "):
        image.resolve("debian-6.2")


def test_a_recipe_that_is_not_fetched_resolves_to_none() -> None:
    assert image.resolve("debian-6.1") is None


def test_a_fetched_kernel_carries_its_full_version() -> None:
    complete(kernel_folder("debian-6.1"))
    kernel = image.resolve("debian-6.1")
    assert kernel is not None
    assert kernel.label == "debian-6.1 6.1.0-1-amd64 (6.1.1-1)"
    assert image.has_module(kernel, "vkms")
    assert image.has_module(kernel, "virtio_gpu")
    assert image.has_module(kernel, "nothere|vkms")
    assert not image.has_module(kernel, "vgem")


@pytest.mark.parametrize("damage", ["no record", "torn record", "no image", "no modules.dep", "old schema"])
def test_a_half_written_entry_is_not_taken(damage: str) -> None:
    folder = kernel_folder("debian-6.1")
    kernel = complete(folder)
    record = folder / "kernel.json"
    if damage == "no record":
        record.unlink()
    elif damage == "torn record":
        record.write_text(record.read_text()[:-20])
    elif damage == "no image":
        (folder / kernel.image).unlink()
    elif damage == "no modules.dep":
        kernel.modules_dep(folder).unlink()
    else:
        record.write_text(record.read_text().replace('"schema_version": 2', '"schema_version": 0'))
    assert CachedKernel.read(folder) is None


def test_a_record_reads_back_as_it_was_written(tmp_path: Path) -> None:
    assert complete(tmp_path / "entry") == CachedKernel.read(tmp_path / "entry")


def test_a_kernel_by_path_says_its_release(tmp_path: Path) -> None:
    path = tmp_path / "bzImage"
    path.write_bytes(bzimage("6.9.0-mine"))
    kernel = image.resolve(str(path))
    assert kernel is not None
    assert kernel.label == "bzImage 6.9.0-mine"
    assert kernel.boot == path


def test_a_build_tree_needs_an_image_and_a_config(tmp_path: Path) -> None:
    tree = tmp_path / "linux"
    (tree / "arch/x86/boot").mkdir(parents=True)
    with pytest.raises(UsageError, match="no kernel image in this directory"):
        image.resolve(str(tree))
    (tree / "arch/x86/boot/bzImage").write_bytes(bzimage("6.9.0"))
    with pytest.raises(UsageError, match=r"no \.config"):
        image.resolve(str(tree))
    (tree / ".config").touch()
    kernel = image.resolve(str(tree))
    assert kernel is not None
    assert kernel.image == tree
    assert kernel.boot == tree / "arch/x86/boot/bzImage"


def test_an_image_inside_a_build_tree_means_the_tree(tmp_path: Path) -> None:
    path = tmp_path / "linux/arch/x86/boot/bzImage"
    path.parent.mkdir(parents=True)
    path.write_bytes(bzimage("6.9.0"))
    (tmp_path / "linux/.config").touch()
    kernel = image.resolve(str(path))
    assert kernel is not None
    assert kernel.image == tmp_path / "linux"


def test_an_image_finds_the_modules_that_were_installed_beside_it(tmp_path: Path) -> None:
    complete(tmp_path / "root")
    kernel = image.resolve(str(tmp_path / "root/boot/vmlinuz-6.1.0-1-amd64"))
    assert kernel is not None
    assert kernel.tree == tmp_path / "root"
    assert not image.has_module(kernel, "vgem")


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n", b"\0" * 4096])
def test_a_file_that_is_no_kernel_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "vmlinuz"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="no bzImage"):
        image.resolve(str(path))


def test_a_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DrmbenchError, match="ENOENT"):
        image.resolve(str(tmp_path / "nothing"))


def test_host_without_an_image_is_unsupported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "host_image", lambda: None)
    with pytest.raises(UnsupportedError, match="no image of"):
        image.resolve("host")

# SPDX-License-Identifier: MIT
"""Where explain's evidence comes from: smaps, /sys/module, and the fault map of a pass."""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING

import numpy as np
import pytest

from drmbench import native
from drmbench.helper_modules import linked_helpers
from drmbench.stats import MAP_GROUPS, by_page, fault_map
from drmbench.vma import FLAG_WORDS, vm_flags, vma_info, vmas

if TYPE_CHECKING:
    from pathlib import Path

    from drmbench.model import FaultGroup

PAGE = mmap.PAGESIZE


class TestVma:
    def test_a_mapped_file_shows_its_range_offset_and_name(self, tmp_path: Path) -> None:
        path = tmp_path / "a name with \x1b[31m"
        path.write_bytes(bytes(4 * PAGE))
        fd = os.open(path, os.O_RDWR)
        address, _stage = native.timed_mmap(0, 2 * PAGE, mmap.PROT_READ, mmap.MAP_SHARED, fd, PAGE)
        os.close(fd)
        try:
            found = vma_info(address)
        finally:
            native.timed_munmap(address, 2 * PAGE)
        assert found is not None
        assert (found.start, found.end) == (address, address + 2 * PAGE)
        assert (found.permissions, found.offset_bytes) == ("r--s", PAGE)
        assert found.backing.startswith(str(tmp_path / "a name with"))
        assert found.backing.isprintable()
        assert (found.kernel_page_bytes, found.pmd_mapped_bytes) == (PAGE, 0)
        assert "sh" in found.vm_flags

    def test_nothing_is_mapped_at_zero(self) -> None:
        assert vma_info(0) is None
        assert vm_flags(0) == []

    def test_every_process_has_a_pfn_mapping(self) -> None:
        (vvar,) = [vma for vma in vmas() if vma.path == "[vvar]"]
        assert {"pf", "io", "de", "dd"} <= set(vm_flags(vvar.first))

    def test_the_flags_of_this_process_are_all_known_in_words(self) -> None:
        assert {flag for vma in vmas() for flag in vm_flags(vma.first)} <= set(FLAG_WORDS)


class TestHelperModules:
    @pytest.fixture
    def modules(self, tmp_path: Path) -> Path:
        """The driver bochs links to drm_vram_helper and so to ttm, vkms to drm_shmem_helper; snd is built in."""
        folder = tmp_path / "module"
        uses = {"bochs": ["drm_vram_helper"], "drm_vram_helper": ["drm_ttm_helper"], "drm_ttm_helper": ["ttm"],
                "vkms": ["drm_shmem_helper"], "ttm": [], "drm_shmem_helper": [], "loop": ["loop"]}
        for name in uses:
            (folder / name / "holders").mkdir(parents=True)
            (folder / name / "initstate").write_text("live\n")
        for name, used in uses.items():
            for other in used:
                (folder / other / "holders" / name).symlink_to(folder / name)
        (folder / "snd").mkdir()
        return folder

    def test_through_other_modules(self, modules: Path, tmp_path: Path) -> None:
        found = linked_helpers("/dev/null", "bochs", modules=modules, devices=tmp_path)
        assert found is not None
        assert found.linked == ["drm_vram_helper", "drm_ttm_helper", "ttm"]
        assert found.loaded == ["drm_shmem_helper", "drm_vram_helper", "drm_ttm_helper", "ttm"]

    def test_by_the_device_where_the_driver_has_another_name(self, modules: Path, tmp_path: Path) -> None:
        number = os.stat("/dev/null").st_rdev
        device = tmp_path / f"{os.major(number)}:{os.minor(number)}" / "device/driver"
        device.mkdir(parents=True)
        (device / "module").symlink_to(modules / "bochs")
        found = linked_helpers("/dev/null", "bochs-drm", modules=modules, devices=tmp_path)
        assert found is not None
        assert found.module == "bochs"

    def test_one_that_links_to_itself(self, modules: Path, tmp_path: Path) -> None:
        found = linked_helpers("/dev/null", "loop", modules=modules, devices=tmp_path)
        assert found is not None
        assert found.linked == []

    @pytest.mark.parametrize("driver", ["snd", "unknown", "../module/vkms", ""])
    def test_what_is_built_in_or_unknown_is_no_answer(self, modules: Path, tmp_path: Path, driver: str) -> None:
        assert linked_helpers("/dev/null", driver, modules=modules, devices=tmp_path) is None
        assert linked_helpers("/nonexistent", driver, modules=modules, devices=tmp_path) is None

    def test_a_sysfs_that_is_not_there(self, tmp_path: Path) -> None:
        assert linked_helpers("/dev/null", "vkms", modules=tmp_path / "none", devices=tmp_path) is None


def expanded(groups: list[FaultGroup]) -> list[int]:
    """The faults of each page that the map stands for."""
    return [run.faults for group in groups for _time in range(group.times) for run in group.runs
            for _page in range(run.pages)]


class TestFaultMap:
    @pytest.mark.parametrize(("faults", "groups"), [
        ([1] * 1024, 1), (([1] + [0] * 15) * 64, 1), ([0] * 7, 1), ([2], 1), ([], 0),
        (([1] + [0] * 15) * 3 + [1, 0, 0], 3), ([3, 1, 1, 1, 0, 0], 3), (([2, 0, 1, 0] * 100), 1),
    ])
    def test_it_stands_for_every_page(self, faults: list[int], groups: int) -> None:
        found = fault_map(np.array(faults, dtype=np.uint8))
        assert expanded(found) == faults
        assert len(found) == groups

    def test_a_long_pattern_is_cut_and_not_wrong(self) -> None:
        faults = np.random.default_rng(1).integers(0, 9, 10_000).astype(np.uint8)
        found = fault_map(faults)
        assert len(found) == MAP_GROUPS
        kept = expanded(found)
        assert kept == faults[:len(kept)].tolist()

    def test_touches_in_another_order_are_put_where_their_page_is(self) -> None:
        faults, order = np.array([5, 6, 7], dtype=np.uint8), np.array([2, 0, 1], dtype=np.uint32)
        assert by_page(faults, order).tolist() == [6, 7, 5]

    def test_many_pages_take_little_time(self) -> None:
        ttm = np.zeros(1 << 20, dtype=np.uint8)
        ttm[::16] = 1
        assert len(fault_map(ttm)) == 1

# SPDX-License-Identifier: MIT
"""The modules that the lab builds: where their sources are, when they are outdated, what a failure leaves."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from drmbench.errors import DrmbenchError
from drmbench.vm import kmod
from drmbench.vm.devices import DEVICES, find_devices, kernel_options, qemu_options, rom_path, simulations
from drmbench.vm.roms import ROMS

RELEASE = "6.1.0-1-amd64"
SOURCES = Path(__file__).parents[2] / "csrc/kmod"


def own_files() -> list[Path]:
    return sorted(path for path in SOURCES.rglob("*") if path.is_file() and path.name != "COPYING")


class TestTable:
    def test_every_device_that_we_build_has_its_modules_in_a_set(self) -> None:
        built = {module for row in kmod.MODULE_SETS for module in row.modules}
        for device in DEVICES:
            if device.built:
                assert set(device.modules) <= built

    def test_names_are_unique(self) -> None:
        names = [row.name for row in kmod.MODULE_SETS]
        modules = [module for row in kmod.MODULE_SETS for module in row.modules]
        assert len(set(names)) == len(names)
        assert len(set(modules)) == len(modules)

    def test_own_folders_are_there_and_all_used(self) -> None:
        folders = {path.name for path in SOURCES.iterdir() if path.is_dir()}
        assert {row.own for row in kmod.MODULE_SETS if row.own} == folders

    @pytest.mark.parametrize("row", kmod.MODULE_SETS, ids=lambda row: row.name)
    def test_kbuild_names_the_modules(self, row: kmod.ModuleSet) -> None:
        if row.own:
            text = (SOURCES / row.own / "Kbuild").read_text()
            assert set(re.findall(r"(\w+)\.o", " ".join(re.findall(r"obj-m .*", text)))) == {
                module for same in kmod.MODULE_SETS if same.own == row.own for module in same.modules
            }


class TestDevices:
    def test_roms_exist(self) -> None:
        assert {device.rom for device in DEVICES if device.rom} == set(ROMS)

    def test_the_rom_is_a_file_of_the_machine(self, tmp_path: Path) -> None:
        options = qemu_options(find_devices(("etnaviv",)), tmp_path)
        assert options == ["-device", f"pci-testdev,romfile={rom_path('gc2000', tmp_path)}"]

    def test_all_means_every_device(self) -> None:
        assert find_devices(("all",)) == DEVICES
        assert find_devices(("vgem", "all")) == DEVICES

    def test_both_panels_are_put_on_one_bus(self) -> None:
        options = kernel_options(find_devices(("mi0283qt", "ili9341")))
        assert {"drmbench_spi.mi0283qt=1", "drmbench_spi.ili9341=1"} <= set(options)

    def test_the_guest_learns_what_is_simulated(self) -> None:
        told = simulations(DEVICES)
        pairs = dict(pair.split("=") for pair in told.split(","))
        assert set(pairs) == {"etnaviv", "mi0283qt", "ili9341", "amdgpu", "xe", "i915"}
        assert pairs["etnaviv"] == "registers are a ROM"
        assert simulations(find_devices(())) == ""

    def test_real_drivers_of_virtual_devices_are_not_simulated(self) -> None:
        simulated = {device.name for device in DEVICES if device.simulated}
        assert not simulated & {"vkms", "vgem", "bochs", "cirrus", "qxl", "virtio-gpu", "radeon"}


class TestSources:
    def test_the_checkout_comes_first(self) -> None:
        assert kmod.source_folder() == SOURCES

    def test_else_the_installed_copy(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        package = tmp_path / "site-packages/drmbench"
        (package / "vm").mkdir(parents=True)
        shutil.copytree(SOURCES, package / "kmod")
        monkeypatch.setattr(kmod, "__file__", str(package / "vm/kmod.py"))
        monkeypatch.setattr("importlib.resources.files", lambda _name: package)
        assert kmod.source_folder() == package / "kmod"
        shutil.rmtree(package / "kmod")
        with pytest.raises(DrmbenchError, match="lacks their sources"):
            kmod.source_folder()

    @pytest.mark.parametrize("path", own_files(), ids=lambda path: str(path.relative_to(SOURCES)))
    def test_every_file_is_gpl_and_of_a_size_one_can_read(self, path: Path) -> None:
        lines = path.read_text().splitlines()
        assert "SPDX-License-Identifier: GPL-2.0-only" in lines[0]
        assert len(lines) < 500
        assert all(len(line.expandtabs(8)) <= 100 for line in lines)
        assert not any(line != line.rstrip() for line in lines)

    def test_a_wheel_gets_them(self) -> None:
        cmake = (SOURCES.parent / "CMakeLists.txt").read_text()
        assert "install(DIRECTORY kmod DESTINATION drmbench)" in cmake


class TestDigest:
    def test_it_changes_with_content_and_name(self, tmp_path: Path) -> None:
        (tmp_path / "spi").mkdir()
        file = tmp_path / "spi/a.c"
        file.write_text("one")
        first = kmod.digest(tmp_path)
        assert first == kmod.digest(tmp_path)
        file.write_text("two")
        second = kmod.digest(tmp_path)
        file.rename(tmp_path / "spi/b.c")
        assert len({first, second, kmod.digest(tmp_path)}) == 3

    def test_it_changes_with_the_table(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        first = kmod.digest(tmp_path)
        monkeypatch.setattr(kmod, "MODULE_SETS", kmod.MODULE_SETS[:-1])
        assert kmod.digest(tmp_path) != first

    def test_bytes_do_not_move_between_files(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_text("xy")
        (tmp_path / "b").write_text("z")
        first = kmod.digest(tmp_path)
        (tmp_path / "a").write_text("x")
        (tmp_path / "b").write_text("yz")
        assert kmod.digest(tmp_path) != first


@pytest.fixture
def entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache entry with kept sources and nothing built."""
    tree = tmp_path / "linux"
    for path in kmod.upstream_paths():
        if path.endswith("drm_fbdev_dma.c"):
            continue  # not in every kernel
        target = tree / path if path.endswith(".c") else tree / path / "Makefile"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("upstream")
    root = tmp_path / "entry"
    (root / "lib/modules" / RELEASE / "extra").mkdir(parents=True)
    (root / "lib/modules" / RELEASE / "extra/stale.ko").touch()
    kmod.keep_sources(tree, root)
    monkeypatch.setattr(kmod, "run_depmod", lambda *_arguments: None)
    return root


def fake_build(failing: str = "") -> kmod.Builder:
    """A builder that makes every module of a set, but fails for the set `failing`."""

    def build(_headers: Path, source: Path, _variables: tuple[str, ...]) -> list[Path]:
        if source.name == failing:
            raise DrmbenchError("vm", f"make {failing}", reason="error: no such thing")
        row = next(row for row in kmod.MODULE_SETS if row.name == source.name)
        files = [source / f"{module}.ko" for module in row.modules]
        for file in files:
            file.write_text("module")
        return files

    return build


class TestBuild:
    def test_sources_are_kept_until_the_table_wants_more(self, entry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert kmod.has_sources(entry)
        more = kmod.ModuleSet("pl111", ("pl111_drm",), ("drivers/gpu/drm/pl111",))
        monkeypatch.setattr(kmod, "MODULE_SETS", (*kmod.MODULE_SETS, more))
        assert not kmod.has_sources(entry)

    def test_an_entry_that_does_not_say_what_it_keeps_keeps_nothing(self, tmp_path: Path) -> None:
        assert not kmod.has_sources(tmp_path)

    def test_all_modules_and_nothing_else_are_there(self, entry: Path) -> None:
        record = kmod.build_all(entry, RELEASE, Path("headers"), fake_build())
        there = {path.stem for path in (entry / "lib/modules" / RELEASE / "extra").iterdir()}
        assert there == set(record.built) == {module for row in kmod.MODULE_SETS for module in row.modules}
        assert kmod.BuiltModules.read(entry) == record
        assert kmod.is_current(entry)
        assert not list(entry.glob(".modules-*"))

    def test_one_failure_leaves_the_others(self, entry: Path) -> None:
        record = kmod.build_all(entry, RELEASE, Path("headers"), fake_build("panel"))
        assert record.failed == {"panel": "error: no such thing"}
        assert "etnaviv" in record.built
        assert "mi0283qt" not in record.built
        assert record.why_not("mi0283qt") == record.why_not("zzz|ili9341") == "error: no such thing"
        assert record.why_not("etnaviv") == record.why_not("qxl") == ""
        assert kmod.is_current(entry)

    def test_what_is_unchanged_is_not_built_again(self, entry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        first = kmod.build_all(entry, RELEASE, Path("headers"), fake_build())
        vkms, *others = kmod.MODULE_SETS
        monkeypatch.setattr(kmod, "MODULE_SETS", (replace(vkms, variables=("A=b",)), *others))
        asked: list[str] = []

        def builder(headers: Path, source: Path, variables: tuple[str, ...]) -> list[Path]:
            asked.append(source.name)
            return fake_build()(headers, source, variables)

        assert set(kmod.build_all(entry, RELEASE, Path("headers"), builder).built) == set(first.built)
        assert asked == ["vkms"]

    def test_old_builds_do_not_pile_up(self, entry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        vkms, *others = kmod.MODULE_SETS
        for number in range(9):
            monkeypatch.setattr(kmod, "MODULE_SETS", (replace(vkms, variables=(f"A={number}",)), *others))
            kmod.build_all(entry, RELEASE, Path("headers"), fake_build())
        assert len(list((entry / "usr/src").rglob("vkms-*"))) == 4

    def test_a_build_that_is_cut_short_leaves_no_record(self, entry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        kmod.build_all(entry, RELEASE, Path("headers"), fake_build())
        changed = tuple(replace(row, variables=("A=b",)) for row in kmod.MODULE_SETS)
        monkeypatch.setattr(kmod, "MODULE_SETS", changed)

        def interrupted(_headers: Path, _source: Path, _variables: tuple[str, ...]) -> list[Path]:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            kmod.build_all(entry, RELEASE, Path("headers"), interrupted)
        assert not kmod.is_current(entry)
        assert not list(entry.glob(".modules-*"))

    def test_ours_lie_over_the_kernels(self, entry: Path, tmp_path: Path) -> None:
        row = next(row for row in kmod.MODULE_SETS if row.name == "panel")
        folder = kmod.prepare(row, entry / "usr/src/drmbench", SOURCES, tmp_path)
        assert (folder / "mi0283qt.c").read_text() == "upstream"
        assert (folder / "Kbuild").read_text() == (SOURCES / "panel/Kbuild").read_text()
        assert not (folder / "drm_fbdev_dma.c").exists()

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"digest": 1}', '{"digest": "x", "built": 3, "failed": {}}'])
    def test_a_broken_record_is_none(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "modules.json").write_text(text)
        assert kmod.BuiltModules.read(tmp_path) is None

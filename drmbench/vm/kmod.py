# SPDX-License-Identifier: MIT
"""The modules that the lab builds for a kernel: drivers that Debian leaves out, and our own in csrc/kmod."""

from __future__ import annotations

import hashlib
import importlib.resources
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from drmbench.errors import DrmbenchError
from drmbench.vm.kbuild import build_modules
from drmbench.vm.unpack import run_depmod

_DRM = "drivers/gpu/drm"
_RECORD = "modules.json"
# Where a cache entry keeps what it needs of linux-source, so that a change of ours downloads nothing.
_KEPT = "usr/src/drmbench"
_SOUGHT = "sought"
_BUILDS = "usr/src/drmbench-builds"
_BUILDS_LEFT = 4

# Builds the modules in a folder against headers, with make variables: kbuild.build_modules or a stand-in for it.
Builder = Callable[[Path, Path, tuple[str, ...]], list[Path]]


@dataclass(frozen=True, slots=True)
class ModuleSet:
    """Modules that are built by one make, as a row of MODULE_SETS.

    modules    names of the .ko files; fewer come out where the kernel itself has some of them
    upstream   files and folders of linux-source that make up the build folder; a missing one is left out
    own        folder of csrc/kmod that is laid over them, or ""
    variables  for make
    """

    name: str
    modules: tuple[str, ...]
    upstream: tuple[str, ...] = ()
    own: str = ""
    variables: tuple[str, ...] = ()


MODULE_SETS = (
    ModuleSet("vkms", ("vkms",), (f"{_DRM}/vkms",), variables=("CONFIG_DRM_VKMS=m",)),
    ModuleSet("etnaviv", ("etnaviv",), (f"{_DRM}/etnaviv",), variables=("CONFIG_DRM_ETNAVIV=m",)),
    ModuleSet("vivante", ("drmbench_vivante",), own="vivante"),
    ModuleSet("panel", ("mi0283qt", "ili9341", "drm_mipi_dbi", "drm_dma_helper"),
              (f"{_DRM}/drm_gem_dma_helper.c", f"{_DRM}/drm_fb_dma_helper.c", f"{_DRM}/drm_fbdev_dma.c",
               f"{_DRM}/drm_gem_cma_helper.c", f"{_DRM}/drm_fb_cma_helper.c",
               f"{_DRM}/drm_mipi_dbi.c", f"{_DRM}/tiny/mi0283qt.c", f"{_DRM}/tiny/ili9341.c"), own="panel"),
    ModuleSet("spi", ("drmbench_spi",), own="spi"),
    ModuleSet("doubles", ("drmbench_ttm", "drmbench_amdgpu", "drmbench_xe"), own="doubles",
              variables=("DRMBENCH_DOUBLES=ttm",)),
    ModuleSet("i915", ("drmbench_i915",), own="doubles", variables=("DRMBENCH_DOUBLES=i915",)),
)


@dataclass(frozen=True, slots=True)
class BuiltModules:
    """What modules.json in a cache entry records about them.

    digest   of the sources and the table that they were built from, see digest()
    built    their names
    failed   name of a module set -> why it could not be built for this kernel
    """

    digest: str
    built: tuple[str, ...]
    failed: dict[str, str]

    @classmethod
    def read(cls, entry: Path) -> Self | None:
        """The record in the cache entry `entry`, or None where there is none."""
        try:
            record = json.loads((entry / _RECORD).read_text(encoding="utf-8"))
            return cls(str(record["digest"]), tuple(record["built"]), dict(record["failed"]))
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def write(self, entry: Path) -> None:
        """Record that the modules in `entry` are complete."""
        (entry / _RECORD).write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    def why_not(self, module: str) -> str:
        """Why `module` could not be built, or ""."""
        names = set(module.split("|"))
        return next((self.failed[row.name] for row in MODULE_SETS
                     if row.name in self.failed and names & set(row.modules)), "")


def source_folder() -> Path:
    """csrc/kmod of the checkout that this file is in, else the copy in the installed package."""
    checkout = Path(__file__).parents[2] / "csrc/kmod"
    if checkout.is_dir():
        return checkout
    installed = Path(str(importlib.resources.files("drmbench"))) / "kmod"
    if not installed.is_dir():
        raise DrmbenchError("vm", "kernel modules", errno=2, reason="this installation lacks their sources",
                            remedy="install drmbench from its wheel or from a checkout")
    return installed


def digest(sources: Path) -> str:
    """SHA-256 of every file below `sources` with its name, and of MODULE_SETS."""
    return hashlib.sha256(f"{MODULE_SETS!r}{_content_digest(sources)}".encode()).hexdigest()


def _content_digest(sources: Path) -> str:
    state = hashlib.sha256()
    for path in sorted(path for path in sources.rglob("*") if path.is_file()):
        content = path.read_bytes()
        state.update(f"{path.relative_to(sources)}\0{len(content)}\0".encode())
        state.update(content)
    return state.hexdigest()


def upstream_paths() -> list[str]:
    """All that the module sets need of linux-source."""
    return [path for row in MODULE_SETS for path in row.upstream]


def is_current(entry: Path) -> bool:
    """Whether the modules in the cache entry `entry` were built from what we have now."""
    record = BuiltModules.read(entry)
    return record is not None and record.digest == digest(source_folder())


def keep_sources(tree: Path, entry: Path) -> None:
    """Move what the module sets need from the unpacked linux-source `tree` into `entry`."""
    kept = entry / _KEPT
    for path in upstream_paths():
        if (tree / path).exists():
            (kept / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(tree / path, kept / path)
    (kept / _SOUGHT).write_text("\n".join(upstream_paths()) + "\n", encoding="utf-8")


def has_sources(entry: Path) -> bool:
    """Whether `entry` keeps all that is there of upstream_paths() in its linux-source.

    Kernels differ in their files, so what counts is what was looked for when the entry was made: a table that
    grew since needs another download.
    """
    try:
        sought = (entry / _KEPT / _SOUGHT).read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    return set(upstream_paths()) <= set(sought)


def build_all(entry: Path, release: str, headers: Path, build: Builder = build_modules) -> BuiltModules:
    """Build every module set for the kernel in `entry`, put the modules in their place and run depmod.

    What cannot be built is recorded and no error: the other devices work without it. What was built from the
    same sources before is taken from the entry, so that two versions of drmbench can share it.
    """
    sources = source_folder()
    target = entry / "lib/modules" / release / "extra"
    built: list[str] = []
    failed: dict[str, str] = {}
    (entry / _RECORD).unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix=".modules-", dir=entry) as text:
        scratch = Path(text)
        fresh = scratch / "extra"
        fresh.mkdir()
        for row in MODULE_SETS:
            store = entry / _BUILDS / f"{row.name}-{_set_digest(row, sources)}"
            if not store.is_dir():
                try:
                    files = build(headers, prepare(row, entry / _KEPT, sources, scratch), row.variables)
                except DrmbenchError as error:
                    failed[row.name] = error.reason
                    continue
                _store(files, store, scratch)
            for file in store.iterdir():
                shutil.copy2(file, fresh)
                built.append(file.stem)
        if target.exists():
            target.rename(scratch / "old")
        fresh.rename(target)
    run_depmod(entry, release)
    record = BuiltModules(digest(sources), tuple(built), failed)
    record.write(entry)
    return record


def _set_digest(row: ModuleSet, sources: Path) -> str:
    """What the modules of `row` are built from, but for the kernel's own files, which never change in an entry."""
    own = _content_digest(sources / row.own) if row.own else ""
    return hashlib.sha256(f"{row!r}{own}".encode()).hexdigest()[:16]


def _store(files: list[Path], store: Path, scratch: Path) -> None:
    """Keep built modules as the folder `store`, and the few latest builds of their set beside it."""
    fresh = scratch / store.name
    fresh.mkdir()
    for file in files:
        shutil.copy2(file, fresh)
    store.parent.mkdir(parents=True, exist_ok=True)
    fresh.rename(store)
    older = sorted(store.parent.glob(f"{store.name.rpartition('-')[0]}-*"), key=lambda path: path.stat().st_mtime)
    for folder in older[:-_BUILDS_LEFT]:
        shutil.rmtree(folder, ignore_errors=True)


def prepare(row: ModuleSet, kept: Path, sources: Path, scratch: Path) -> Path:
    """A build folder for `row` in `scratch`: what there is of the kernel's own files, then ours."""
    folder = scratch / row.name
    folder.mkdir()
    for path in row.upstream:
        origin = kept / path
        if origin.is_dir():
            shutil.copytree(origin, folder, dirs_exist_ok=True)
        elif origin.is_file():
            shutil.copy2(origin, folder)
    if row.own:
        shutil.copytree(sources / row.own, folder, dirs_exist_ok=True)
    return folder

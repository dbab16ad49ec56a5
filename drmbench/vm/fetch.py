# SPDX-License-Identifier: MIT
"""`vm fetch`: from a row of KERNELS to a complete cache entry, or to none at all."""

from __future__ import annotations

import functools
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from drmbench.errors import DrmbenchError
from drmbench.vm import kmod
from drmbench.vm.apt import Apt
from drmbench.vm.buildroot import host_tools, suite_tools
from drmbench.vm.cache import (
    CachedKernel,
    cache_root,
    directory_bytes,
    forget_failure,
    kernel_folder,
    locked,
    make_directory,
    record_failure,
)
from drmbench.vm.image import BootKernel, has_module, resolve
from drmbench.vm.kbuild import build_modules, relocate_headers
from drmbench.vm.kernels import HOST_KERNEL, LabKernel, find_recipe, kernel_names
from drmbench.vm.modules import keep_needed
from drmbench.vm.names import nearest
from drmbench.vm.packages import choose_packages
from drmbench.vm.programs import require
from drmbench.vm.progress import Progress, megabytes
from drmbench.vm.unpack import arrange, decompress_kernel, prune_headers, run_depmod, unpack, unpack_source

if TYPE_CHECKING:
    from collections.abc import Callable


def fetch(name: str, *, again: bool = False) -> str:
    """Bring the kernel called `name` into the cache, unless it is there; returns one line about it.

    Raises UsageError for an unknown name, UnsupportedError where this system has no Debian archive,
    DrmbenchError where a program is missing, the mirror fails or the disk is full.
    """
    _check_name(name)
    recipe = find_recipe(name)
    if recipe is None:
        return _host_line(resolve(name))
    with Progress() as progress:
        waiting = f"another drmbench is fetching {name}; waiting for it"
        with locked(name, lambda: progress.step(waiting)):
            folder = kernel_folder(name)
            cached = None if again else CachedKernel.read(folder)
            if cached is None or not kmod.has_sources(folder):
                cached = _fetch(recipe, folder, progress)
            elif not kmod.is_current(folder) or _built_nothing(folder):
                _build(recipe, cached, folder, progress)
    size = megabytes(directory_bytes(folder))
    return f"{name}: {cached.release} ({cached.version}), {size} in {folder}"


def fetch_each(names: tuple[str, ...], *, again: bool, say: Callable[[str], object]) -> None:
    """Fetch several kernels and `say` a line about each; one that fails does not keep the others from coming.

    Raises UsageError for an unknown name before anything is fetched, and DrmbenchError at the end for what failed.
    """
    wanted = tuple(dict.fromkeys(names))
    for name in wanted:
        _check_name(name)
    failed: dict[str, DrmbenchError] = {}
    for name in wanted:
        try:
            say(fetch(name, again=again))
        except DrmbenchError as error:
            failed[name] = error
            if len(wanted) > 1:
                print(f"drmbench: {error}", file=sys.stderr)  # noqa: T201 (one line each, as the last one is)
    if failed and len(failed) == len(wanted):
        raise next(iter(failed.values()))
    if failed:
        raise DrmbenchError("vm", f"fetch {', '.join(failed)}", reason=f"{len(failed)} of {len(wanted)} failed",
                            remedy="see the lines above")


def _built_nothing(folder: Path) -> bool:
    """Whether no module at all was built, as where there was no compiler: worth another try."""
    record = kmod.BuiltModules.read(folder)
    return record is not None and not record.built


def _check_name(name: str) -> None:
    if name != HOST_KERNEL and find_recipe(name) is None:
        raise nearest("kernel", name, kernel_names(), "drmbench vm list shows them")


def _host_line(kernel: BootKernel | None) -> str:
    if kernel is None or not has_module(kernel, "vkms"):
        raise DrmbenchError("vm", "kernel host", errno=2, reason="the running kernel has no vkms module",
                            remedy="install it (Fedora: kernel-modules-internal; Ubuntu: linux-modules-extra), or "
                                   "use --device vgem")
    return f"host: {kernel.label}, nothing to fetch"


def _fetch(recipe: LabKernel, folder: Path, progress: Progress) -> CachedKernel:
    require("dpkg-deb", "tar", "xz", "depmod")
    make_directory(folder.parent)
    for leftover in folder.parent.glob(f".{recipe.name}-*"):  # of a fetch that was killed; we hold the lock
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{recipe.name}-", dir=folder.parent,
                                         ignore_cleanup_errors=True) as text:
            cached = _make_entry(recipe, Path(text), progress)
            _replace(Path(text) / "root", folder)
    except OSError as error:
        raise DrmbenchError("vm", f"fetch {recipe.name}", errno=error.errno,
                            remedy="free some space, or set XDG_CACHE_HOME to another disk") from error
    except DrmbenchError as error:
        record_failure(recipe.name, error.reason)
        raise
    forget_failure(recipe.name)
    for spent in (_downloads(recipe), _apt_state(recipe)):
        shutil.rmtree(spent, ignore_errors=True)
    progress.step(f"{recipe.name}: {cached.release} ({cached.version}) is ready")
    return cached


def _downloads(recipe: LabKernel) -> Path:
    return cache_root() / "downloads" / recipe.name


def _apt_state(recipe: LabKernel) -> Path:
    return cache_root() / "apt" / recipe.name


def _make_entry(recipe: LabKernel, scratch: Path, progress: Progress) -> CachedKernel:
    apt = Apt(make_directory(_apt_state(recipe)), recipe)
    progress.step(f"reading the indexes of {', '.join((*recipe.suites, *recipe.security_suites))}")
    for suite in apt.update():
        progress.step(f"the mirror has no suite {suite}: going on without it")
    chosen = choose_packages(recipe, apt)
    total = sum(file.size_bytes for file in apt.downloads(chosen.wanted))
    progress.step(f"downloading {chosen.release} ({chosen.version}): {len(chosen.wanted)} packages, "
                  f"{megabytes(total)}")
    paths = apt.download(chosen.wanted, make_directory(_downloads(recipe)),
                         lambda done: progress.downloading(done, total))
    progress.step("unpacking")
    root = scratch / "root"
    source = next(path for path in paths if path.name.startswith("linux-source-"))
    for path in paths:
        if path != source:
            unpack(path, root)
    image = arrange(root, chosen.release)
    keep_needed(root / "lib/modules" / chosen.release)
    prune_headers(root / "usr/src")
    if not decompress_kernel(root / image):
        progress.step("the kernel stays compressed, so every boot takes longer; apt-get install zstd helps")
    headers = relocate_headers(root, chosen.release)
    kmod.keep_sources(unpack_source(source, scratch / "source", kmod.upstream_paths()), root)
    run_depmod(root, chosen.release)
    cached = CachedKernel(recipe.name, chosen.release, chosen.version, image, str(headers.relative_to(root)),
                          chosen.wanted, chosen.compiler, chosen.libraries)
    _build(recipe, cached, root, progress)
    cached.write(root)
    return cached


def _build(recipe: LabKernel, cached: CachedKernel, root: Path, progress: Progress) -> None:
    """Build the modules of `cached`, which lies in `root`; what fails is recorded there and no error."""
    headers = root / cached.headers
    build = _builder(recipe, cached, headers, progress)
    progress.step(f"building modules: {', '.join(row.name for row in kmod.MODULE_SETS)}")
    record = kmod.build_all(root, cached.release, headers, build)
    for name, reason in record.failed.items():
        progress.step(f"not built: {name}: {reason}")


def _builder(recipe: LabKernel, cached: CachedKernel, headers: Path, progress: Progress) -> kmod.Builder:
    """Make with this system's tools or, where they do not suit the kernel, with those of its own suite."""
    tools = host_tools(headers, cached.compiler)
    try:
        tools = tools or suite_tools(recipe, cached.compiler, cached.libraries, progress)
    except DrmbenchError as error:
        return functools.partial(_cannot_build, error)
    return functools.partial(build_modules, tools=tools)


def _cannot_build(error: DrmbenchError, *_what: object) -> list[Path]:
    raise error


def _replace(built: Path, folder: Path) -> None:
    """Put `built` in the place of `folder`; a reader finds the old entry, the new one, or for an instant none."""
    old = built.with_name("old")
    if folder.exists():
        folder.rename(old)
    built.rename(folder)

# SPDX-License-Identifier: MIT
"""`vm fetch`: from a row of KERNELS to a complete cache entry, or to none at all."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from drmbench.errors import DrmbenchError
from drmbench.vm import kmod
from drmbench.vm.apt import Apt, Package
from drmbench.vm.cache import CachedKernel, cache_root, kernel_folder, locked, make_directory
from drmbench.vm.image import BootKernel, has_module, resolve
from drmbench.vm.kbuild import relocate_headers
from drmbench.vm.kernels import HOST_KERNEL, LabKernel, find_recipe, kernel_names
from drmbench.vm.names import nearest
from drmbench.vm.programs import require
from drmbench.vm.progress import Progress, megabytes
from drmbench.vm.unpack import decompress_kernel, prune, unpack, unpack_source

if TYPE_CHECKING:
    from collections.abc import Iterable


def fetch(name: str, *, again: bool = False) -> str:
    """Bring the kernel called `name` into the cache, unless it is there; returns one line about it.

    Raises UsageError for an unknown name, UnsupportedError where this system has no Debian archive,
    DrmbenchError where a program is missing, the mirror fails or the disk is full.
    """
    if name == HOST_KERNEL:
        return _host_line(resolve(name))
    recipe = find_recipe(name)
    if recipe is None:
        raise nearest("kernel", name, kernel_names(), "drmbench vm list shows them")
    with Progress() as progress:
        waiting = f"another drmbench is fetching {name}; waiting for it"
        with locked(name, lambda: progress.step(waiting)):
            folder = kernel_folder(name)
            cached = None if again else CachedKernel.read(folder)
            if cached is None or not kmod.has_sources(folder):
                cached = _fetch(recipe, folder, progress)
            elif not kmod.is_current(folder):
                _build_modules(folder, cached.release, folder / cached.headers, progress)
    return f"{name}: {cached.release} ({cached.version}) in {folder}"


def _host_line(kernel: BootKernel | None) -> str:
    if kernel is None or not has_module(kernel, "vkms"):
        raise DrmbenchError("vm", "kernel host", errno=2, reason="the running kernel has no vkms module",
                            remedy="install it (Fedora: kernel-modules-internal; Ubuntu: linux-modules-extra), or "
                                   "use --device vgem")
    return f"host: {kernel.label}, nothing to fetch"


def _fetch(recipe: LabKernel, folder: Path, progress: Progress) -> CachedKernel:
    require("dpkg-deb", "tar", "xz", "depmod", "make", "gcc")
    downloads = make_directory(cache_root() / "downloads")
    make_directory(folder.parent)
    for leftover in folder.parent.glob(f".{recipe.name}-*"):  # of a fetch that was killed; we hold the lock
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{recipe.name}-", dir=folder.parent,
                                         ignore_cleanup_errors=True) as text:
            scratch = Path(text)
            cached = _build(recipe, scratch, downloads, progress)
            _replace(scratch / "root", folder)
    except OSError as error:
        raise DrmbenchError("vm", f"fetch {recipe.name}", errno=error.errno,
                            remedy="free some space, or set XDG_CACHE_HOME to another disk") from error
    for spent in (downloads, cache_root() / "apt"):
        shutil.rmtree(spent, ignore_errors=True)
    progress.step(f"{recipe.name}: {cached.release} ({cached.version}) is ready")
    return cached


def _build(recipe: LabKernel, scratch: Path, downloads: Path, progress: Progress) -> CachedKernel:
    apt = Apt(make_directory(cache_root() / "apt" / recipe.name), recipe)
    progress.step(f"reading the indexes of {', '.join((*recipe.suites, *recipe.security_suites))}")
    apt.update()
    abi, version, wanted = choose_packages(recipe, apt)
    release = f"{abi}-{recipe.arch}"
    files = apt.downloads(wanted)
    total = sum(file.size_bytes for file in files)
    progress.step(f"downloading {release} ({version}): {len(files)} packages, {megabytes(total)}")
    paths = apt.download(wanted, downloads, lambda done: progress.downloading(done, total))
    progress.step("unpacking")
    root = scratch / "root"
    source = next(path for path in paths if path.name.startswith("linux-source-"))
    for path in paths:
        if path != source:
            unpack(path, root)
    prune(root / "lib/modules" / release)
    image = f"boot/vmlinuz-{release}"
    decompress_kernel(root / image)
    headers = relocate_headers(root, release)
    kmod.keep_sources(unpack_source(source, scratch / "source", kmod.upstream_paths()), root)
    built = _build_modules(root, release, headers, progress)
    cached = CachedKernel(recipe.name, release, version, image, str(headers.relative_to(root)), wanted, built)
    cached.write(root)
    return cached


def _build_modules(root: Path, release: str, headers: Path, progress: Progress) -> tuple[str, ...]:
    require("make", "gcc", "depmod")
    progress.step(f"building modules: {', '.join(row.name for row in kmod.MODULE_SETS)}")
    record = kmod.build_all(root, release, headers)
    for name, reason in record.failed.items():
        progress.step(f"not built: {name}: {reason}")
    return record.built


def _replace(built: Path, folder: Path) -> None:
    """Put `built` in the place of `folder`; a reader finds the old entry, the new one, or for an instant none."""
    old = built.with_name("old")
    if folder.exists():
        folder.rename(old)
    built.rename(folder)


def choose_packages(recipe: LabKernel, apt: Apt) -> tuple[str, str, dict[str, str]]:
    """ABI, version and package -> version of the newest kernel that is complete: image, headers, kbuild, source."""
    source = f"linux-source-{recipe.series}"
    kbuild = f"linux-kbuild-{recipe.series}"
    images = {package.version: package.name for package in apt.packages(apt.names(recipe.image))}
    for version in _versions(apt.packages([source]), source):
        image = images.get(version)
        found = re.fullmatch(recipe.image, image or "")
        if image is None or found is None:
            continue
        abi = found[1]
        names = [image, f"linux-headers-{abi}-{recipe.arch}", f"linux-headers-{abi}-common", kbuild, source]
        known = {(package.name, package.version) for package in apt.packages(names)}
        if all((name, version) in known for name in names):
            return abi, version, dict.fromkeys(names, version)
    raise DrmbenchError("vm", f"kernel {recipe.name}",
                        reason=f"the mirror has no version with image, headers and {source} together",
                        remedy="the mirror may be half updated: try again later")


def _versions(packages: Iterable[Package], name: str) -> list[str]:
    return [package.version for package in packages if package.name == name]

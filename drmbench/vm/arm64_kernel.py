# SPDX-License-Identifier: MIT
"""Debian's arm64 kernel in the cache, with the one module of ours that Debian's drivers need there."""

from __future__ import annotations

import errno
import functools
import re
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from drmbench.errors import DrmbenchError
from drmbench.vm import kmod
from drmbench.vm.apt import Apt
from drmbench.vm.buildroot import Tools
from drmbench.vm.cache import CachedKernel, cache_root, kernel_folder, locked, make_directory
from drmbench.vm.entry import replacing
from drmbench.vm.image import BootKernel
from drmbench.vm.kbuild import build_modules, relocate_headers
from drmbench.vm.kernels import LabKernel
from drmbench.vm.modules import keep_needed
from drmbench.vm.names import nearest
from drmbench.vm.programs import require
from drmbench.vm.progress import megabytes
from drmbench.vm.unpack import arrange, run_depmod, unpack

if TYPE_CHECKING:
    from drmbench.vm.progress import Progress

COMPILER = "aarch64-linux-gnu-gcc"
ARM64_KERNELS = (
    LabKernel(
        name="debian-6.1",
        arch="arm64",
        suites=("bookworm",),
        security_suites=("bookworm-security",),
        image=r"linux-image-(6\.1\.0-[0-9]+)-arm64",
        source=r"linux-source-(6\.1)",
        tools="bookworm",
    ),
)
# The kernel's build programs run here, so they are of this machine's architecture.
_BUILD_PROGRAMS_ARCH = "amd64"
_MAKE = ("ARCH=arm64", f"CROSS_COMPILE={COMPILER.removesuffix('gcc')}")
_OWN = ("vivante",)


def ensure_kernel(name: str, progress: Progress, *, again: bool = False) -> BootKernel:
    """The arm64 kernel called `name`, fetched where it is not cached, its modules rebuilt where a source changed.

    Raises UsageError for an unknown name, DrmbenchError where the mirror fails or a program is missing.
    """
    recipe = next((row for row in ARM64_KERNELS if row.name == name), None)
    if recipe is None:
        raise nearest("arm64 kernel", name, [row.name for row in ARM64_KERNELS], "drmbench vm list shows them")
    folder = kernel_folder(_entry(recipe))
    with locked(_entry(recipe), lambda: progress.step(f"another drmbench is fetching arm64 {name}; waiting for it")):
        cached = None if again else CachedKernel.read(folder)
        if cached is None:
            cached = _fetch(recipe, folder, progress)
        elif not _is_current(folder):
            _build(cached, folder, progress)
    image = folder / cached.image
    return BootKernel(name, f"{name} {cached.release} ({cached.version})", image, folder, image,
                      cached.modules_dep(folder))


def cached_kernel(recipe: LabKernel) -> CachedKernel | None:
    """What the cache has of `recipe`, or None."""
    return CachedKernel.read(kernel_folder(_entry(recipe)))


def _entry(recipe: LabKernel) -> str:
    return f"{recipe.name}-{recipe.arch}"


def _fetch(recipe: LabKernel, folder: Path, progress: Progress) -> CachedKernel:
    require("dpkg-deb", "depmod", "make", COMPILER)
    states = [cache_root() / "apt" / f"{_entry(recipe)}-{arch}" for arch in (recipe.arch, _BUILD_PROGRAMS_ARCH)]
    target = Apt(make_directory(states[0]), recipe)
    tools = Apt(make_directory(states[1]), replace(recipe, arch=_BUILD_PROGRAMS_ARCH))
    progress.step(f"reading the arm64 indexes of {', '.join((*recipe.suites, *recipe.security_suites))}")
    target.update()
    tools.update()
    release, version, kernel, programs = choose(recipe, target, tools)
    first, second = (sum(file.size_bytes for file in files)
                     for files in (target.downloads(kernel), tools.downloads(programs)))
    total = first + second
    progress.step(f"downloading {release} ({version}): {len(kernel) + len(programs)} packages, {megabytes(total)}")
    downloads = make_directory(cache_root() / "downloads" / _entry(recipe))
    paths = target.download(kernel, downloads, lambda done: progress.downloading(done, total))
    paths += tools.download(programs, downloads, lambda done: progress.downloading(first + done, total))
    with replacing(folder) as root:
        progress.step("unpacking")
        for path in paths:
            unpack(path, root)
        image = arrange(root, release)
        keep_needed(root / "lib/modules" / release)
        _prune_headers(root / "usr/src")
        headers = relocate_headers(root, release)
        cached = CachedKernel(recipe.name, release, version, image, str(headers.relative_to(root)),
                              {**kernel, **programs}, COMPILER, ())
        _build(cached, root, progress)
        cached.write(root)
    for spent in (downloads, *states):
        shutil.rmtree(spent, ignore_errors=True)
    return cached


def choose(recipe: LabKernel, target: Apt, tools: Apt) -> tuple[str, str, dict[str, str], dict[str, str]]:
    """Release and version of the newest complete kernel, its packages and those of its build programs.

    Raises DrmbenchError where the mirror has none.
    """
    images = {image.version: image for image in target.packages(target.names(recipe.image))}
    kbuild = tools.names(r"linux-kbuild-[0-9.]+")
    for program in tools.packages(kbuild):
        image = images.get(program.version)
        found = re.fullmatch(recipe.image, image.name) if image else None
        if found is None or image is None:
            continue
        release = f"{found[1]}-{recipe.arch}"
        names = [image.name, f"linux-headers-{release}", f"linux-headers-{found[1]}-common"]
        present = {package.name for package in target.packages(names) if package.version == image.version}
        if present == set(names):
            return release, image.version, dict.fromkeys(names, image.version), {program.name: program.version}
    raise DrmbenchError("vm", f"arm64 kernel {recipe.name}", errno=errno.ENOENT,
                        reason="the mirror has no version with image, headers and build programs together",
                        remedy="the mirror may be half updated: try again later")


def _prune_headers(sources: Path) -> None:
    """Remove the headers of other processors."""
    for path in sources.glob("linux-headers-*-common/arch/*"):
        if path.is_dir() and path.name not in {"arm", "arm64"}:
            shutil.rmtree(path)


def _sources_digest() -> str:
    return kmod.digest(kmod.source_folder() / "vivante")


def _is_current(folder: Path) -> bool:
    record = kmod.BuiltModules.read(folder)
    return record is not None and record.digest == _sources_digest()


def _build(cached: CachedKernel, root: Path, progress: Progress) -> None:
    """Cross-compile our modules for the kernel in `root`; what fails is recorded there and no error."""
    rows = [row for row in kmod.MODULE_SETS if row.name in _OWN]
    progress.step(f"building arm64 modules: {', '.join(row.name for row in rows)}")
    extra = root / "lib/modules" / cached.release / "extra"
    extra.mkdir(exist_ok=True)
    build = functools.partial(build_modules, tools=Tools(COMPILER))
    built: list[str] = []
    failed: dict[str, str] = {}
    for row in rows:
        with tempfile.TemporaryDirectory(prefix=".modules-", dir=root) as scratch:
            try:
                folder = kmod.prepare(row, root, kmod.source_folder(), Path(scratch))
                files = build(root / cached.headers, folder, _MAKE)
            except DrmbenchError as error:
                failed[row.name] = error.reason
                progress.step(f"not built: {row.name}: {error.reason}")
                continue
            for file in files:
                shutil.copy2(file, extra)
                built.append(file.stem)
    run_depmod(root, cached.release)
    kmod.BuiltModules(_sources_digest(), tuple(built), failed).write(root)

# SPDX-License-Identifier: MIT
"""Which packages make up one kernel: image and its parts, headers, build tools, source, all of one version."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drmbench.errors import DrmbenchError

if TYPE_CHECKING:
    from drmbench.vm.apt import Apt, Package
    from drmbench.vm.kernels import LabKernel

_SAME_VERSION = re.compile(r"(linux-\S+) \(= ([^)]+)\)")
_COMPILER = re.compile(r"\bgcc-([0-9]+)\b")
_LIBRARY = re.compile(r"(?:^|, )(z?lib[^ ,(|]+)")


@dataclass(frozen=True, slots=True)
class KernelPackages:
    """A kernel that the archive has complete.

    release    `uname -r` of it
    packages   names of all packages, the source last; every one has `version`
    compiler   the gcc package that it was built with: "gcc-14"
    libraries  packages of the libraries that its build tools are linked with
    """

    release: str
    version: str
    packages: tuple[str, ...]
    compiler: str
    libraries: tuple[str, ...]

    @property
    def wanted(self) -> dict[str, str]:
        """Package -> version."""
        return dict.fromkeys(self.packages, self.version)


def choose_packages(recipe: LabKernel, apt: Apt) -> KernelPackages:
    """The newest kernel that is complete: image with its parts, headers, build tools, source.

    Raises DrmbenchError where the mirror has none.
    """
    images = {package.version: package for package in apt.packages(apt.names(recipe.image))}
    for source in _sources(recipe, apt):
        image = images.get(source.version)
        chosen = _complete(recipe, apt, image, source) if image else None
        if chosen is not None:
            return chosen
    raise DrmbenchError("vm", f"kernel {recipe.name}",
                        reason="the mirror has no version with image, headers and source together",
                        remedy="the mirror may be half updated: try again later")


def _sources(recipe: LabKernel, apt: Apt) -> list[Package]:
    """Every version of the source packages, the newest upstream series first, and apt's order within it."""
    packages = apt.packages(apt.names(recipe.source))
    return sorted(packages, key=lambda package: _series(recipe, package), reverse=True)


def _series(recipe: LabKernel, package: Package) -> tuple[int, ...]:
    found = re.fullmatch(recipe.source, package.name)
    return tuple(int(number) for number in found[1].split(".")) if found else ()


def _complete(recipe: LabKernel, apt: Apt, image: Package, source: Package) -> KernelPackages | None:
    found = re.fullmatch(recipe.image, image.name)
    if found is None:
        return None
    release = f"{found[1]}-{recipe.arch}"
    headers = _of_version(apt, [f"linux-headers-{release}"], source.version)
    if not headers:
        return None
    # From 7.0 the image only names its parts: linux-binary, linux-modules, linux-base.
    names = [image.name, *_parts(image), headers[0].name, f"linux-headers-{found[1]}-common"]
    names += re.findall(r"linux-kbuild-[^ ,]+", headers[0].depends)
    names += [source.name]
    names = list(dict.fromkeys(names))
    packages = _of_version(apt, names, source.version)
    if {package.name for package in packages} != set(names):
        return None
    needs = ", ".join(package.depends for package in packages if "-kbuild-" in package.name)
    gcc = _COMPILER.search(headers[0].depends)
    return KernelPackages(release, source.version, tuple(names), gcc[0] if gcc else "gcc-12",
                          tuple(_LIBRARY.findall(needs)))


def _parts(image: Package) -> list[str]:
    return [name for name, version in _SAME_VERSION.findall(image.depends) if version == image.version]


def _of_version(apt: Apt, names: list[str], version: str) -> list[Package]:
    return [package for package in apt.packages(names) if package.version == version]

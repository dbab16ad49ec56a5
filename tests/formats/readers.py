# SPDX-License-Identifier: MIT
"""The programs that our formats are made for, from Debian and PyPI, unpacked below build/readers and not installed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from drmbench.vm.apt import Apt
from drmbench.vm.kernels import LabKernel
from drmbench.vm.unpack import unpack, unpack_source

if TYPE_CHECKING:
    from collections.abc import Callable

BUILD = Path(__file__).parents[2] / "build" / "readers"
TESTS = Path(__file__).parent
LIBRARIES = "usr/lib/x86_64-linux-gnu"


def igt() -> Path:
    """A root with igt_runner and libigt, and with the C library that they need: only sid has packaged them yet."""
    def make(folder: Path) -> None:
        for package in _packages(folder, "sid", ["igt-gpu-tools"], with_dependencies=True):
            unpack(package, folder)

    return _once("igt", make)


def in_igt_root(program: Path | str, *arguments: str) -> list[str]:
    """The command line that runs a program with the libraries of that root; what it starts in turn has ours."""
    loader = next(path for path in (igt() / "usr/lib64", igt() / "lib64") if path.is_dir()) / "ld-linux-x86-64.so.2"
    return [str(loader), "--library-path", str(igt() / LIBRARIES), str(program), *arguments]


def compiled(source: str, program: Path) -> Path:
    """A C file of this folder as a program for that root, linked with libigt."""
    library = igt() / LIBRARIES / "libigt.so.0"
    subprocess.run(["gcc", "-Wall", "-Werror", "-o", program, TESTS / source, library,
                    "-Wl,--unresolved-symbols=ignore-all"], check=True)
    return program


def lava() -> Path:
    """A folder to import lava_dispatcher from."""
    def make(folder: Path) -> None:
        for package in _packages(folder, "bookworm", ["lava-common", "lava-dispatcher"]):
            unpack(package, folder)

    return _once("lava", make) / "usr/lib/python3/dist-packages"


def kunit() -> Path:
    """A folder to import kunit_parser, the kernel's own reader of KTAP, from."""
    def make(folder: Path) -> None:
        (package,) = _packages(folder, "bookworm", ["linux-source-6.1"])
        tree = unpack_source(package, folder / "source", ["tools/testing/kunit"])
        shutil.move(tree / "tools/testing/kunit", folder / "kunit")
        shutil.rmtree(folder / "source")

    return _once("kunit", make) / "kunit"


def jenkins_schema() -> Path:
    """Jenkins' XML Schema of JUnit's format, which comes with pytest's own tests."""
    def make(folder: Path) -> None:
        subprocess.run([sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", "download", "--no-deps",
                        "--no-binary", "pytest", "--dest", folder, f"pytest=={version('pytest')}"], check=True)
        (archive,) = folder.glob("pytest-*.tar.gz")
        with tarfile.open(archive) as files:
            name = next(name for name in files.getnames() if name.endswith("/junit-10.xsd"))
            content = files.extractfile(name)
            assert content is not None
            (folder / "junit-10.xsd").write_bytes(content.read())

    return _once("junit", make) / "junit-10.xsd"


def _packages(folder: Path, suite: str, names: list[str], *, with_dependencies: bool = False) -> list[Path]:
    """Fetch packages of a Debian suite, signatures checked, with an apt of our own."""
    (folder / "apt").mkdir()
    apt = Apt(folder / "apt", LabKernel(suite, "amd64", (suite,), (), "", "", suite))
    apt.update()
    newest = {package.name: package.version for package in reversed(apt.packages(names))}
    wanted = apt.closure(names) if with_dependencies else newest
    packages = folder / "packages"
    packages.mkdir()
    return apt.download(wanted, packages, lambda _bytes: None)


def _once(name: str, make: Callable[[Path], None]) -> Path:
    """build/readers/NAME, made where it is not there yet: all of it or nothing."""
    final = BUILD / name
    if not final.is_dir():
        BUILD.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=BUILD, ignore_cleanup_errors=True) as text:
            folder = Path(text) / name
            folder.mkdir()
            make(folder)
            for leftover in ("apt", "packages"):
                shutil.rmtree(folder / leftover, ignore_errors=True)
            folder.rename(final)
    return final

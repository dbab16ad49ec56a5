# SPDX-License-Identifier: MIT
"""drmbench for arm64 guests: the Python sources as they are now, and their C extension cross-compiled."""

from __future__ import annotations

import hashlib
import importlib.resources
import os
import shutil
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from drmbench.errors import DrmbenchError
from drmbench.vm.arm64_kernel import COMPILER
from drmbench.vm.arm64_root import PYTHON, TRIPLET
from drmbench.vm.cache import cache_root, locked, make_directory
from drmbench.vm.processes import run_whole
from drmbench.vm.programs import require

if TYPE_CHECKING:
    from drmbench.vm.progress import Progress

_FLAGS = ("-shared", "-fPIC", "-O2", "-std=gnu11", "-D_GNU_SOURCE", "-DPy_LIMITED_API=0x030b0000", "-pthread")
_TIMEOUT_S = 300
_PACKAGES = "gcc-aarch64-linux-gnu libc6-dev-arm64-cross"


def source_folder() -> Path:
    """The folder csrc of the checkout that this file is in, else its copy in the installed package."""
    places = (Path(__file__).parents[2] / "csrc", Path(str(importlib.resources.files("drmbench"))) / "csrc")
    folder = next((place for place in places if (place / "native/bindings.py").is_file()), None)
    if folder is None:
        raise DrmbenchError("vm", "arm64 extension", errno=2, reason="this installation lacks its C sources",
                            remedy="install drmbench from its wheel or from a checkout")
    return folder


def ensure_extension(root: Path, progress: Progress) -> Path:
    """The extension module for arm64, built where a source changed; `root` has the headers and libraries.

    Raises DrmbenchError where the compiler is missing or fails.
    """
    csrc = source_folder()
    folder = cache_root() / "arm64" / "extension"
    wanted = _digest(csrc)
    built = folder / wanted / "_native.abi3.so"
    with locked("arm64-extension", lambda: progress.step("another drmbench is building the arm64 extension")):
        if not built.is_file():
            require(COMPILER)
            progress.step("building drmbench's extension for arm64")
            shutil.rmtree(folder, ignore_errors=True)
            make_directory(built.parent)
            _build(csrc, root, built)
    return built


def _digest(csrc: Path) -> str:
    state = hashlib.sha256(f"{_FLAGS} {version('cffi')}".encode())
    for path in sorted(path for name in ("native", "uapi") for path in (csrc / name).iterdir() if path.is_file()):
        state.update(f"{path.relative_to(csrc)}\0".encode() + path.read_bytes())
    return state.hexdigest()[:16]


def _build(csrc: Path, root: Path, target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=".build-", dir=target.parent) as text:
        scratch = Path(text)
        generated, module = scratch / "_native.c", scratch / "_native.so"
        _run([sys.executable, "-m", "cffi.gen_src", "exec-python", str(csrc / "native/bindings.py"), str(generated)])
        _run(compile_command(csrc, root, generated, module))
        module.rename(target)


def compile_command(csrc: Path, root: Path, generated: Path, module: Path) -> list[str]:
    """What turns the C that cffi `generated`, and ours, into `module`, with the libraries of `root`."""
    headers = root / "usr/include"
    folders = [headers, headers / f"python{PYTHON}", headers / "libdrm"]
    return [COMPILER, *_FLAGS, f"-I{csrc / 'native'}", f"-I{csrc / 'uapi'}",
            *(word for folder in folders for word in ("-isystem", str(folder))),
            "-o", str(module), str(generated), *map(str, sorted((csrc / "native").glob("*.c"))),
            f"-L{root / 'usr/lib' / TRIPLET}", "-ldrm"]


def _run(command: list[str]) -> None:
    done = run_whole(command, environment={**os.environ, "LC_ALL": "C"}, timeout_s=_TIMEOUT_S)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        reason = next((line for line in lines if "error" in line.lower()), lines[-1])
        raise DrmbenchError("vm", "arm64 extension", reason=reason,
                            remedy=f"is the cross compiler complete? apt-get install {_PACKAGES}")


def write_package(folder: Path, extension: Path) -> None:
    """Put this drmbench, with `extension` in place of its own, and its metadata into `folder`.

    Times stay, so that compiled Python of an earlier run counts where nothing was edited.
    """
    own = Path(__file__).parents[1]
    for path in (path for path in own.rglob("*") if path.suffix in {".py", ".toml", ".css"}):
        target = folder / "drmbench" / path.relative_to(own)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    shutil.copy2(extension, folder / "drmbench/_native.abi3.so")
    metadata = folder / f"drmbench-{version('drmbench')}.dist-info/METADATA"
    metadata.parent.mkdir()
    metadata.write_text(f"Metadata-Version: 2.1\nName: drmbench\nVersion: {version('drmbench')}\n", encoding="utf-8")

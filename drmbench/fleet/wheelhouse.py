# SPDX-License-Identifier: MIT
"""Wheels for boards: which of a folder fit a board, and the commands that make a private environment there."""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import dataclass
from pathlib import Path

from drmbench.errors import DrmbenchError

_HOME = ".cache/drmbench/fleet"


@dataclass(frozen=True, slots=True)
class Wheelhouse:
    """The wheels of a folder, by path; `digest` changes with their contents."""

    wheels: tuple[Path, ...]
    digest: str


def open_wheelhouse(folder: str) -> Wheelhouse:
    """The wheels in `folder`. Raises DrmbenchError where there is none of drmbench."""
    try:
        wheels = tuple(sorted(Path(folder).glob("*.whl")))
        digest = hashlib.sha256()
        for wheel in wheels:
            digest.update(wheel.name.encode() + b"\0" + hashlib.sha256(wheel.read_bytes()).digest())
    except OSError as error:
        raise DrmbenchError(folder, "read", errno=error.errno) from None
    if not any(wheel.name.startswith("drmbench-") for wheel in wheels):
        raise DrmbenchError(folder, "wheelhouse", reason="no wheel of drmbench is in it",
                            remedy="make wheelhouse writes one for this machine's architecture")
    return Wheelhouse(wheels, digest.hexdigest()[:16])


def for_machine(wheels: list[str], machine: str) -> list[str]:
    """Those of `wheels` that can be installed on a `uname -m`: by their platform tag, as PyPA's naming has it.

    Raises DrmbenchError where drmbench's own is not among them.
    """
    fitting = [wheel for wheel in wheels if wheel.endswith(("-any.whl", f"_{machine}.whl"))]
    if not any(Path(wheel).name.startswith("drmbench-") for wheel in fitting):
        raise DrmbenchError("wheelhouse", machine, reason="no wheel of drmbench is for this architecture",
                            remedy=f"build one on a {machine} machine (make wheelhouse) and add it to the folder")
    return fitting


def program(digest: str) -> str:
    """Drmbench's path on the board, below the home directory of its user."""
    return f"{_HOME}/{digest}/bin/drmbench"


def incoming(digest: str) -> str:
    """Where the wheels go on the board."""
    return f"{_HOME}/{digest}.wheels"


def probe_command(digest: str) -> str:
    """Prints the machine, and "ready" where the environment is whole already."""
    return f"uname -m; test -e {_HOME}/{digest}/ready && echo ready; mkdir -p {incoming(digest)}"


def install_command(digest: str) -> str:
    """Makes the environment from the wheels that lie there; nothing is fetched from anywhere."""
    home = f"{_HOME}/{digest}"
    install = f"{home}/bin/python -m pip install --no-input --disable-pip-version-check --no-index"
    steps = (
        f"rm -rf {home}", f"python3 -m venv {home}",
        f"{install} --find-links {incoming(digest)} drmbench", f"rm -rf {incoming(digest)}", f"touch {home}/ready",
    )
    return "sh -c " + shlex.quote("export HOME; " + " && ".join(steps))

# SPDX-License-Identifier: MIT
"""A test definition of LAVA ("Lava-Test Test Definition 1.0") that installs drmbench, measures and checks.

LAVA writes its steps into a shell script under set -e, and its parameters before them as NAME='VALUE': they may not
hold a quote, and a job may set others. Each command is a case NAME.run of its own, so that a board where one died is
seen to lack its numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from drmbench.errors import UsageError

FORMAT = "Lava-Test Test Definition 1.0"
NAME = "drmbench"
COMMANDS = ("fault-latency", "compare-populate", "verify")

Tree = dict[str, object]
"""What becomes a YAML mapping, in this order."""

_SAFE = re.compile(r"[A-Za-z0-9_./:=,+@~%&#*?\[\]!<> -]*")
_RUN_DEPS = ("python3", "python3-venv", "libdrm2", "libudev1")
_BUILD_DEPS = ("gcc", "cmake", "ninja-build", "pkg-config", "python3-dev", "libdrm-dev")
_FEDORA_DEPS = ("python3", "libdrm", "systemd-libs")
_FEDORA_BUILD_DEPS = ("gcc", "cmake", "ninja-build", "pkgconf-pkg-config", "python3-devel", "libdrm-devel")
_PROGRAM = "venv/bin/drmbench"

# Exit status -> word: 77 is "nothing here supports what was asked for".
_REPORT = ('report() { case "$2" in 0) word=pass ;; 77) word=skip ;; *) word=fail ;; esac; '
           'lava-test-case "$1" --result "$word"; }')
_INSTALL = ('status=0; { python3 -m venv venv && venv/bin/pip --no-input install --quiet "$PACKAGE"; } || status=$?; '
            'report install.run "$status"')


@dataclass(frozen=True, slots=True)
class DefinitionOptions:
    """What to install and to run.

    package   a requirement as pip takes it: URL of a wheel, or of sources; a wheel needs no compiler on the board
    devices   as for --device; none: every usable node
    commands  some of COMMANDS
    arguments words for fault-latency and compare-populate, such as "--size 1MiB"
    """

    package: str
    devices: tuple[str, ...] = ()
    commands: tuple[str, ...] = COMMANDS
    arguments: str = ""


def definition(options: DefinitionOptions) -> Tree:
    """The document. Raises UsageError for texts that the board's shell would take apart."""
    if not options.package:
        raise UsageError("lava", "--install", reason="it is missing", remedy="give what pip shall install on the board")
    return {
        "metadata": {
            "format": FORMAT,
            "name": NAME,
            "description": "What the first touch of a mapped GPU buffer costs, and whether mmap keeps its rules",
            "os": ["debian", "ubuntu", "fedora"],
            "scope": ["functional", "performance"],
        },
        "parameters": parameters(options),
        "install": _dependencies(options.package),
        "run": {"steps": [_REPORT, _INSTALL, *(_step(command) for command in options.commands)]},
    }


def parameters(options: DefinitionOptions) -> Tree:
    """What the board's shell finds in variables. Raises UsageError."""
    return {
        "PACKAGE": _quoted("--install", options.package),
        "DEVICES": _quoted("--device", " ".join(f"--device {_one_word(device)}" for device in options.devices)),
        "ARGUMENTS": _quoted("--arguments", options.arguments),
    }


def _dependencies(package: str) -> Tree:
    """Packages by their names in Debian, which LAVA installs on every system, and in Fedora in their place."""
    wheel = package.partition("#")[0].endswith(".whl")
    return {
        "deps-debian": [*_RUN_DEPS, *(() if wheel else _BUILD_DEPS)],
        "deps-ubuntu": [*_RUN_DEPS, *(() if wheel else _BUILD_DEPS)],
        "deps-fedora": [*_FEDORA_DEPS, *(() if wheel else _FEDORA_BUILD_DEPS)],
    }


def _step(command: str) -> str:
    """DEVICES and ARGUMENTS are several words each, so they stand unquoted, and set -f keeps globs as they are."""
    arguments = " $ARGUMENTS" if command != "verify" else ""
    return (f"status=0; (set -f; exec {_PROGRAM} {command} $DEVICES{arguments} --format lava) || status=$?; "
            f'report {command}.run "$status"')


def _one_word(device: str) -> str:
    if not device or any(c.isspace() for c in device):
        raise UsageError("lava", f"--device {device!r}", reason="it is not one word", remedy="give --device for each")
    return device


def _quoted(option: str, text: str) -> str:
    """A value that LAVA can put between single quotes."""
    if not _SAFE.fullmatch(text):
        raise UsageError("lava", option, reason=f"{text!r} has a character that LAVA's shell script cannot hold",
                         remedy="leave out quotes, dollars, backslashes and newlines")
    return text

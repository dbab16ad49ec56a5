# SPDX-License-Identifier: MIT
"""The house keeps its walls: who may import whom, and what --help must not load."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import drmbench

ROOT = Path(drmbench.__file__).parent
LEAVES = {"units", "errors", "model"}
NO_NATIVE = {
    "render", "stats", "store", "oracle", "trace", "inference", "comparison", "saved_baselines", *LEAVES,
}
NATIVE_SIDE = {
    "_native", "native", "device", "buffer", "drivers", "targets", "workloads", "measurement", "runner", "results",
    "calibration", "inventory", "environment", "conformance", "stress", "doctor", "scale", "trace_runner",
    "trace_results",
    "sweep", "bandwidth", "lifecycle",
}


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def layer(path: Path) -> str:
    """The room a file is in: "render", "stats", "cli"..."""
    relative = path.relative_to(ROOT)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imports(path: Path) -> set[str]:
    """The drmbench rooms that a file imports, late and type-checking imports included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("drmbench.")}
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
class TestImports:
    def test_each_room_looks_only_downwards(self, path: Path) -> None:
        room, used = layer(path), imports(path)
        if room in LEAVES:
            assert used <= LEAVES
        if room in NO_NATIVE:
            assert not used & NATIVE_SIDE
        if room == "vm":
            assert used <= {"vm", "errors", "units"}
        if room not in {"cli", "__main__"}:
            assert "cli" not in used

    def test_it_has_a_licence_and_a_size_one_can_read(self, path: Path) -> None:
        lines = path.read_text().splitlines()
        assert lines[0] == "# SPDX-License-Identifier: MIT"
        assert len(lines) <= 300


class TestLaziness:
    @pytest.mark.parametrize("arguments", [
        ["--help"], ["fault-latency", "--help"], ["verify", "--help"], ["stress", "--help"], ["vm", "--help"],
        ["doctor", "--help"], ["compare", "--help"], ["lava", "job", "--help"],
    ])
    def test_help_loads_nothing_heavy(self, arguments: list[str]) -> None:
        program = (
            "import sys; from drmbench import cli; cli.run(sys.argv[1:]); "
            "print(*sorted({m.split('.')[0] for m in sys.modules}), file=sys.stderr)"
        )
        ended = subprocess.run([sys.executable, "-c", program, *arguments], check=True, capture_output=True, text=True,
                               timeout=60)
        loaded = set(ended.stderr.split())
        assert not loaded & {"numpy", "rich", "pyudev", "msgspec", "cffi", "scipy", "yaml"}

    def test_a_report_opens_without_the_native_code(self) -> None:
        program = ("import sys; import drmbench.store, drmbench.render.html, drmbench.cli.comparing; "
                   "sys.exit('drmbench._native' in sys.modules)")
        assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0

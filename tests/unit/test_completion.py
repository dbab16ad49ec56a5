# SPDX-License-Identifier: MIT
"""Shell completion: what Tab offers, asked as the shells ask it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from drmbench import cli
from drmbench.cli import COMMANDS, completion
from drmbench.drivers import DRM_BACKENDS

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = {"numpy", "rich", "pyudev", "msgspec", "cffi"}


def offered(*words: str) -> list[str]:
    """What bash is told for the last of these words."""
    program = (
        "import atexit, sys\n"
        "atexit.register(lambda: print(*{m.split('.')[0] for m in sys.modules}, file=sys.stderr))\n"
        "from drmbench import cli\n"
        "sys.argv = ['drmbench']\n"
        "cli.main()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=60,
        env={**os.environ, "_DRMBENCH_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(("drmbench", *words)),
             "COMP_CWORD": str(len(words))},
    )
    assert "Traceback" not in ended.stderr
    if "--case" not in words:
        assert not HEAVY & set(ended.stderr.split()), "Tab must be quick"
    return [line.partition(",")[2] for line in ended.stdout.splitlines()]


class TestWords:
    def test_commands(self) -> None:
        assert offered("fau") == ["fault-latency"]
        assert set(COMMANDS) <= set(offered(""))

    def test_options(self) -> None:
        assert "--device" in offered("fault-latency", "--d")

    def test_formats(self) -> None:
        assert offered("doctor", "--format", "o") == ["openmetrics"]

    def test_devices(self) -> None:
        found = offered("fault-latency", "--device", "")
        assert {"anon", "memfd", "file:", "pci:"} <= set(found)
        assert offered("explain", "--device", "memf") == ["memfd"]

    def test_buffer_kinds(self) -> None:
        assert "gem:vram" in offered("fault-latency", "--buffer", "gem:v")

    def test_cases(self) -> None:
        assert "fake-offset/*" in offered("verify", "--case", "fake-offset/")

    def test_the_lab(self) -> None:
        assert "debian-6.1" in offered("vm", "run", "--kernel", "debian-6")
        assert "vkms" in offered("vm", "run", "--device", "vk")


class TestWhatIsHere:
    def test_nodes_and_drivers(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A driver that is bound, and a device like vgem's that has none."""
        (tmp_path / "bus/amdgpu").mkdir(parents=True)
        for name, device in (("card0", "0000:03:00.0"), ("renderD128", "0000:03:00.0"), ("card1", "vgem"),
                             ("card0-HDMI-A-1", "card0")):
            (tmp_path / f"devices/{device}").mkdir(parents=True, exist_ok=True)
            (tmp_path / f"drm/{name}").mkdir(parents=True)
            (tmp_path / f"drm/{name}/device").symlink_to(tmp_path / f"devices/{device}")
        (tmp_path / "devices/0000:03:00.0/driver").symlink_to(tmp_path / "bus/amdgpu")
        (tmp_path / "dri").mkdir()
        for name in ("card0", "renderD128", "by-path"):
            (tmp_path / "dri" / name).touch()
        monkeypatch.setattr(completion, "_SYSFS", str(tmp_path / "drm"))
        monkeypatch.setattr(completion, "_NODES", str(tmp_path / "dri"))
        found: Any = completion.devices(None, None, "")  # type: ignore[arg-type]  # click's context is not looked at
        assert found[:4] == ["amdgpu", "vgem", f"{tmp_path}/dri/card0", f"{tmp_path}/dri/renderD128"]

    def test_buffer_kinds_are_those_of_the_drivers(self) -> None:
        assert set(completion.KINDS) == {kind for backend in DRM_BACKENDS for kind in backend.all_kinds}


class TestShells:
    @pytest.mark.parametrize("shell", ["zsh", "fish"])
    def test_get_a_script(self, shell: str) -> None:
        ended = subprocess.run([sys.executable, "-m", "drmbench"], check=False, capture_output=True, text=True,
                               timeout=60, env={**os.environ, "_DRMBENCH_COMPLETE": f"{shell}_source"})
        assert (ended.returncode, "drmbench" in ended.stdout) == (0, True)

    def test_bash_takes_it(self) -> None:
        """The line that the manual names, in a shell that has nothing else."""
        program = f'eval "$(_DRMBENCH_COMPLETE=bash_source "{sys.executable}" -m drmbench)"; complete -p drmbench'
        ended = subprocess.run(["bash", "--norc", "-c", program], check=True, capture_output=True, text=True,
                               timeout=60)
        assert "_drmbench_completion" in ended.stdout


class TestVersion:
    def test_the_first_line_is_the_version(self, drmbench: Any) -> None:
        ran = drmbench("--version")
        first, *facts = ran.out.splitlines()
        assert (ran.status, first.split()[0], len(first.split())) == (0, "drmbench", 2)
        text = "\n".join(facts)
        for fact in ("libdrm 2.4.", "libdrm.so.2", "compiled by ", "clock ", "cffi ", "kernel "):
            assert fact in text

    def test_without_the_native_code(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        monkeypatch.delitem(sys.modules, "drmbench.native", raising=False)
        monkeypatch.delattr("drmbench.native", raising=False)
        monkeypatch.setitem(sys.modules, "drmbench._native", None)
        assert cli.run(["--version"]) == 0
        assert "native code: " in capsys.readouterr().out

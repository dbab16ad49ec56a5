# SPDX-License-Identifier: MIT
"""scripts/ci-examples: drmbench still takes every command line in them, and `bisect` tells git the right thing."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest
import yaml

from drmbench.cli import cli
from drmbench.comparison.conditions import parse
from drmbench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = Path(__file__).parents[2] / "scripts" / "ci-examples"
BISECT = EXAMPLES / "bisect"
OPERATORS = re.compile(r"^(\|\||&&|;|\||>>?|<)$")


def texts_of(tree: Any) -> Iterator[str]:
    """Every text in a YAML document."""
    if isinstance(tree, str):
        yield tree
    for part in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from texts_of(part)


def command_lines(script: str) -> Iterator[list[str]]:
    """Words of each drmbench command in a shell script, up to what the shell does with its output."""
    for line in script.replace("\\\n", " ").splitlines():
        if line.strip().startswith("drmbench "):
            words = shlex.split(line, comments=True)
            end = next((at for at, word in enumerate(words) if OPERATORS.match(word)), len(words))
            yield words[1:end]


def accept(words: list[str]) -> str:
    """Parse it as drmbench does, without running anything; the command after -- too. Returns the command's name."""
    command: click.Command = cli
    context = click.Context(cli)
    names = []
    while isinstance(command, click.Group):
        name, *words = words
        found = command.get_command(context, name)
        assert found is not None, f"no command {name}"
        command = found
        names.append(name)
    parsed = command.make_context(names[-1], list(words))
    if names == ["vm", "run"]:
        program, *rest = parsed.params["words"]
        assert program == "drmbench"
        accept(rest)
    for condition in parsed.params.get("fail_if", ()):
        parse(condition)
    return " ".join(names)


class TestCommandLines:
    @pytest.mark.parametrize("name", ["github-actions.yml", "gitlab-ci.yml"])
    def test_of_a_job(self, name: str) -> None:
        document = yaml.safe_load((EXAMPLES / name).read_text())
        found = [accept(words) for text in texts_of(document) for words in command_lines(text)]
        assert found == ["vm run", "compare"]

    def test_of_bisect(self) -> None:
        assert [accept(words) for words in command_lines(BISECT.read_text())] == ["vm run", "compare"]

    @pytest.mark.parametrize("line", [
        "drmbench fault-latency --no-such-option", "drmbench levitate", "drmbench vm run -- drmbench compare --nope",
        "drmbench compare a b --fail-if 'faults'",
    ])
    def test_one_that_has_rotted_is_found(self, line: str) -> None:
        with pytest.raises((click.UsageError, UsageError, AssertionError), match=r"(?i)no such|levitate|QUANTITY"):
            [accept(words) for words in command_lines(line)]

    def test_all_measure_the_same(self) -> None:
        """A baseline of one is good for the others."""
        texts = [BISECT.read_text(), *(text for name in ("github-actions.yml", "gitlab-ci.yml")
                                       for text in texts_of(yaml.safe_load((EXAMPLES / name).read_text())))]
        lines = [words for text in texts for words in command_lines(text) if words[0] == "vm"]
        assert len(lines) == 3
        assert len({tuple(words[:-1]) for words in lines}) == 1

    def test_the_readme_names_every_file(self) -> None:
        text = (EXAMPLES / "README.md").read_text()
        assert [path.name for path in EXAMPLES.iterdir() if path.name != "README.md" and f"`{path.name}`" not in text
                ] == []


class Tree:
    """A kernel tree whose make succeeds or not, and a drmbench whose virtual machine brings this report or dies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir()
        real = Path(sys.executable).with_name("drmbench")
        self.script("make", '[ "$MAKE_FAILS" != "$*" ] || exit 2; [ "$2" != defconfig ] || : >.config')
        self.script("scripts/kconfig/merge_config.sh", '[ -f .config ] && [ -f "$3" ]')
        # The words end in --json FILE.
        self.script("drmbench", f'[ "$1" = vm ] || exec {real} "$@"\n'
                                'for last; do :; done\n[ -n "$VM_REPORT" ] || exit "$VM_STATUS"\n'
                                'cp "$VM_REPORT" "$last"')

    def script(self, name: str, text: str) -> None:
        """A program that the bisect script finds."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def bisect(self, baseline: Path, report: Path | None, *, make_fails: str = "", vm_status: int = 1) -> Any:
        """Run the script as git does."""
        return subprocess.run(
            [BISECT, baseline], check=False, capture_output=True, text=True, timeout=60, cwd=self.folder,
            env={"PATH": f"{self.folder}:{os.environ['PATH']}", "MAKE_FAILS": make_fails,
                 "VM_REPORT": "" if report is None else str(report), "VM_STATUS": str(vm_status)})


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """One of those."""
    return Tree(tmp_path / "tree")


@pytest.fixture
def reports(drmbench: Any, tmp_path: Path) -> dict[str, Path]:
    """A baseline, the same once more, one with a fault more, and one of something else."""
    found = {name: tmp_path / f"{name}.json" for name in ("baseline", "same", "worse", "better", "other")}
    assert drmbench("fault-latency", "--device", "memfd", "--no-baseline", "--size", "64KiB", "--runs", "3", "--json",
                    found["baseline"]).status == 0
    for name, more in (("same", 0), ("worse", 1), ("better", -1)):
        document = json.loads(found["baseline"].read_text())
        for result in document["results"]:
            result["faults"]["touch"] += more
            result["per_run"]["faults"]["touch"] = [count + more for count in result["per_run"]["faults"]["touch"]]
        found[name].write_text(json.dumps(document))
    document = json.loads(found["baseline"].read_text())
    document["results"] = [result | {"size_bytes": 4096} for result in document["results"]]
    found["other"].write_text(json.dumps(document))
    return found


class TestBisect:
    @pytest.mark.parametrize(("name", "status"), [("same", 0), ("better", 0), ("worse", 1), ("other", 125)])
    def test_good_bad_and_nothing_to_compare(self, tree: Tree, reports: Any, name: str, status: int) -> None:
        ended = tree.bisect(reports["baseline"], reports[name])
        assert ended.returncode == status, ended.stderr

    @pytest.mark.parametrize("step", ["-s defconfig", "-s olddefconfig", f"-s -j{os.cpu_count()}"])
    def test_a_commit_that_does_not_build(self, tree: Tree, reports: Any, step: str) -> None:
        tree.script("nproc", f"echo {os.cpu_count()}")
        ended = tree.bisect(reports["baseline"], reports["worse"], make_fails=step)
        assert (ended.returncode, "cannot be tested" in ended.stderr) == (125, True)

    @pytest.mark.parametrize("status", [1, 2, 77])
    def test_a_kernel_that_does_not_boot(self, tree: Tree, reports: Any, status: int) -> None:
        assert tree.bisect(reports["baseline"], None, vm_status=status).returncode == 125

    def test_a_report_of_the_commit_before_is_not_taken(self, tree: Tree, reports: Any) -> None:
        (tree.folder / "drm-mmap-new.json").write_bytes(reports["worse"].read_bytes())
        tree.script("drmbench", f'[ "$1" = vm ] || exec {Path(sys.executable).with_name("drmbench")} "$@"')
        assert tree.bisect(reports["baseline"], None).returncode == 125

    def test_interrupted(self, tree: Tree, reports: Any) -> None:
        """From 128 on git gives up instead of going on with the next commit."""
        assert tree.bisect(reports["baseline"], None, vm_status=130).returncode == 130

    def test_without_a_baseline_every_commit_would_be_skipped(self, tree: Tree, reports: Any) -> None:
        assert tree.bisect(reports["baseline"].with_name("none.json"), reports["same"]).returncode == 128

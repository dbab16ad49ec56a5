# SPDX-License-Identifier: MIT
"""Reports that were saved before: shown together, and kept under names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from made_up_runs import result, save

if TYPE_CHECKING:
    from pathlib import Path


class TestNamedBaselines:
    """baseline:NAME is a file that --save-baseline wrote."""

    @pytest.fixture(autouse=True)
    def home(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
        return tmp_path / "data" / "drmbench" / "baselines"

    def test_it_is_compared_and_shown_by_name(self, drmbench: Any, home: Path, tmp_path: Path) -> None:
        home.mkdir(parents=True)
        save(home / "good.json", result([1.0]))
        new = save(tmp_path / "new.json", result([1.0], faults=[9]))
        assert drmbench("compare", "baseline:good", new, "--fail-if", "faults<-0").status == 3
        assert drmbench("show", "baseline:good").status == 0

    def test_one_that_is_not_there_names_those_that_are(self, drmbench: Any, home: Path) -> None:
        home.mkdir(parents=True)
        save(home / "good.json", result([1.0]))
        ran = drmbench("show", "baseline:better")
        assert (ran.status, "there are good" in ran.err) == (1, True)

    @pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b", "x" * 101, "\u00e9"])
    def test_a_name_is_a_plain_word(self, drmbench: Any, name: str) -> None:
        assert drmbench("show", f"baseline:{name}").status == 2


class TestShow:
    def test_several_files_each_under_its_name(self, drmbench: Any, tmp_path: Path) -> None:
        paths = [save(tmp_path / f"{name}.json", result([1.0])) for name in "ab"]
        ran = drmbench("show", *paths)
        assert ran.out.index(f"== {paths[0]}") < ran.out.index(f"== {paths[1]}")
        assert ran.out.count("What a touch costs") == 2

    def test_one_that_cannot_be_read_shows_none(self, drmbench: Any, tmp_path: Path) -> None:
        ran = drmbench("show", save(tmp_path / "a.json", result([1.0])), str(tmp_path / "b.json"))
        assert (ran.status, ran.out) == (1, "")

    def test_one_document_is_made_of_one_report(self, drmbench: Any, tmp_path: Path) -> None:
        path = save(tmp_path / "a.json", result([1.0]))
        assert drmbench("show", "--format", "json", path, path).status == 2
        assert drmbench("show", "--html", str(tmp_path / "x.html"), path, path).status == 2

# SPDX-License-Identifier: MIT
"""The table of expected verdicts: it holds every verdict, and each change of one is a line that says so."""

from __future__ import annotations

from typing import Any

import pytest
from verdict_table import REMEDY, as_toml, differences, read, table_of

RESULTS = [
    {"case": case, "verdict": verdict, "target": {"driver": driver, "buffer": "dumb"}}
    for case, driver, verdict in (
        ("a/passes", "vkms", "pass"), ("a/passes", "qxl", "pass"),
        ("b/differs", "vkms", "skip"), ("b/differs", "qxl", "known"),
        ("c/device", "qxl", "skip"),
    )
]


def changed(number: int, **how: Any) -> list[dict[str, Any]]:
    return [{**result, **how} if index == number else result for index, result in enumerate(RESULTS)]


class TestTable:
    def test_it_comes_back_as_it_was(self) -> None:
        assert read(as_toml(table_of(RESULTS), "6.1")) == table_of(RESULTS)

    def test_what_passes_takes_no_line(self) -> None:
        text = as_toml(table_of(RESULTS), "6.1")
        assert "pass =" not in text
        assert '[cases."b/differs"]\nknown = ["qxl dumb"]\nskip = ["vkms dumb"]' in text
        assert '[cases."c/device"]\non = ["qxl dumb"]\nskip = ["all"]' in text

    def test_a_case_that_ran_twice_is_refused(self) -> None:
        with pytest.raises(AssertionError, match="ran twice"):
            table_of([*RESULTS, RESULTS[0]])


class TestDifferences:
    def against(self, results: list[dict[str, Any]]) -> list[str]:
        return differences(table_of(RESULTS), table_of(results))

    def test_there_are_none(self) -> None:
        assert self.against(RESULTS) == []

    def test_another_verdict(self) -> None:
        assert self.against(changed(0, verdict="skip")) == ["a/passes on vkms dumb: expected pass, got skip"]

    def test_a_case_that_vanished(self) -> None:
        assert self.against(RESULTS[:-1]) == ["c/device on qxl dumb: expected skip, got nothing"]

    def test_a_new_target(self) -> None:
        new = {"case": "a/passes", "verdict": "pass", "target": {"driver": "xe", "buffer": "dumb"}}
        assert self.against([*RESULTS, new]) == ["a/passes on xe dumb: expected not to run, got pass"]

    def test_the_way_to_a_new_table_is_said(self) -> None:
        assert "tests/verdict_table.py verdicts.json > tests/verdicts/6.1.toml" in REMEDY

# SPDX-License-Identifier: MIT
"""--format openmetrics, read by Prometheus' own parsers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
from prometheus_client.parser import text_string_to_metric_families as parse_older

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def saved(drmbench: Any, tmp_path: Path) -> dict[str, Path]:
    """A report of each kind."""
    found = {}
    for command in ("fault-latency", "compare-populate", "explain"):
        found[command] = tmp_path / f"{command}.json"
        assert drmbench(command, "--device", "memfd", "--size", "64KiB", "--runs", "2", "--json",
                        found[command]).status == 0
    return found


def samples(text: str) -> dict[str, list[Any]]:
    """Name -> samples."""
    found: dict[str, list[Any]] = {}
    for family in parse(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample)
    return found


def values(found: list[Any], which: tuple[str, str], label: str) -> dict[str, float]:
    """Of this driver and phase: what the label says -> the value."""
    return {s.labels[label]: s.value for s in found if (s.labels["driver"], s.labels["phase"]) == which}


class TestNumbers:
    def test_are_those_of_the_report_in_base_units(self, drmbench: Any, saved: dict[str, Path]) -> None:
        text = drmbench("show", saved["fault-latency"], "--format", "openmetrics").out
        found = samples(text)
        results = json.loads(saved["fault-latency"].read_text())["results"]
        for result in results:
            which = (result["target"]["driver"], result["phase"])
            times = values(found["drmbench_fault_latency_fault_seconds"], which, "quantile")
            assert times["0.5"] == pytest.approx(result["fault_ns"]["p50"] / 1e9, rel=1e-12)
            assert values(found["drmbench_fault_latency_faults"], which, "stage") == result["faults"]
        assert "# UNIT drmbench_fault_latency_fault_seconds seconds\n" in text
        assert text.endswith("# EOF\n")

    def test_a_strategy_is_a_label(self, drmbench: Any, saved: dict[str, Path]) -> None:
        found = samples(drmbench("show", saved["compare-populate"], "--format", "openmetrics").out)
        result = json.loads(saved["compare-populate"].read_text())["results"][0]
        total = {s.labels["strategy"]: s.value for s in found["drmbench_compare_populate_total_seconds"]
                 if s.labels["driver"] == result["target"]["driver"]}
        assert total == {name: pytest.approx(s["total_ns"] / 1e9) for name, s in result["strategies"].items()}
        verdicts = {s.labels["strategy"]: s.labels["verdict"] for s in found["drmbench_compare_populate_info"]
                    if s.labels["driver"] == result["target"]["driver"]}
        assert verdicts == {name: s["verdict"] for name, s in result["strategies"].items()}

    @pytest.mark.parametrize("command", ["fault-latency", "compare-populate", "explain"])
    def test_an_older_parser_takes_it_too(self, drmbench: Any, saved: dict[str, Path], command: str) -> None:
        """node_exporter's textfile collector knows the format before OpenMetrics only."""
        text = drmbench("show", saved[command], "--format", "openmetrics").out
        values = {(s.name, *sorted(s.labels.items())): s.value for f in parse(text) for s in f.samples}
        older = {(s.name, *sorted(s.labels.items())): s.value for f in parse_older(text) for s in f.samples}
        assert values == older

    def test_no_series_is_there_twice(self, drmbench: Any, saved: dict[str, Path]) -> None:
        document = json.loads(saved["fault-latency"].read_text())
        document["results"] += document["results"]
        saved["fault-latency"].write_text(json.dumps(document))
        found = samples(drmbench("show", saved["fault-latency"], "--format", "openmetrics").out)
        series = [tuple(sorted(s.labels.items())) for s in found["drmbench_fault_latency_runs"]]
        assert len(series) == len(set(series)) == len(document["results"])


class TestLabels:
    def test_are_escaped(self, drmbench: Any, saved: dict[str, Path]) -> None:
        document = json.loads(saved["fault-latency"].read_text())
        evil = 'a"b\\c} 1\\n# EOF'
        document["results"][0]["target"]["driver"] = evil
        saved["fault-latency"].write_text(json.dumps(document))
        found = samples(drmbench("show", saved["fault-latency"], "--format", "openmetrics").out)
        assert evil in {s.labels["driver"] for s in found["drmbench_fault_latency_runs"]}

    def test_name_the_machine_and_the_caveats(self, drmbench: Any, saved: dict[str, Path]) -> None:
        document = json.loads(saved["fault-latency"].read_text())
        found = samples(drmbench("show", saved["fault-latency"], "--format", "openmetrics").out)
        assert found["drmbench_environment_info"][0].labels["kernel"] == document["environment"]["kernel"]
        assert {s.labels["id"] for s in found["drmbench_caveat_info"]} == {c["id"] for c in document["caveats"]}


class TestCommands:
    @pytest.mark.parametrize("arguments", [
        ("doctor",), ("fault-latency", "--device", "anon", "--size", "64KiB", "--runs", "1"),
        ("explain", "--device", "memfd", "--size", "64KiB", "--runs", "1"),
        ("stress", "--device", "memfd", "--seconds", "0.2", "--seed", "3", "--size", "64KiB"),
    ])
    def test_print_it_themselves(self, drmbench: Any, arguments: tuple[str, ...]) -> None:
        ran = drmbench(*arguments, "--format", "openmetrics")
        assert ran.status == 0
        assert samples(ran.out)

    @pytest.mark.parametrize("format_name", ["table", "csv", "markdown", "json"])
    def test_and_every_other_format(self, drmbench: Any, format_name: str) -> None:
        assert "aslr" in drmbench("doctor", "--format", format_name).out

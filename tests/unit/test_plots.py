# SPDX-License-Identifier: MIT
"""--plot: figures of touches, read back from the files that were written."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from drmbench.model import QUANTILE_STEPS
from drmbench.page_latency import MOST_GROUPS, PageSeries, grouped, pages_per_group
from drmbench.render.plot import PLOTS

SVG = "{http://www.w3.org/2000/svg}"
DESCRIPTION = ".//{http://purl.org/dc/elements/1.1/}description"
KEPT = Path(__file__).parents[2] / "build/test-reports/plots"
"""Where those that are worth a look are kept."""


def keep(path: Path, name: str) -> None:
    """Copy a plot to where a person finds it."""
    KEPT.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, KEPT / f"{name}{path.suffix}")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A report of two passes on memfd, as a document."""
    from drmbench import cli

    path = tmp_path_factory.mktemp("plots") / "report.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("drmbench.measuring_lock._NAME", "\0drmbench-test-plots")
        assert cli.run(["fault-latency", "--device", "memfd", "--size", "256KiB", "--runs", "3", "--access",
                        "read-then-write", "--phase", "cold", "--no-baseline", "--json", str(path)]) == 0
    document = json.loads(path.read_text())
    assert isinstance(document, dict)
    return document


@pytest.fixture
def plot(drmbench: Any, tmp_path: Path) -> Any:
    """Draw documents into a file of this kind and give its path."""
    def run(kind: str, suffix: str, *documents: Any) -> Path:
        for number, document in enumerate(documents):
            (tmp_path / f"{number}.json").write_text(json.dumps(document))
        out = tmp_path / f"out.{suffix}"
        ran = drmbench("show", *(tmp_path / f"{n}.json" for n in range(len(documents))), "--plot", f"{kind}:{out}")
        assert (ran.status, ran.out, ran.err) == (0, "", "")
        return out

    return run


def svg_in(path: Path) -> ET.Element:
    """The picture as a tree."""
    return ET.parse(path).getroot()  # noqa: S314 (our own picture)


def numbers_in(path: Path) -> Any:
    """What was drawn, by the file's own metadata."""
    if path.suffix == ".png":
        with Image.open(path) as image:
            text = image.text["Description"]  # type: ignore[attr-defined]  # PNG images have it
            return json.loads(text)
    text = svg_in(path).findtext(DESCRIPTION)
    assert text is not None
    return json.loads(text)


class TestFiles:
    @pytest.mark.parametrize("kind", ["histogram", "ecdf", "pages"])
    def test_a_png_is_one_and_of_a_size_to_read(self, plot: Any, saved: Any, kind: str) -> None:
        path = plot(kind, "png", saved)
        assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        with Image.open(path) as image:
            width, height = image.size
            assert width == 8 * 144
            assert 400 < height < 4000
            assert len(image.convert("RGB").getcolors(width * height) or ()) > 5, "something is drawn"
        keep(path, kind)

    @pytest.mark.parametrize("kind", ["histogram", "ecdf", "pages"])
    def test_an_svg_is_one_and_loads_nothing(self, plot: Any, saved: Any, kind: str) -> None:
        path = plot(kind, "svg", saved)
        root = svg_in(path)
        assert root.tag == f"{SVG}svg"
        assert root.findall(f".//{SVG}text"), "letters stay letters"
        links = [value for each in root.iter() for name, value in each.attrib.items() if name.endswith("href")]
        assert all(link.startswith(("#", "data:image/png;base64,")) for link in links)
        assert any((each.get("id") or "").startswith((f"{kind}-", "fault-")) for each in root.iter())
        keep(path, kind)

    def test_the_same_report_is_the_same_picture(self, plot: Any, saved: Any) -> None:
        assert plot("ecdf", "svg", saved).read_bytes() == plot("ecdf", "svg", saved).read_bytes()


class TestNumbers:
    @pytest.mark.parametrize("suffix", ["png", "svg"])
    def test_of_the_histogram(self, plot: Any, saved: Any, suffix: str) -> None:
        drawn = list(numbers_in(plot("histogram", suffix, saved)).values())
        assert drawn == [[[b["from_ns"], b["to_ns"], b["count"], b["faulted"]] for b in result["histogram"]]
                         for result in saved["results"]]

    def test_of_the_distribution(self, plot: Any, saved: Any) -> None:
        drawn = list(numbers_in(plot("ecdf", "svg", saved)).values())
        assert [[ns for ns, _share in curve] for curve in drawn] == [r["quantiles_ns"] for r in saved["results"]]

    def test_of_the_pages(self, plot: Any, saved: Any) -> None:
        drawn = list(numbers_in(plot("pages", "png", saved)).values())
        latencies = [each["page_latency"] for result in saved["results"] for each in result["passes"]]
        assert drawn == [[each["pages_per_group"], each["median_ns"], each["max_ns"]] for each in latencies]

    def test_of_before_and_after(self, plot: Any, saved: Any) -> None:
        after = json.loads(json.dumps(saved))
        after["results"][0]["fault_ns"]["p50"] = 123456
        path = plot("before-after", "png", saved, after)
        keep(path, "before-after")
        drawn = numbers_in(path)
        first = next(iter(drawn.values()))
        assert [each[0] for each in first.values()] == [saved["results"][0]["fault_ns"]["p50"], 123456]

    def test_a_report_of_an_older_drmbench(self, plot: Any, saved: Any) -> None:
        old = json.loads(json.dumps(saved))
        for result in old["results"]:
            del result["quantiles_ns"]
            for part in result["histogram"]:
                del part["faulted"]
        shares = [point[1] for curve in numbers_in(plot("ecdf", "svg", old)).values() for point in curve]
        assert max(shares) == 1.0
        assert plot("histogram", "png", old).exists()


class TestScaling:
    def test_the_curve_of_a_crew(self, drmbench: Any, tmp_path: Path) -> None:
        report, out = tmp_path / "scale.json", tmp_path / "scale.png"
        ran = drmbench("scale", "--device", "memfd", "--size", "64KiB", "--runs", "2", "--threads", "1,2", "--json",
                       report, "--plot", out)
        assert ran.status == 0, ran.err
        results = json.loads(report.read_text())["results"]
        assert list(numbers_in(out).values()) == [
            [[p["workers"], p["faults_per_s"], p["efficiency"]] for p in curve["points"]] for curve in results]
        keep(out, "scaling")

    def test_the_cost_by_size(self, drmbench: Any, tmp_path: Path) -> None:
        report = tmp_path / "sizes.json"
        assert drmbench("scale", "--device", "memfd", "--size-sweep", "16KiB..64KiB", "--runs", "2", "--json",
                        report).status == 0
        out = tmp_path / "sizes.svg"
        assert drmbench("show", report, "--plot", f"scaling:{out}").status == 0
        sizes = json.loads(report.read_text())["results"][0]["sizes"]
        assert next(iter(numbers_in(out).values())) == [[s["size_bytes"], s["total_ns_per_page"]] for s in sizes]
        keep(out, "sizes")


class TestTheSeries:
    """What is drawn was measured: the report's own counts say so."""

    def test_histogram_bins_say_how_many_faulted(self, saved: Any) -> None:
        for result in saved["results"]:
            assert sum(part["faulted"] for part in result["histogram"]) == result["fault_ns"]["n"]
            assert sum(part["count"] for part in result["histogram"]) == result["fault_ns"]["n"] + result["hit_ns"]["n"]

    def test_quantiles_ascend_between_the_extremes(self, saved: Any) -> None:
        for result in saved["results"]:
            assert len(result["quantiles_ns"]) == len(QUANTILE_STEPS) == 111
            assert result["quantiles_ns"] == sorted(result["quantiles_ns"])
            most = [d["max"] for d in (result["fault_ns"], result["hit_ns"]) if d["n"]]
            assert result["quantiles_ns"][-1] == max(most)

    def test_pages_hold_the_extremes(self, saved: Any) -> None:
        for result in saved["results"]:
            each = [one["page_latency"] for one in result["passes"]]
            assert {len(one["median_ns"]) for one in each} == {result["pages"]}
            assert max(ns for one in each for ns in one["max_ns"]) == result["quantiles_ns"][-1]

    @pytest.mark.parametrize(("pages", "size"), [(1, 1), (1024, 1), (1025, 2), (16384, 16), (1 << 20, 1024)])
    def test_are_bounded(self, pages: int, size: int) -> None:
        assert pages_per_group(pages) == size
        assert len(grouped(np.arange(pages, dtype=np.uint32)).median) <= MOST_GROUPS

    def test_medians_and_maxima_against_a_plain_count(self) -> None:
        ticks = np.random.default_rng(5).integers(1 << 32, size=2500).tolist()
        found = grouped(np.array(ticks, dtype=np.uint32))
        parts = [ticks[at:at + 3] for at in range(0, 2500, 3)]
        assert found.median.tolist() == [sorted(part)[(len(part) - 1) // 2] for part in parts]
        assert found.most.tolist() == [max(part) for part in parts]

    def test_many_runs_take_no_more_room(self) -> None:
        series = PageSeries()
        for run in range(1, 1001):
            series.add(grouped(np.full(4, run, dtype=np.uint32)))
        assert len(series.medians) == 64
        latency = series.latency(4, round)
        assert latency is not None
        assert (latency.median_ns, latency.max_ns) == ([32] * 4, [1000] * 4)


class TestRefusals:
    """Each is a line, and nothing is written or measured."""

    def test_without_matplotlib(self, drmbench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "matplotlib", None)
        ran = drmbench("fault-latency", "--device", "memfd", "--size", "64KiB", "--plot", tmp_path / "x.png")
        assert (ran.status, ran.out, ran.err.count("\n")) == (1, "", 1)
        assert "pip install 'drmbench[plot]'" in ran.err
        assert list(tmp_path.iterdir()) == []

    def test_another_kind_of_file(self, drmbench: Any, tmp_path: Path) -> None:
        assert drmbench("fault-latency", "--device", "memfd", "--plot", tmp_path / "x.jpeg").status == 2

    def test_a_report_without_touches(self, drmbench: Any, tmp_path: Path) -> None:
        drmbench("doctor", "--json", tmp_path / "doctor.json")
        ran = drmbench("show", tmp_path / "doctor.json", "--plot", tmp_path / "x.png")
        assert (ran.status, "no such plot" in ran.err) == (2, True)

    def test_before_without_after(self, drmbench: Any, tmp_path: Path, saved: Any) -> None:
        (tmp_path / "a.json").write_text(json.dumps(saved))
        ran = drmbench("show", tmp_path / "a.json", "--plot", f"before-after:{tmp_path / 'x.png'}")
        assert (ran.status, "histogram, ecdf, pages" in ran.err) == (2, True)

    def test_several_files_are_for_plots(self, drmbench: Any, tmp_path: Path, saved: Any) -> None:
        (tmp_path / "a.json").write_text(json.dumps(saved))
        drmbench("show", tmp_path / "a.json", tmp_path / "a.json", "--plot", tmp_path / "x.svg")
        assert (tmp_path / "x.svg").exists()


class TestHostileReports:
    NAMES = ("$\\frac{", "_hidden", "\\$", "%s{0}", "x" * 500, "\N{GRINNING FACE}", "<&>\"'")

    @pytest.mark.parametrize("kind", sorted(set(PLOTS) - {"scaling"}))
    def test_names_are_text(self, plot: Any, saved: Any, kind: str) -> None:
        document = json.loads(json.dumps(saved))
        (result,) = document["results"]
        result["passes"].pop()
        document["results"] = [
            {**result, "target": {**result["target"], "driver": name, "kind": "drm"}} for name in self.NAMES]
        path = plot(kind, "svg", *[document] * (1 + (kind == "before-after")))
        texts = "".join(each.text or "" for each in svg_in(path).iter(f"{SVG}text"))
        assert [name for name in self.NAMES if name[:20] not in texts] == []

    @pytest.mark.parametrize("kind", sorted(set(PLOTS) - {"scaling"}))
    @pytest.mark.parametrize("number", [0, 2**63 - 1])
    def test_numbers_of_any_size(self, plot: Any, saved: Any, number: int, kind: str) -> None:
        document = json.loads(json.dumps(saved))
        for result in document["results"]:
            result["quantiles_ns"] = [number] * 111
            result["histogram"] = [{"from_ns": number, "to_ns": 0, "count": number, "faulted": number}]
            result["fault_ns"] |= {"p50": number, "p99": 0}
            for one in result["passes"]:
                one["page_latency"] = {"pages_per_group": max(1, number), "median_ns": [number], "max_ns": [0]}
        assert plot(kind, "png", document, document).exists()

# SPDX-License-Identifier: MIT
"""Saved reports: schema, round trip, showing them again, and files that are none."""

from __future__ import annotations

import json
import mmap
import os
import resource
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from drmbench import store

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE = str(16 * mmap.PAGESIZE)


@pytest.fixture(params=["fault-latency", "compare-populate", "explain"])
def report(request: pytest.FixtureRequest, drmbench: Any, tmp_path: Path) -> Path:
    """A saved report of each measuring command."""
    path = tmp_path / "report.json"
    ran = drmbench(request.param, "--device", "memfd", "--size", SIZE, "--runs", "1", "--json", str(path))
    assert ran.status == 0, ran.err
    return path


class TestSchema:
    def test_a_validator_of_somebody_else_accepts_the_reports(self, drmbench: Any, report: Path) -> None:
        schema = drmbench("schema").json
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.Draft202012Validator(schema).validate(json.loads(report.read_text()))

    @pytest.mark.parametrize("damage", [
        {"schema_version": 2}, {"results": None}, {"caveats": [{"id": 1}]}, {"environment": {}}, {"command": "other"},
    ])
    def test_and_refuses_damaged_ones(self, drmbench: Any, report: Path, damage: dict[str, Any]) -> None:
        validator = jsonschema.Draft202012Validator(drmbench("schema").json)
        assert not validator.is_valid({**json.loads(report.read_text()), **damage})


class TestRoundTrip:
    def test_what_is_read_is_what_was_written(self, report: Path) -> None:
        assert store.encode(store.load(str(report))) == report.read_bytes()

    def test_unknown_fields_of_a_later_version_are_ignored(self, report: Path) -> None:
        document = json.loads(report.read_text())
        document["environment"]["moon"] = "full"
        document["results"][0]["later"] = [1]
        assert store.decode(json.dumps(document).encode(), "x") == store.load(str(report))

    @pytest.mark.parametrize("format_name", ["table", "csv", "markdown"])
    def test_show_prints_it_again(self, drmbench: Any, report: Path, format_name: str) -> None:
        ran = drmbench("show", str(report), "--format", format_name)
        assert ran.status == 0
        assert "memfd" in ran.out


class TestBrokenFiles:
    """Each is one line, no traceback."""

    @pytest.mark.parametrize(("content", "says"), [
        (b"", "no drmbench report"),
        (b"{", "no drmbench report"),
        (b"\xff\xfe", "no drmbench report"),
        (b"[1, 2]", "no drmbench report"),
        (b'{"schema_version": 99}', "newer drmbench"),
        (b'{"schema_version": 1, "command": "fault-latency"}', "no drmbench report"),
        (b'{"schema_version": NaN}', "no drmbench report"),
        (b"[" * 100_000, "no drmbench report"),
    ])
    def test_reading(self, drmbench: Any, tmp_path: Path, content: bytes, says: str) -> None:
        path = tmp_path / "broken.json"
        path.write_bytes(content)
        ran = drmbench("show", str(path))
        assert ran.status == 1
        assert ran.err.count("\n") == 1
        assert says in ran.err

    def test_truncated_and_absurd_numbers(self, drmbench: Any, report: Path) -> None:
        text = report.read_text()
        for broken in (text[: len(text) // 2], text.replace('"pages": 16', '"pages": -1'),
                       text.replace('"pages": 16', '"pages": 1e400')):
            report.write_text(broken)
            assert drmbench("show", str(report)).status == 1

    def test_missing(self, drmbench: Any, tmp_path: Path) -> None:
        ran = drmbench("show", str(tmp_path / "none.json"))
        assert (ran.status, "ENOENT" in ran.err) == (1, True)


class TestWriting:
    """The file is proved writable before anything is measured, and replaced whole."""

    def arguments(self, path: object) -> tuple[str, ...]:
        return ("fault-latency", "--device", "anon", "--size", SIZE, "--runs", "1", "--json", str(path))

    def test_a_missing_directory(self, drmbench: Any, tmp_path: Path) -> None:
        ran = drmbench(*self.arguments(tmp_path / "none" / "report.json"))
        assert ran.status == 1
        assert "ENOENT" in ran.err
        assert "create the directory first" in ran.err
        assert ran.out == ""

    def test_a_directory_instead_of_a_file(self, drmbench: Any, tmp_path: Path) -> None:
        assert "EISDIR" in drmbench(*self.arguments(tmp_path)).err

    def test_a_file_in_place_of_a_directory(self, drmbench: Any, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        assert "ENOTDIR" in drmbench(*self.arguments(tmp_path / "file" / "report.json")).err

    def test_a_full_disk_keeps_the_table(self, drmbench: Any) -> None:
        ran = drmbench(*self.arguments("/dev/full"))
        assert ran.status == 1
        assert "ENOSPC" in ran.err
        assert "What a touch costs" in ran.out

    def test_no_room_is_found_out_before_measuring(self, drmbench: Any, tmp_path: Path) -> None:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
        try:
            ran = drmbench(*self.arguments(tmp_path / "report.json"))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert ran.status == 1
        assert "EFBIG" in ran.err
        assert ran.out == ""
        assert list(tmp_path.iterdir()) == []

    def test_a_failed_measurement_leaves_the_old_file(self, drmbench: Any, tmp_path: Path) -> None:
        path = tmp_path / "report.json"
        path.write_text("old")
        ran = drmbench("fault-latency", "--device", "file:/nonexistent", "--json", str(path), "--size", SIZE)
        assert ran.status == 1
        assert path.read_text() == "old"
        assert [p.name for p in tmp_path.iterdir()] == ["report.json"]

    def test_the_mode_is_what_a_new_file_gets(self, drmbench: Any, tmp_path: Path) -> None:
        mask = os.umask(0o027)
        try:
            assert drmbench(*self.arguments(tmp_path / "report.json")).status == 0
        finally:
            os.umask(mask)
        assert (tmp_path / "report.json").stat().st_mode & 0o777 == 0o640

    def test_a_link_stays_a_link(self, drmbench: Any, tmp_path: Path) -> None:
        (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
        assert drmbench(*self.arguments(tmp_path / "link.json")).status == 0
        assert (tmp_path / "link.json").is_symlink()
        assert json.loads((tmp_path / "real.json").read_text())["schema_version"] == 1

    def test_a_dash_prints_json_and_nothing_else(self, drmbench: Any) -> None:
        ran = drmbench(*self.arguments("-"))
        assert ran.json["schema_version"] == 1
        assert ran.err == ""


class TestNothingLeftOpen:
    @pytest.fixture
    def descriptors(self) -> Iterator[None]:
        before = set(os.listdir("/proc/self/fd"))
        maps = len(Path("/proc/self/maps").read_text().splitlines())
        yield
        assert set(os.listdir("/proc/self/fd")) == before
        assert len(Path("/proc/self/maps").read_text().splitlines()) <= maps + 20

    @pytest.mark.usefixtures("descriptors")
    def test_after_success_and_after_failure(self, drmbench: Any, tmp_path: Path) -> None:
        short = tmp_path / "short"
        short.write_bytes(b"x" * mmap.PAGESIZE)
        for _ in range(5):
            assert drmbench("compare-populate", "--device", "memfd", "--size", SIZE, "--runs", "1").status == 0
            assert drmbench("fault-latency", "--device", f"file:{short}", "--size", SIZE).status == 1
            assert drmbench("fault-latency", "--device", "anon", "--json", "/nonexistent/x").status == 1

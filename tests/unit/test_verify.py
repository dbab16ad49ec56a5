# SPDX-License-Identifier: MIT
"""`drmbench verify`: which cases run, what is reported of them, and the exit status."""

from __future__ import annotations

import errno
import json
import mmap
import os
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from drmbench.conformance import calls, cases
from drmbench.conformance.case import Case, Failed, Need, Skipped, case, expect_errno
from drmbench.conformance.known import kernel_version, load_known
from drmbench.errors import DrmbenchError
from drmbench.model import KnownBehaviour

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drmbench.conformance.subject import Subject

SIZE = str(4 * mmap.PAGESIZE)


def made(name: str, run: Callable[[Subject], None], *needs: Need) -> Case:
    """A case of the tests' own."""
    return case(f"made-up/{name}", rule="It does what it should.", source="nowhere", needs=needs)(run)


def fails(_subject: Subject) -> None:
    expect_errno("mmap(upside down)", {errno.EINVAL, errno.EACCES}, lambda: None)


def skips(_subject: Subject) -> None:
    raise Skipped("it rains")


def clumsy(_subject: Subject) -> None:
    raise ZeroDivisionError


PASS = made("good", lambda _subject: None)
FAIL = made("bad", fails)
SKIP = made("not-now", skips)
BROKEN = made("clumsy", clumsy)


@pytest.fixture
def verify(drmbench: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run `drmbench verify` on memfd with these cases instead of the real ones."""
    def run(chosen: tuple[Case, ...], *arguments: str) -> Any:
        monkeypatch.setattr("drmbench.cli.verifying.CASES", chosen)
        return drmbench("verify", "--device", "memfd", "--size", SIZE, *arguments)

    return run


class TestOnSharedMemory:
    """A memfd keeps the rules that hold for any file, and the rest is skipped with a reason."""

    def test_what_can_be_checked_passes(self, drmbench: Any) -> None:
        ran = drmbench("verify", "--device", "memfd", "--json", "-")
        assert ran.status == 0, ran.err
        results = ran.json["results"]
        assert {r["verdict"] for r in results} == {"pass", "skip"}
        assert all(r["reason"] for r in results if r["verdict"] == "skip")
        assert "mmap-contract/zero-length" in {r["case"] for r in results if r["verdict"] == "pass"}

    def test_where_nothing_can_be_checked_the_status_is_77(self, drmbench: Any) -> None:
        ran = drmbench("verify", "--device", "memfd", "--case", "fake-offset/*")
        assert ran.status == 77
        assert "this buffer has no fake offset" in ran.out

    def test_nothing_stays_open(self, drmbench: Any) -> None:
        before = set(os.listdir("/proc/self/fd"))
        drmbench("verify", "--device", "memfd")
        assert set(os.listdir("/proc/self/fd")) == before


class TestVerdicts:
    def test_all_passed(self, verify: Any) -> None:
        assert verify((PASS, SKIP)).status == 0

    def test_a_failure_says_what_was_expected_and_what_came(self, verify: Any) -> None:
        ran = verify((PASS, FAIL))
        assert ran.status == 1
        said = " ".join(ran.out.split())
        assert "fail made-up/bad on memfd" in said
        assert "mmap(upside down): expected EACCES or EINVAL, got success" in said.replace(
            "EINVAL or EACCES", "EACCES or EINVAL")
        assert "rule: It does what it should. (nowhere)" in said

    def test_a_broken_case_says_where(self, verify: Any) -> None:
        ran = verify((PASS, BROKEN), "--json", "-")
        assert ran.status == 1
        (_passed, broken) = ran.json["results"]
        assert broken["verdict"] == "broken"
        assert broken["reason"].startswith("ZeroDivisionError")
        assert "test_verify.py:" in broken["reason"]

    def test_all_skipped_is_77(self, verify: Any) -> None:
        ran = verify((SKIP,))
        assert ran.status == 77
        assert "skip made-up/not-now on memfd: it rains" in ran.out

    def test_a_need_that_is_not_met_skips(self, verify: Any) -> None:
        moon = Need("moon", lambda _subject: "the moon is not full")
        ran = verify((made("at-night", fails, moon), PASS), "--json", "-")
        assert ran.status == 0
        assert (ran.json["results"][0]["verdict"], ran.json["results"][0]["reason"]) == ("skip", "the moon is not full")

    def test_no_case_at_all_is_an_error(self, verify: Any) -> None:
        assert verify(()).status == 1

    def test_an_unexpected_refusal_by_the_kernel_is_a_failure(self, verify: Any) -> None:
        def overreaches(subject: Subject) -> None:
            with subject.buffer() as buffer:
                buffer.map(buffer.locate()[0], 0, flags=calls.MAP_HUGETLB)

        (result,) = verify((made("too-much", overreaches),), "--json", "-").json["results"]
        assert (result["verdict"], result["what"]) == ("fail", "mmap (16 KiB)")
        assert (result["expected"], result["actual"]) == ("success", "EINVAL")


class TestSelection:
    def test_a_glob(self, verify: Any) -> None:
        ran = verify((PASS, FAIL, SKIP), "--case", "*/good", "--case", "*/not-*", "--json", "-")
        assert ran.status == 0
        assert [r["case"] for r in ran.json["results"]] == ["made-up/good", "made-up/not-now"]

    @pytest.mark.parametrize(("glob", "says"), [
        ("mmap-contrct/*", "did you mean mmap-contract/*"),
        ("interior", "did you mean fake-offset/interior"),
        ("xyzzy", "drmbench verify --list"),
    ])
    def test_a_glob_without_a_match_is_a_usage_error(self, drmbench: Any, glob: str, says: str) -> None:
        ran = drmbench("verify", "--device", "memfd", "--case", glob)
        assert (ran.status, ran.out, ran.err.count("\n")) == (2, "", 1)
        assert says in ran.err

    def test_once_a_device_or_once_a_buffer(self, verify: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("drmbench.conformance.suite.select_kinds",
                            lambda targets, _buffer: [(targets[0], "memfd"), (targets[0], "memfd")])
        once = case("made-up/once", rule="r", source="s", per="device")(lambda _subject: None)
        ran = verify((PASS, once), "--json", "-")
        assert [r["case"] for r in ran.json["results"]] == ["made-up/good", "made-up/once", "made-up/good"]

    def test_the_list_shows_rule_and_source_of_each(self, drmbench: Any) -> None:
        ran = drmbench("verify", "--list")
        assert ran.status == 0
        assert max(len(line) for line in ran.out.splitlines()) <= 80
        said = " ".join(ran.out.split())
        for each in cases.CASES:
            assert each.name in said
            assert each.rule in said

    def test_nonsense_names_are_refused_early(self) -> None:
        with pytest.raises(ValueError, match="no case name"):
            case("Made Up", rule="r", source="s")


class TestTheCasesThemselves:
    def test_each_is_named_after_its_file(self) -> None:
        for module in cases.MODULES:
            group = module.__name__.rpartition(".")[2].replace("_", "-")
            own = [value for value in vars(module).values() if isinstance(value, Case)]
            assert own
            assert {each.name.partition("/")[0] for each in own} == {group}

    def test_no_name_twice(self) -> None:
        names = [each.name for each in cases.CASES]
        assert len(names) == len(set(names))

    def test_each_states_rule_and_source(self) -> None:
        for each in cases.CASES:
            assert each.rule.endswith(".")
            assert each.source


class TestReport:
    def test_the_schema_of_somebody_else_accepts_it_and_show_prints_it(self, verify: Any, drmbench: Any,
                                                                       tmp_path: Path) -> None:
        path = tmp_path / "report.json"
        ran = verify((PASS, FAIL, SKIP), "--json", str(path))
        jsonschema.Draft202012Validator(drmbench("schema").json).validate(json.loads(path.read_text()))
        assert drmbench("show", str(path)).out == ran.out
        assert "made-up/bad" in drmbench("show", str(path), "--format", "csv").out
        assert "made-up/bad" in drmbench("show", str(path), "--format", "markdown").out

    def test_the_table_fits_a_terminal_whatever_the_kernel_says(self, verify: Any) -> None:
        def says(_subject: Subject) -> None:
            raise Failed("x\x1b[31m" * 20, "word " * 40, "w" * 200)

        ran = verify((made("loud", says),))
        assert max(len(line) for line in ran.out.splitlines()) <= 80
        assert "\x1b" not in ran.out

    def test_a_log_that_cannot_be_read_is_said_once(self, verify: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("drmbench.conformance.kernel_log.KMSG", "/nonexistent")
        caveats = verify((PASS, PASS), "--json", "-").json["caveats"]
        assert [c["id"] for c in caveats] == ["kernel-log-unread"]
        assert "ENOENT" in caveats[0]["message"]

    def test_ctrl_c_keeps_what_has_ended(self, verify: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        from drmbench.conformance import turns

        real = turns.run_case

        def until_interrupted(each: Case, *rest: Any) -> Any:
            if each is FAIL:
                raise KeyboardInterrupt
            return real(each, *rest)

        monkeypatch.setattr(turns, "run_case", until_interrupted)
        ran = verify((PASS, FAIL), "--json", "-")
        assert ran.status == 1
        assert [r["case"] for r in ran.json["results"]] == ["made-up/good"]
        assert ran.json["caveats"][0]["id"] == "interrupted"


class TestKnown:
    """A breach that known.toml lists is reported as known, where everything about it fits."""

    entry = KnownBehaviour(case="made-up/bad", driver="memfd", what="mmap(upside down)", actual="success",
                           why="it always did", source="mm/nowhere.c")

    def run(self, verify: Any, monkeypatch: pytest.MonkeyPatch, chosen: Case, **changes: str) -> Any:
        import msgspec

        entry = msgspec.structs.replace(self.entry, **changes)
        monkeypatch.setattr("drmbench.conformance.suite.load_known", lambda: [entry])
        return verify((chosen,), "--json", "-")

    def test_the_same_thing_is_known_and_no_failure(self, verify: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        ran = self.run(verify, monkeypatch, FAIL)
        assert ran.status == 0
        (result,) = ran.json["results"]
        assert (result["verdict"], result["known"]["why"]) == ("known", "it always did")

    @pytest.mark.parametrize("changes", [
        {"actual": "EBUSY"}, {"what": "munmap"}, {"driver": "vkms"}, {"case": "made-up/good"}, {"buffer": "gem"},
        {"first": "99.0"}, {"before": "2.6"},
    ])
    def test_anything_else_is_a_failure(self, verify: Any, monkeypatch: pytest.MonkeyPatch,
                                        changes: dict[str, str]) -> None:
        ran = self.run(verify, monkeypatch, FAIL, **changes)
        assert (ran.status, ran.json["results"][0]["verdict"]) == (1, "fail")

    @pytest.mark.parametrize("buffer", ["memfd", "*fd", "mem*"])
    def test_the_buffer_kind_is_a_glob(self, verify: Any, monkeypatch: pytest.MonkeyPatch, buffer: str) -> None:
        assert self.run(verify, monkeypatch, FAIL, buffer=buffer).status == 0

    def test_an_entry_that_no_longer_holds_is_pointed_out(self, verify: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        ran = self.run(verify, monkeypatch, PASS, case="made-up/good")
        assert (ran.status, ran.json["results"][0]["verdict"]) == (0, "pass")
        assert "known-outdated" in {c["id"] for c in ran.json["caveats"]}

    def test_our_own_list_names_cases_that_exist(self) -> None:
        assert {entry.case for entry in load_known()} <= {each.name for each in cases.CASES}

    @pytest.mark.parametrize("text", [
        "[[known]\n", "[[known]]\ncase = 1\n", '[[known]]\ncase = "a/b"\n',
        '[[known]]\ncase="a/b"\ndriver="d"\nwhat="w"\nactual="x"\nwhy="y"\nsource="z"\nfrom="new"\n',
        '[[known]]\ncase="a/b"\ndriver="d"\nwhat="w"\nactual="x"\nwhy="y"\nsource="z"\nkernel="5.10"\n',
    ])
    def test_a_list_that_cannot_be_understood(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "known.toml"
        path.write_text(text)
        with pytest.raises(DrmbenchError):
            load_known(str(path))

    def test_a_list_as_it_should_be(self, tmp_path: Path) -> None:
        path = tmp_path / "known.toml"
        path.write_text('[[known]]\ncase="a/b"\ndriver="d"\nwhat="w"\nactual="x"\nwhy="y"\nsource="z"\nfrom="5.10"\n')
        (entry,) = load_known(str(path))
        assert (entry.first, entry.before) == ("5.10", "")

    def test_versions_are_compared_as_numbers(self) -> None:
        assert kernel_version("5.10.0-30-amd64") > kernel_version("5.9")
        assert kernel_version("6.1-rc1") == (6, 1)

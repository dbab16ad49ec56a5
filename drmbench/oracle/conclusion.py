# SPDX-License-Identifier: MIT
"""What follows from the evidence of an explain result: one paragraph that names the mechanism and says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drmbench.model import Caveat, Clue, Conclusion, Mechanism
from drmbench.oracle.clues import questions
from drmbench.oracle.counts import cpu_fits
from drmbench.oracle.table import FAMILIES, TABLE
from drmbench.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from drmbench.model import ExplainResult
    from drmbench.oracle.clues import Question
    from drmbench.oracle.table import Row


def conclude(result: ExplainResult, arch: str) -> Conclusion:
    """Name what no clue rules out; where every mechanism has something against it, say which has the least.

    Nothing is concluded of a file, as its file system decides. `arch` is the machine as uname() names it. The
    result's own `conclusion` is not looked at.
    """
    if result.target.driver == "file":
        return Conclusion([], [], [], f"How a file is mapped is decided by its file system. {huge_sentence(result)}")
    asked = list(questions(result))
    best = {family: _best_row(family, arch, asked) for family in FAMILIES}
    against = {family: [q for q in asked if not q.fits(row)] for family, row in best.items()}
    fitting = [best[family] for family in FAMILIES if not against[family]]
    near = {family: _distance(row, asked) for family, row in best.items()}
    closest = [] if fitting else [best[family] for family in FAMILIES if near[family] == min(near.values())]
    clues = [Clue(q.name, q.found, [f for f in FAMILIES if q in against[f]]) for q in asked]
    if fitting:
        text = f"{_named(fitting, clues)} {_rival(against, near)}"
    else:
        text = _unknown(closest, {row.family: against[row.family] for row in closest})
    return Conclusion(
        [Mechanism(row.name, row.source) for row in fitting], [Mechanism(row.name, row.source) for row in closest],
        clues, " ".join([text, huge_sentence(result)]),
    )


def _best_row(family: str, arch: str, asked: Sequence[Question]) -> Row:
    """The row of the family that is nearest, the first of equals."""
    rows = [row for row in TABLE if row.family == family and cpu_fits(row, arch)]
    return min(rows, key=lambda row: _distance(row, asked))


def _distance(row: Row, asked: Sequence[Question]) -> tuple[int, int]:
    """How far a row is from the evidence: clues against it, then how few of its particular traits were found."""
    found = sum(q.trait is not None and getattr(row, q.trait) is not None and q.fits(row) for q in asked)
    return sum(not q.fits(row) for q in asked), -found


def _listed(words: Sequence[str], last: str = "and") -> str:
    return f" {last} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else list(words))


def _named(rows: Sequence[Row], clues: Sequence[Clue]) -> str:
    sources = "; ".join(row.source for row in rows)
    telling = [clue.found for clue in clues if clue.rules_out and clue.name != "node"]
    text = f"Mapped as by {_listed([row.name for row in rows], 'or')} ({sources}). Evidence: {'; '.join(telling)}."
    if len(rows) > 1:
        text += f" Nothing that was seen tells {_listed([row.name for row in rows])} apart."
    alike = list(dict.fromkeys(row.alike for row in rows if row.alike))
    if alike:
        text += f" From user space it looks the same as {_listed(alike)}."
    return text


def _rival(against: dict[str, list[Question]], near: dict[str, tuple[int, int]]) -> str:
    """The mechanism that came next, and what spoke against it."""
    family = min((family for family in FAMILIES if against[family]), key=lambda family: near[family])
    found = against[family]
    speaks = "speaks" if len(found) == 1 else "speak"
    return f"Next came {family}, against which {speaks}: {'; '.join(q.found for q in found)}."


def _unknown(rows: Sequence[Row], against: dict[str, list[Question]]) -> str:
    parts = []
    for row in rows:
        objections = "; ".join(q.found for q in against[row.family])
        parts.append(f"{row.name} ({row.source}), but for this: {objections}")
    return (f"No mechanism known to drmbench does all of this. Closest is {'; or '.join(parts)}. So the driver has a "
            "fault handler of its own, or calls the kernel's with other arguments.")


def huge_sentence(result: ExplainResult) -> str:
    """Whether huge mappings were found: an address that allows them must fault less than one that does not."""
    huge = result.huge
    if huge is None:
        return f"Huge mappings were not looked for ({result.problems.get('huge', 'not possible here')})."
    unit, size = format_bytes(huge.unit_bytes), format_bytes(huge.size_bytes)
    pages = huge.unit_bytes * result.pages // result.size_bytes
    if huge.aligned_faults < huge.shifted_faults and huge.aligned_window_pages == pages:
        return (f"Huge mappings: {size} at an address aligned to {unit} take {huge.aligned_faults} faults, "
                f"{huge.aligned_window_pages} pages each, and {huge.shifted_faults} one page beside it.")
    if huge.pmd_mapped_bytes:
        return f"Huge mappings: smaps counts {format_bytes(huge.pmd_mapped_bytes)} of {size} as mapped by PMDs."
    if huge.aligned_faults == huge.shifted_faults == 0:
        return f"Huge mappings: nothing faults, and smaps shows none in {size}, so page size cannot be counted."
    return (f"No huge mappings: {size} take {huge.aligned_faults} faults at an address aligned to {unit} and "
            f"{huge.shifted_faults} one page beside it.")


def explain_objections(label: str, result: ExplainResult) -> Iterator[Caveat]:
    """A caveat where no mechanism fits, and where a mapping did not outlive its handle and descriptor."""
    report = "look at the driver's fault handler, or report it with the --json file"
    if result.conclusion.closest:
        closest = _listed([mechanism.name for mechanism in result.conclusion.closest], "or")
        yield Caveat("unknown-mechanism", f"{label}: no mapping mechanism known to drmbench does that; closest is "
                     f"{closest}", report)
    after = result.after_close
    if after is not None and (after.signal is not None or after.data == "lost"):
        lost = f"ended in {after.signal}" if after.signal is not None else "lost what was stored"
        yield Caveat("mapping-lost", f"{label}: the mapping {lost} after its handle and descriptor were closed", report)

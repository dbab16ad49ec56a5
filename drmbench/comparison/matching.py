# SPDX-License-Identifier: MIT
"""Which result of one report is which of another: by driver, buffer and the way it was measured."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drmbench.errors import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from drmbench.comparison.subject import Subject

Key = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Matched:
    """Pairs in the order of the base, and what only one of the two has."""

    pairs: list[tuple[Subject, Subject]]
    only_base: list[Subject]
    only_new: list[Subject]


def match(base: Sequence[Subject], new: Sequence[Subject], across: Sequence[str] = ()) -> Matched:
    """Match by key; what is left over then once more without the fields `across`, which are to differ.

    A node's name is part of a key only where two devices of one driver would have the same one.
    """
    doubled = _doubled(base) | _doubled(new)
    matched = _by(base, new, lambda subject: _key(subject, doubled, ()))
    if not across:
        return matched
    second = _by(matched.only_base, matched.only_new, lambda subject: _key(subject, set(), across))
    return Matched(matched.pairs + second.pairs, second.only_base, second.only_new)


def _key(subject: Subject, doubled: set[Key], across: Sequence[str]) -> Key:
    key = tuple((name, value) for name, value in subject.key.items() if name not in across)
    return (*key, ("node", subject.node)) if key in doubled else key


def _doubled(subjects: Sequence[Subject]) -> set[Key]:
    counts = Counter(tuple(subject.key.items()) for subject in subjects)
    return {key for key, times in counts.items() if times > 1}


def _by(base: Sequence[Subject], new: Sequence[Subject], key_of: Callable[[Subject], Key]) -> Matched:
    waiting: dict[Key, list[Subject]] = {}
    for subject in new:
        waiting.setdefault(key_of(subject), []).append(subject)
    pairs, only_base = [], []
    for subject in base:
        partners = waiting.get(key_of(subject))
        if partners:
            pairs.append((subject, partners.pop(0)))
        else:
            only_base.append(subject)
    return Matched(pairs, only_base, [subject for left in waiting.values() for subject in left])


def describe(subject: Subject) -> str:
    """The result in a line: "vkms card0 dumb, write, cold, sequential, 64 MiB"."""
    target = subject.target
    words = [target.driver, subject.node] if target.kind == "baseline" else [target.driver, subject.node, target.buffer]
    return one_line(f"{' '.join(word for word in words if word)}, {subject.variant_text}")

# SPDX-License-Identifier: MIT
"""The generator of `drmbench stress` in the hands of Hypothesis: its programs and any part of them, on memfd.

Hypothesis chooses the seed and which of the steps to keep, so it can take steps back: what fails comes out small.
"""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from lossy_memfd import lossy_target

from drmbench.conformance.calls import munmap
from drmbench.conformance.left_behind import Holdings, differences, holdings
from drmbench.stress.arena import Arena
from drmbench.stress.execute import Executor
from drmbench.stress.ground import Ground
from drmbench.stress.predict import slot_pages
from drmbench.stress.probe import probe
from drmbench.stress.program import Round
from drmbench.stress.state import State
from drmbench.stress.steps import SLOTS, Step
from drmbench.stress.touching import Mismatch
from drmbench.stress.traits import Limits
from drmbench.stress.worker import last_steps

if TYPE_CHECKING:
    from lossy_memfd import Defect

    from drmbench.targets import Target

LIMITS = Limits(buffer_pages=16, live_pages=128)
MEMFD = probe(lossy_target("none"), "memfd", 1 << 20, unbind=False)
STEPS = 60
MOST_STEPS = 6
# The same examples each time: a lane of tests is no place for a search that may end differently.
COMMON = settings(deadline=None, database=None, derandomize=True, phases=(Phase.generate, Phase.shrink),
                  suppress_health_check=list(HealthCheck))


@st.composite
def programs(draw: st.DrawFn) -> list[Step]:
    """Any part of a program of the generator: steps that lose their ground are left out when it runs."""
    seed = draw(st.integers(0, 1 << 32))
    (steps,) = Round(seed, 0, 1, STEPS).program(MEMFD, LIMITS, [STEPS]).threads
    kept = draw(st.lists(st.booleans(), min_size=len(steps), max_size=len(steps)))
    return [step for step, keep in zip(steps, kept, strict=True) if keep]


def run(target: Target, steps: list[Step]) -> int:
    """Run it in this process, to its end; returns the steps that had sense. Raises Mismatch."""
    before, state = holdings(), State(MEMFD, LIMITS)
    ground = Ground(target, "memfd", Arena(0, slot_pages(state)))
    ground.arena.check_free()
    executor = Executor(state, ground)
    try:
        ground.open(0)
        done = sum(executor.step(step) for step in steps)
        for step in last_steps(state):
            executor.step(step)
        ground.close_all()
        left = differences(before, holdings())
        if left:
            raise Mismatch("left behind", "the program", "nothing", "; ".join(left))
    finally:
        clear(ground, slot_pages(state), before)
    return done


def clear(ground: Ground, pages: int, before: Holdings) -> None:
    """What a program leaves that failed: this process goes on."""
    for slot in range(SLOTS):
        munmap(ground.arena.address(slot), pages * mmap.PAGESIZE)
    for fd in set(holdings().descriptors) - set(before.descriptors):
        os.close(fd)


def failure(target: Target, steps: list[Step]) -> str:
    """The category of what goes wrong, "" where nothing does."""
    try:
        run(target, steps)
    except Mismatch as found:
        return found.category
    return ""


def test_any_part_of_a_program_does_on_memfd_what_the_model_says() -> None:
    done: list[int] = []

    @settings(COMMON, max_examples=200)
    @given(programs())
    def runs(steps: list[Step]) -> None:
        done.append(run(lossy_target("none"), steps))

    runs()
    assert sum(done) > 2000


@pytest.mark.parametrize(("defect", "category"), [
    ("loses writes", "content"), ("not zero", "content"), ("wrong errno", "errno"),
    ("leaks a descriptor", "left behind"),
])
def test_a_defect_is_found_and_shrunk_to_a_few_steps(defect: Defect, category: str) -> None:
    target = lossy_target(defect)
    smallest = find(programs(), lambda steps: failure(target, steps) == category,
                    settings=settings(COMMON, max_examples=300))
    assert 1 <= len(smallest) <= MOST_STEPS
    assert failure(lossy_target("none"), smallest) == ""

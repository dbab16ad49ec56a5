# SPDX-License-Identifier: MIT
"""What each step must do: its errno, its accesses, and how it changes the state.

Rules of mm/mmap.c, mm/mprotect.c, mm/mremap.c and drivers/gpu/drm/drm_gem.c, drm_prime.c; those of madvise() are in
advice.py.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, NamedTuple

from drmbench.stress import steps as s
from drmbench.stress.accesses import Access, accesses_of
from drmbench.stress.advice import CHANGES_FLAGS, advise
from drmbench.stress.state import UNKNOWN, ZERO, Body, File, Handle, Vma

if TYPE_CHECKING:
    from collections.abc import Callable

    from drmbench.stress.state import State

OK = 0


class Expected(NamedTuple):
    """How a step must end: errno, 0 for success; and the accesses it makes, each with what it must find."""

    errno: int = OK
    accesses: tuple[Access, ...] = ()


def expect(state: State, step: s.Step) -> Expected | None:
    """Apply the step to the state and say how it must end; None where it has no sense in this state.

    Then the state is as it was, and the step is to be left out: steps lose their ground when a program is reduced.
    """
    if isinstance(step, (s.Map, s.MapDmabuf, s.MapShared, s.Unmap, s.Protect, s.Advise, s.Move, s.Resize)) and not (
        _in_slot(state, step) and (state.traits.splits or not _splits(state, step))
    ):
        return None
    return _RULES[type(step)](state, step)


def slot_pages(state: State) -> int:
    """Pages of a mapping's slot: room for twice the largest buffer."""
    return 2 * state.limits.buffer_pages


def _in_slot(state: State, step: s.Step) -> bool:
    first, count = getattr(step, "first", 0), getattr(step, "count", 0)
    return max(first + count, first + getattr(step, "pages", 0)) <= slot_pages(state)


def _splits(state: State, step: s.Step) -> bool:
    """Whether a VMA would start inside one of today; only Unmap and Resize may cut one off at its end."""
    if isinstance(step, s.Unmap):
        return state.starts_inside(step.mapping, step.first + step.count)
    if isinstance(step, s.Resize):
        return step.pages < step.count and state.starts_inside(step.mapping, step.first + step.count)
    if isinstance(step, (s.Protect, s.Move)) or (isinstance(step, s.Advise) and step.advice in CHANGES_FLAGS):
        return state.starts_inside(step.mapping, step.first, step.first + step.count)
    return False


def _create(state: State, step: s.Create) -> Expected | None:
    held, file = state.handles.get(step.handle), state.files.get(step.file)
    if file is None or (held is not None and held.alive) or step.pages > state.limits.buffer_pages:
        return None
    granule = state.traits.granule_pages
    pages = -(-step.pages // granule) * granule
    if state.live_pages() + pages > state.limits.live_pages:
        return None
    if file.gone:
        return Expected(errno.ENODEV)
    file.made += 1
    fresh = ZERO if state.traits.fresh_is_zero else UNKNOWN
    state.handles[step.handle] = Handle(file, Body([fresh] * pages))
    return Expected()


def _map(state: State, step: s.Map) -> Expected | None:
    handle, file = state.handles.get(step.handle), state.files.get(step.file)
    if state.vmas(step.mapping) or handle is None or file is None or not handle.alive:
        return None
    if not state.traits.fake_offset and file is not handle.file:
        return None
    if file.gone is not handle.file.gone:
        return None
    if file.gone:
        return Expected(errno.ENODEV)
    number = _too_long(state, handle.body, step.pages)
    if number == OK and state.handle_in(file, handle.body) is None:
        number = errno.EACCES
    return _mapped(state, step, handle.body, number)


def _map_dmabuf(state: State, step: s.MapDmabuf) -> Expected | None:
    body = state.dmabufs.get(step.dmabuf)
    if body is None or body.gone or state.vmas(step.mapping) or state.traits.prime_flags is None:
        return None
    return _mapped(state, step, body, errno.EINVAL if step.pages > body.pages else OK)


def _map_shared(state: State, step: s.MapShared) -> Expected | None:
    if step.shared >= len(state.shared) or state.shared[step.shared].gone or state.vmas(step.mapping):
        return None
    body = state.shared[step.shared]
    return _mapped(state, step, body, _too_long(state, body, step.pages))


def _too_long(state: State, body: Body, pages: int) -> int:
    return errno.EINVAL if pages > body.pages and not state.traits.beyond else OK


def _mapped(state: State, step: s.Map | s.MapDmabuf | s.MapShared, body: Body, number: int) -> Expected:
    if number == OK:
        prime = isinstance(step, s.MapDmabuf)
        forked = "dc" not in state.traits.flags(prime=prime)
        state.mappings[step.mapping] = [Vma(0, step.pages, body, 0, step.prot, forked, prime)]
    return Expected(number)


def _access(state: State, step: s.Read | s.Write) -> Expected | None:
    if step.first + step.count > slot_pages(state):
        return None
    found = accesses_of(state, step, in_child=False)
    return None if found is None else Expected(OK, tuple(found))


def _fork(state: State, step: s.Fork) -> Expected | None:
    found: list[Access] = []
    for access in step.accesses:
        made = accesses_of(state, access, in_child=True) if access.first + access.count <= slot_pages(state) else None
        found += made or ()
    return Expected(OK, tuple(found)) if found else None


def _unmap(state: State, step: s.Unmap) -> Expected:
    gone = state.split(step.mapping, step.first, step.first + step.count)
    state.mappings[step.mapping] = [vma for vma in state.vmas(step.mapping) if vma not in gone]
    return Expected()


def _protect(state: State, step: s.Protect) -> Expected:
    """A hole ends it with ENOMEM, and what lies before the hole has changed (mm/mprotect.c)."""
    at = step.first
    for vma in state.split(step.mapping, step.first, step.first + step.count):
        if vma.first != at:
            break
        vma.prot, at = step.prot, vma.last
    return Expected(OK if at == step.first + step.count else errno.ENOMEM)


def _advise(state: State, step: s.Advise) -> Expected:
    return Expected(advise(state, step))


def _move(state: State, step: s.Move) -> Expected | None:
    last = step.first + step.count
    if step.to == step.mapping or state.vmas(step.to) or state.inside_one(step.mapping, step.first, last) is None:
        return None
    (moved,) = state.split(step.mapping, step.first, last)
    state.mappings[step.mapping].remove(moved)
    moved.first = 0
    state.mappings[step.to] = [moved]
    return Expected()


def _resize(state: State, step: s.Resize) -> Expected | None:
    """VM_DONTEXPAND and VM_PFNMAP do not grow: EFAULT; other VMAs grow in place where there is room, else ENOMEM."""
    last, wanted = step.first + step.count, step.first + step.pages
    vma = state.inside_one(step.mapping, step.first, last)
    if vma is None:
        return None
    if wanted <= last:
        _unmap(state, s.Unmap(step.mapping, wanted, last - wanted)) if wanted < last else None
        return Expected()
    if state.traits.flags(prime=vma.prime) & {"de", "pf"}:
        return Expected(errno.EFAULT)
    if any(run.vma for run in state.runs(step.mapping, last, wanted)):
        return Expected(errno.ENOMEM)
    vma.count = wanted - vma.first
    return Expected()


def _open(state: State, step: s.Open) -> Expected | None:
    if not state.traits.drm or step.file in state.files or state.unbound:
        return None
    state.files[step.file] = File()
    return Expected()


def _close(state: State, step: s.Close) -> Expected | None:
    if not state.traits.drm or step.file not in state.files:
        return None
    file = state.files.pop(step.file)
    for handle in state.handles.values():
        if handle.file is file and handle.alive:
            handle.died = file.made
    return Expected()


def _on_handle(state: State, slot: int) -> Handle | None:
    """The handle, where an ioctl on it can be foretold: alive, or dead and nothing has got its number since."""
    handle = state.handles.get(slot)
    if handle is None or handle.alive:
        return handle
    known = state.traits.drm and handle.file in state.files.values() and handle.died == handle.file.made
    return handle if known else None


def _destroy(state: State, step: s.Destroy) -> Expected | None:
    handle = _on_handle(state, step.handle)
    if handle is None:
        return None
    if handle.file.gone:
        return Expected(errno.ENODEV)
    if not handle.alive:
        return Expected(errno.EINVAL)
    handle.died = handle.file.made
    return Expected()


def _locate(state: State, step: s.Locate) -> Expected | None:
    handle = _on_handle(state, step.handle)
    if handle is None or not state.traits.fake_offset:
        return None
    return Expected(errno.ENODEV if handle.file.gone else OK if handle.alive else errno.ENOENT)


def _export(state: State, step: s.Export) -> Expected | None:
    handle = _on_handle(state, step.handle)
    if handle is None or not state.traits.exports or step.dmabuf in state.dmabufs:
        return None
    if handle.file.gone:
        return Expected(errno.ENODEV)
    if not handle.alive:
        return Expected(errno.ENOENT)
    state.dmabufs[step.dmabuf] = handle.body
    return Expected()


def _import(state: State, step: s.Import) -> Expected | None:
    """The same file gets the handle again that it has of the buffer (drm_prime_lookup_buf_handle())."""
    body, file, held = state.dmabufs.get(step.dmabuf), state.files.get(step.file), state.handles.get(step.handle)
    if body is None or file is None or not state.traits.imports or body.gone or (held is not None and held.alive):
        return None
    handle = state.handle_in(file, body)
    if handle is None:
        file.made += 1
        handle = Handle(file, body)
    state.handles[step.handle] = handle
    return Expected()


def _sync(state: State, step: s.Sync) -> Expected | None:
    body = state.dmabufs.get(step.dmabuf)
    return None if body is None or body.gone else Expected()


def _close_dmabuf(state: State, step: s.CloseDmabuf) -> Expected | None:
    return None if state.dmabufs.pop(step.dmabuf, None) is None else Expected()


def _unbind(state: State, _step: s.Unbind) -> Expected | None:
    if not state.traits.unbind or state.unbound:
        return None
    state.unbound = True
    for file in state.files.values():
        file.gone = True
    bodies = [*(h.body for h in state.handles.values()), *state.dmabufs.values(), *state.shared]
    for body in [*bodies, *(vma.body for vmas in state.mappings.values() for vma in vmas)]:
        body.gone = True
    return Expected()


def _bind(state: State, _step: s.Bind) -> Expected | None:
    if not state.unbound:
        return None
    state.unbound = False
    return Expected()


_RULES: dict[type[s.Step], Callable[[State, Any], Expected | None]] = {
    s.Create: _create, s.Map: _map, s.Write: _access, s.Read: _access, s.Unmap: _unmap, s.Destroy: _destroy,
    s.Protect: _protect, s.Advise: _advise, s.Move: _move, s.Resize: _resize, s.Fork: _fork, s.Open: _open,
    s.Close: _close, s.Locate: _locate, s.Export: _export, s.Import: _import, s.MapDmabuf: _map_dmabuf, s.Sync: _sync,
    s.CloseDmabuf: _close_dmabuf, s.MapShared: _map_shared, s.Unbind: _unbind, s.Bind: _bind,
}

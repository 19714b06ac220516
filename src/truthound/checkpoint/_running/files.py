"""From files that arrive to runs, and what a store knows of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from truthound.async_core._disk import from_disk
from truthound.async_core._telling import FileChange
from truthound.checkpoint._running.drivers import PushDriver
from truthound.checkpoint._threads import SOURCES, in_thread
from truthound.checkpoint.triggers._landing import Arrival, Landing
from truthound.checkpoint.triggers._seen import Print, Seen, modified_of, signature_of
from truthound.errors import StoreError, TriggerError
from truthound.store import RunState

if TYPE_CHECKING:
    from truthound.checkpoint._running.active import ActiveRun
    from truthound.checkpoint._running.entry import Entry
    from truthound.checkpoint.triggers.file_watch import FileWatchTrigger
    from truthound.store import Store

ROWS = 2_000  # files of which one transaction writes
TRIES = 5  # begun runs of a file that ended with their process
LONE = 3  # of them such that no other file had a run beside
SUSPECT = 2  # such runs, after which a file has its run alone
LOOKED_AT = 1_000  # runs that were cut off, the latest
TOLD = ("file", "file_modified", "file_size")


class FileDriver(PushDriver):
    """For triggers that watch files: a store knows which of them were checked.

    A file is taken as checked when the end of its run is in the store. Whatever ends
    the process before, the file has a run after the next start.
    """

    trigger: FileWatchTrigger

    def __init__(self, trigger: FileWatchTrigger, entry: Entry) -> None:
        super().__init__(trigger, entry)
        self._kept: dict[int, str] = {}  # where a store keeps them, by landing
        self._is_saving = False
        self._suspects: set[tuple[Any, ...]] = set()
        self._lone: list[Arrival] | None = None  # what runs alone

    async def begin(self) -> None:
        trigger = self.trigger
        landings = await from_disk(trigger.anew)
        if self.entry.runs.ledger is not None:
            for landing in landings:
                try:
                    await self._load(landing)
                except StoreError as error:  # as if there were no store, for now
                    self.failed(error)
            await from_disk(self._take_over)
            await self._leave_out()
            trigger.on_seen = self._save_soon
        await super().begin()

    async def end(self) -> None:
        await super().end()
        self.trigger.on_seen = None

    def can_run(self) -> bool:
        """Tell whether a run may be started now: one of a suspect is alone."""
        if self._lone is not None or not super().can_run():
            return False
        return not self.entry.running or not self._is_suspect(self.trigger.next_up())

    def _is_suspect(self, arrival: Arrival | None) -> bool:
        """Tell whether runs of a file have ended with their process."""
        if arrival is None or arrival.found is None or not self._suspects:
            return False
        moment, size = arrival.found.signature
        return (arrival.path, modified_of((moment, size)), size) in self._suspects

    def start_run(
        self,
        reason: str,
        context: Mapping[str, Any] | None,
        *,
        is_owed: bool = False,
        slot: tuple[str, bool] | None = None,
        on_gone: Callable[[ActiveRun], None] | None = None,
    ) -> None:
        """Start a run for what was taken, and note when its end is in the store."""
        taken, self.trigger.taken = self.trigger.taken, []
        if taken and self._kept and on_gone is None:
            on_gone = partial(self._ended, taken)
            if self.trigger.config.per_file and self._is_suspect(taken[0]):
                self._lone = taken
        super().start_run(reason, context, is_owed=is_owed, slot=slot, on_gone=on_gone)

    def _ended(self, arrivals: list[Arrival], run: ActiveRun) -> None:
        if arrivals is self._lone:
            self._lone = None
        if not run.is_kept or run.verdict is not None:
            return  # the next start finds the files again
        for arrival in arrivals:
            seen, below = arrival.landing.seen, arrival.landing.below(arrival.path)
            if arrival.found is None:
                seen.unsaved[below] = None
            else:
                seen.keep(below, arrival.found)
        self._save_soon()

    # ---------------------------------------------------------------- the store

    async def _load(self, landing: Landing) -> None:
        """Read which files were checked; at the first start note that it is that.

        Raises:
            StoreError: it cannot be read.
        """
        store, entry = self.entry.runs.ledger.store, self.entry  # type: ignore[union-attr]
        key = await from_disk(partial(self._key, landing.whole_path))
        state = await in_thread(partial(store.cursor, key), SOURCES)
        seen = landing.seen
        if state is None:
            before = entry.place_before(self.trigger)
            old = f"{entry.name}|{before}|{landing.whole_path}"
            state = await in_thread(partial(store.cursor, old), SOURCES)
            if state is not None:
                await in_thread(partial(_moved, store, old, key), SOURCES)
                await store.set_cursor(key, state)
        if isinstance(state, dict) and isinstance(state.get("since"), int):
            seen.since, seen.is_whole = state["since"], bool(state.get("whole"))
            seen.load(await in_thread(partial(store.load, key), SOURCES))
        else:
            # What is there already does not count: it is written down, so that a
            # change of its permissions does not make it look as if it had just come.
            await store.set_cursor(key, {"since": seen.since, "whole": False})
            seen.is_whole = False
        self._kept[id(landing)] = key

    def _key(self, path: str) -> str:
        """Return where a store keeps what is known of a place. Blocks."""
        place = self.entry.place_of(
            self.trigger, lambda other: path in other.whole_paths()
        )
        return f"{self.entry.name}|{place}|{path}"

    def _take_over(self) -> None:
        """See which files are those of runs that are run again. Blocks."""
        name = self.trigger.name
        for run in list(self.entry.runs.active.values()):
            if run.name != self.entry.name or run.trigger != name or not run.context:
                continue
            files = run.context.get("files")
            arrivals = []
            for path in files if isinstance(files, list) else ():
                landing = self.trigger.landing_of(str(path))
                signature = signature_of(str(path))
                if landing is None or signature is None or landing.is_by_folder:
                    continue
                found = Print(signature)
                landing.seen.count(landing.below(str(path)), found)
                change = FileChange.CREATED
                arrivals.append(Arrival(landing, str(path), change, found, ()))
            if arrivals:
                run.on_gone = partial(self._ended, arrivals, run)

    async def _leave_out(self) -> None:
        """Leave out files whose runs have ended the process again and again.

        Else it would never come to the others. Those that may only have run beside such
        a file have their next run alone, and are left out only for lone ones.
        """
        from truthound.store._recovery import GIVEN_UP, GONE

        entry, store = self.entry, self.entry.runs.ledger.store  # type: ignore[union-attr]
        states = (RunState.INTERRUPTED, RunState.FAILED)
        ask = partial(store.runs, entry.name, states=states, limit=LOOKED_AT)
        tries: Counter[tuple[Any, ...]] = Counter()
        ended: dict[str, list[tuple[tuple[Any, ...], int]]] = {}  # by process
        try:
            for record in await in_thread(ask, SOURCES):
                context = record.context
                said = (GONE, GIVEN_UP.format(record.attempt))
                is_gone = record.error in said and record.began_at is not None
                if is_gone and record.trigger == self.trigger.name:
                    told = tuple(context.get(key) for key in TOLD)
                    tries[told] += record.attempt
                    ended.setdefault(record.owner, []).append((told, record.attempt))
        except StoreError as error:
            self.failed(error)
        self._suspects = {told for told, number in tries.items() if number >= SUSPECT}
        lone: Counter[tuple[Any, ...]] = Counter()
        for found in ended.values():
            if len(found) == 1:
                lone[found[0][0]] += found[0][1]
        poison = [t for t, n in tries.items() if n >= TRIES and lone[t] >= LONE]
        for path in await from_disk(partial(self._left_out, poison)):
            self.failed(
                TriggerError(
                    f"{path}: {TRIES} runs of it have ended with their process; it is "
                    "left out until it changes"
                )
            )

    def _left_out(self, poison: Sequence[tuple[Any, ...]]) -> list[str]:
        """Take those files as known that are still what they were. Blocks."""
        found = []
        for path, moment, size in poison:
            landing, signature = self.trigger.landing_of(str(path)), signature_of(path)
            if landing is None or signature is None or landing.is_by_folder:
                continue
            if (modified_of(signature), signature[1]) == (moment, size):
                landing.seen.count(landing.below(path), Print(signature))
                found.append(path)
        return found

    def _save_soon(self) -> None:
        if not self._is_saving and self._kept:
            self._is_saving = True
            self.entry.runs.spawn(self._save())

    async def _save(self) -> None:
        """Write down what is known of files; what cannot be is tried with the next."""
        try:
            for landing in self.trigger.landings():
                key = self._kept.get(id(landing))
                if key is not None:
                    await self._save_of(landing, key)
        except StoreError as error:
            self.failed(error)
        finally:
            self._is_saving = False

    async def _save_of(self, landing: Landing, key: str) -> None:
        store = self.entry.runs.ledger.store  # type: ignore[union-attr]
        seen = landing.seen
        while seen.unsaved:
            taken = seen.take_unsaved(ROWS)
            parts, removed = Seen.as_parts(taken)
            try:
                await in_thread(partial(store.save, key, parts, removed), SOURCES)
            except BaseException:
                seen.unsaved = {**taken, **seen.unsaved}
                raise
        if not seen.is_whole and not landing.is_first_look:
            await store.set_cursor(key, {"since": seen.since, "whole": True})
            seen.is_whole = True


def _moved(store: Store, old: str, key: str) -> None:
    """Keep what is known of a place under another name. Blocks."""
    parts = list(store.load(old))
    for start in range(0, len(parts), ROWS):
        store.save(key, parts[start : start + ROWS], [])

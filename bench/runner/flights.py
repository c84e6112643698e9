"""Tasks that were sent to Ray and have not come back: lost ones go again, late ones are ended.

Ray itself tries nothing again (max_retries=0): only here is it known why a task ended, and what it
may cost. A node that goes away costs a task nothing; a process that dies of it costs a try.
"""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.runner import board, nodes
from bench.runner.board import Place
from bench.runner.isolation import WorkFailed
from bench.runner.wardens import Wardens
from bench.runner.worker import Job

TRIES = 3
"""How often a task runs whose process dies of it."""

POLL_S = 2.0
"""Between two looks at the board."""

SILENT_S = 30.0
"""Without a sign of life, after which a process is looked at on its node; and again, after which
the node counts as silent."""

QUIET_S = 15.0
"""Without an end or a sign of life, after which it is said what the run waits for."""

SETTLE_S = 60.0
"""What Ray gets to end by itself the tasks of a node that has gone."""

FORGET_S = 600.0
"""What Ray's requests to a node that has frozen take at most to fail by themselves."""

PREPARING_S = 600.0
"""For a worker's imports."""


@dataclass(frozen=True)
class Failed:
    """A task's end. reason: in a line; died: by the death of its process, each time?"""

    reason: str
    died: bool = False


@dataclass(frozen=True)
class Overdue:
    """A task was killed after so many seconds, its limit."""

    limit: float


@dataclass(frozen=True)
class InputLost:
    """What a task starts from was on a node that has gone."""


AGAIN = object()
"""Of a task that runs again: its end is no end."""


@dataclass
class Flight:
    """A task on its way. about: for whoever sent it, and where it has a `cpu`, that is the CPU type
    that the task is for; launch: sends it, returns what `Flights` waits for; limit: seconds."""

    about: Any
    name: str
    launch: Callable[[Job], Any]
    limit: float
    token: str = ""
    sent: float = 0.0
    place: Place | None = None
    since: float = 0.0  # when it was first seen at what it does now
    beat_at: float = 0.0  # when its process last gave a sign of life
    killed: float | None = None  # when, for its time
    crashes: list[str | None] = field(default_factory=list)  # nodes where its process died

    @property
    def cpu(self) -> str | None:
        return getattr(self.about, "cpu", None)


class Flights:
    """All tasks that this driver has in flight.

    local: is this Ray on this machine alone? able: node -> how many tasks run there at once, for
    those of a CPU type; said: for what somebody should know at once; log: takes an event and its
    fields.
    """

    def __init__(
        self,
        local: bool,
        able: Callable[[str | None], Mapping[str, int]],
        said: Callable[[str], None],
        log: Callable[..., None],
    ) -> None:
        self._able, self._said, self._log = able, said, log
        self._wardens = Wardens(local)
        self._flying: dict[Any, Flight] = {}
        self._again: list[Flight] = []
        self._sent = 0
        self._now = 0.0  # seconds in which this driver was awake
        self._ticked = time.monotonic()
        self._looked = self._landed_at = 0.0
        # CPU type -> since when fewer tasks for it run than could
        self._idle_since: dict[str | None, float] = {}
        self._alive: set[str] = set()
        self._gone: dict[str, float] = {}  # node -> when it went, or fell silent

    def of(self, *kinds: type) -> list[Flight]:
        """Those whose `about` is of one of these types."""
        both = (*self._flying.values(), *self._again)
        return [flight for flight in both if isinstance(flight.about, kinds)]

    @property
    def silent(self) -> Collection[str]:
        """Nodes that do not answer and are not known to be dead."""
        return self._wardens.silent

    @property
    def away(self) -> Collection[str]:
        """Nodes that a task is kept from: silent ones, and those that went of late. Tasks that are
        kept from the same nodes share Ray's requests for workers, and such a request may wait for a
        node that has gone."""
        recent = self._now - FORGET_S
        return {*self.silent, *(node for node, at in self._gone.items() if at > recent)}

    def send(self, about: Any, name: str, launch: Callable[[Job], Any], limit: float) -> None:
        self._launch(Flight(about, name, launch, limit))

    def _launch(self, flight: Flight) -> None:
        self._sent += 1
        flight.token, flight.sent = str(self._sent), self._now
        flight.place, flight.killed = None, None
        apart = bool(self._tries(flight))
        self._flying[flight.launch(Job(flight.token, apart))] = flight

    def _tries(self, flight: Flight) -> int:
        """How often its process has died of it: not where the node went too."""
        return sum(node is None or node not in self._gone for node in flight.crashes)

    def landed(self, patience: float | None) -> list[tuple[Any, Any]]:
        """What has ended, as (about, its value or Failed, Overdue or InputLost): as soon as
        something has, and after `patience` seconds whatever has."""
        import ray

        while self._again:
            self._launch(self._again.pop())
        refs = list(self._flying)
        wait = POLL_S if patience is None else min(patience, POLL_S)
        ray.wait(refs, timeout=wait)
        ready: list[Any] = ray.wait(refs, num_returns=len(refs), timeout=0)[0]
        found = []
        for ref in ready:
            flight = self._flying.pop(ref)
            ended = self._ended(ref, flight)
            self._note_end(flight, ended)
            if ended is AGAIN:
                self._again.append(flight)
            else:
                found.append((flight.about, ended))
                self._landed_at = self._now
        self._tick()
        if self._now - self._looked >= POLL_S:
            found += self._look()
            self._looked = self._now
        return found

    def _note_end(self, flight: Flight, ended: Any) -> None:
        how = "again" if ended is AGAIN else type(ended).__name__.lower()
        about = {"node": flight.place.node[:8], "pid": flight.place.pid} if flight.place else {}
        why = {"why": ended.reason} if isinstance(ended, Failed) else {}
        self._log(
            "task",
            name=flight.name,
            flown_s=round(self._now - flight.sent, 3),
            end=how,
            **about,
            **why,
        )

    def _tick(self) -> None:
        """Let time pass: of a driver that was stopped, or whose machine slept, only a little."""
        now = time.monotonic()
        self._now += min(now - self._ticked, 5 * POLL_S)
        self._ticked = now

    def _ended(self, ref: Any, flight: Flight) -> Any:
        """The value of a task, what has ended it, or AGAIN."""
        import ray
        from ray import exceptions

        try:
            return ray.get(ref)
        except exceptions.RayTaskError as error:
            if isinstance(error.cause, exceptions.ObjectLostError):
                return InputLost()
            return Failed(reason(error))
        except (exceptions.NodeDiedError, exceptions.TaskCancelledError):
            return Overdue(flight.limit) if flight.killed else AGAIN
        except exceptions.WorkerCrashedError as error:
            if flight.killed:
                return Overdue(flight.limit)
            return self._crashed(flight, reason(error))
        except exceptions.OutOfMemoryError as error:
            return self._crashed(flight, reason(error))
        except exceptions.ObjectLostError as error:
            own = error.object_ref_hex == ref.hex()
            return AGAIN if own else InputLost()
        except exceptions.RayError as error:
            return Failed(reason(error))

    def _crashed(self, flight: Flight, why: str) -> Any:
        place = flight.place or board.read().get(flight.token)
        flight.crashes.append(place.node if place else None)
        self._notice_gone()
        return Failed(why, died=True) if self._tries(flight) >= TRIES else AGAIN

    def _notice_gone(self) -> None:
        there = set(nodes.alive())
        for node in self._alive - there:
            self._gone[node] = self._now
            self._said(f"node {node[:8]} has gone; what ran there runs again elsewhere")
        for node in there - set(self.silent):
            self._gone.pop(node, None)  # it answers again
        self._alive = there

    def _look(self) -> list[tuple[Any, Any]]:
        """Look at the board: who is late, who is silent, whose node has gone. Returns what has
        ended by that."""
        places = board.read()
        for node in self._wardens.fallen_silent():
            self._gone[node] = self._now
            self._said(f"node {node[:8]} does not answer; what ran there runs again elsewhere")
        self._notice_gone()
        for flight in self._flying.values():
            if place := places.get(flight.token):
                self._note(flight, place)
        self._note_idleness()
        ended = []
        for ref, flight in list(self._flying.items()):
            if self._is_lost(flight):
                self._drop(ref)
                self._note_end(flight, AGAIN if flight.killed is None else Overdue(flight.limit))
                if flight.killed is None:
                    if flight.place is None:
                        self._said(f"{flight.name}: no worker has begun it; it is sent again")
                    self._again.append(flight)
                else:
                    ended.append((flight.about, Overdue(flight.limit)))
            elif flight.place is not None:
                self._check(flight, flight.place)
        return ended

    def _note(self, flight: Flight, place: Place) -> None:
        before = flight.place
        if before is None or before.phase != place.phase:
            flight.since = self._now
        if before is None or before.beat != place.beat:
            flight.beat_at = self._now
        flight.place = place

    def _note_idleness(self) -> None:
        """Since when do fewer tasks run than could, though others wait? By CPU type."""
        places = [flight.place.node for flight in self._flying.values() if flight.place]
        waiting = {flight.cpu for flight in self._flying.values() if flight.place is None}
        idle = {}
        for cpu in waiting:
            able = self._able(cpu)
            if sum(node in able for node in places) < sum(able.values()):
                idle[cpu] = self._idle_since.get(cpu, self._now)
        self._idle_since = idle

    def _is_lost(self, flight: Flight) -> bool:
        """Did its node go? Or does it wait for a process that will never take it?"""
        long_ago = self._now - SETTLE_S
        if flight.place is not None:
            gone = self._gone.get(flight.place.node)
            return gone is not None and (flight.place.node in self.silent or gone < long_ago)
        idle = self._idle_since.get(flight.cpu, long_ago) < long_ago
        return flight.sent < long_ago and (
            idle or any(flight.sent < gone < long_ago for gone in self._gone.values())
        )

    def _check(self, flight: Flight, place: Place) -> None:
        limit = PREPARING_S if place.phase == board.PREPARES else flight.limit
        if self._now - flight.since > limit:
            if flight.killed is None:
                flight.killed = self._now
            self._wardens.kill(place)
        elif self._now - flight.beat_at > SILENT_S and self._wardens.is_stopped(place):
            self._said(f"{flight.name}: its process was stopped; it is ended and runs again")
            self._wardens.kill(place)

    def _drop(self, ref: Any) -> None:
        import ray

        del self._flying[ref]
        ray.cancel(ref, force=True)

    def waits(self) -> str | None:
        """What everything waits for, where nothing has ended for a while."""
        now = self._now
        if now - self._landed_at < QUIET_S or not self._flying:
            return None
        run = [flight for flight in self._flying.values() if flight.place is not None]
        if not run:
            return f"{len(self._flying)} tasks wait for a worker"
        first = min(run, key=lambda flight: flight.since)
        said = f"{first.name} runs for {_minutes(now - first.since)}"
        silent = now - first.beat_at
        if silent > QUIET_S:
            said += f", without a sign of life for {_minutes(silent)}"
        return said


def reason(error: Exception) -> str:
    """What a task ended with, in a line."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, WorkFailed):
        return str(cause)
    error = error if cause is None else cause
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[-1]}"[:500]


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"

"""Nodes: what a Ray cluster consists of by now, and whether it is there at all.

While the head is gone, a call to Ray waits for a minute, and then Ray ends the process in words of its own.
So a thread knocks at the head, asks it for its nodes only when it answers, and leaves in time when it does
not.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from gnap_search.contracts import Listener
from gnap_search.errors import REFUSED
from gnap_search.search import interruption, resources
from gnap_search.search.resources import Resources

PERIOD = 1.0  # seconds between two looks
PATIENCE = 20.0  # seconds without an answer, which a loaded head may need; Ray itself has 60

Present = Callable[[], Sequence[Resources]]


def living() -> list[Resources]:
    """What each node has that Ray believes to be alive."""
    return _counted(_resources())


@contextlib.contextmanager
def watched(address: str | None, available: Sequence[Resources], way_on: str) -> Iterator[Present]:
    """The nodes that trials run on: what is available here, or at an address what was there at the last look.

    When the cluster's head has been silent for `PATIENCE` seconds, or has held this machine for dead as long,
    the process ends with a sentence that has the `way_on`, in the user's words. No exception could end it:
    its main thread may wait within Ray.
    """
    if address is None:
        yield lambda: available
        return
    watch = _Watch(
        f"The Ray cluster at {address} is gone, or this machine is no part of it any more; "
        f"start one again, then go on with {way_on} and the --address of its head."
    )
    thread = threading.Thread(target=watch.look_on, daemon=True)
    thread.start()
    try:
        yield lambda: watch.present
    finally:
        watch.over.set()
        thread.join()


class Room:
    """How many trials run at once; the listener is told when nodes come or go."""

    def __init__(self, present: Present, trial: Resources, listener: Listener) -> None:
        self._present, self._trial, self._listener = present, trial, listener
        self._seen: tuple[Sequence[Resources], int] | None = None  # nodes, and how many trials fit on them
        self._told = self._fits()

    def __call__(self) -> int:
        fits = self._fits()
        if fits != self._told:
            waiting = "" if fits else ", so they wait for a node"
            self._listener.message(f"Nodes came or went: {fits} at a time, {self._told} before{waiting}.")
            self._told = fits
        return fits

    def _fits(self) -> int:
        present = list(self._present())
        if self._seen is None or self._seen[0] != present:  # asked at every event; they seldom change
            self._seen = present, resources.workers(present, self._trial)
        return self._seen[1]


class _Watch:
    """Looks at the cluster that this process has joined, time and again."""

    def __init__(self, obituary: str) -> None:
        import ray

        context = ray.get_runtime_context()
        self._own, self._obituary = context.get_node_id(), obituary
        host, _, port = context.gcs_address.rpartition(":")
        self._head = host.strip("[]"), int(port)
        self._seen = time.monotonic()
        self.present: Sequence[Resources] = living()
        self.over = threading.Event()

    def look_on(self) -> None:
        """Look until it is over, or until there is nothing to be seen."""
        while not self.over.wait(PERIOD):
            if self._answers() and self._look():
                self._seen = time.monotonic()
            elif time.monotonic() - self._seen > PATIENCE:
                _leave(self._obituary)

    def _answers(self) -> bool:
        try:
            socket.create_connection(self._head, timeout=PERIOD).close()
        except OSError:
            return False
        return True

    def _look(self) -> bool:
        """Take in what there is; whether this machine is among it."""
        from ray.exceptions import RayError

        try:
            found = _resources()
        except RayError:  # the head went while it was asked
            return False
        self.present = _counted(found)
        return self._own in found


def _resources() -> dict[str, dict[str, float]]:
    """Node -> what it has, of the nodes that Ray believes to be alive."""
    import ray

    found = ray.nodes()  # type: ignore[no-untyped-call]  # Ray is annotated in part
    return {node["NodeID"]: node["Resources"] for node in found if node["Alive"]}


def _counted(found: Mapping[str, Mapping[str, float]]) -> list[Resources]:
    return [Resources(held.get("CPU", 0), held.get("GPU", 0)) for held in found.values()]


def _leave(sentence: str) -> None:
    """End the process as after all that the user can mend."""
    with contextlib.suppress(Exception):  # closed or full, standard output must keep nobody here
        sys.stdout.flush()
    interruption.leave(REFUSED, sentence)

"""Interruption: Ctrl-C once ends a study gently, twice at once; so does the end of its time, gently.

Nothing is lost in any of these ways.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NoReturn

from gnap_search.errors import INTERRUPTED

SHOW_CURSOR = b"\x1b[?25h\n"  # a live view may have hidden it
SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def handled(gently: Callable[[], None]) -> Iterator[threading.Event]:
    """Call `gently` at the first signal to stop, leave the process at the second.

    `gently` runs in a thread of its own, because it may print, and a signal may come within a print.
    Ray's own processes block SIGINT, and go when their driver does. Nothing is done in other threads.

    Yields:
        An event that is set once a signal came.
    """
    if threading.current_thread() is not threading.main_thread():
        yield threading.Event()
        return
    asked, ending = threading.Event(), threading.Thread(target=gently, daemon=True)

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        if asked.is_set():
            leave(INTERRUPTED)
        asked.set()
        ending.start()

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if asked.is_set():
            ending.join()


@contextlib.contextmanager
def timed(seconds: float | None, gently: Callable[[], None]) -> Iterator[threading.Event]:
    """Call `gently` after so many seconds, if this block lasts as long.

    Yields:
        An event that is set once the time was over.
    """
    over = threading.Event()
    if seconds is None:
        yield over
        return

    def end() -> None:
        over.set()
        gently()

    timer = threading.Timer(max(seconds, 0), end)
    timer.daemon = True
    timer.start()
    try:
        yield over
    finally:
        timer.cancel()
        timer.join()


def leave(code: int, sentence: str = "") -> NoReturn:
    """End this process at once, from any thread, with a sentence for the user where there is one.

    What is waiting in a stream of Python's is lost: to write it might take for ever.
    """
    with contextlib.suppress(OSError):  # the terminal may be gone
        if os.isatty(1):
            os.write(1, SHOW_CURSOR)
    with contextlib.suppress(OSError):  # standard error may be closed, or on a full disk
        if sentence:
            os.write(2, f"gnap-search: {sentence}\n".encode())
    os._exit(code)

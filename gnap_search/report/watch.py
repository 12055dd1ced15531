"""Watch: the listener that suits where the output goes."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from rich.console import Console

from gnap_search.contracts import Listener
from gnap_search.report.quiet import Quiet


@contextlib.contextmanager
def watch(title: str) -> Iterator[Listener]:
    """A live view on a terminal, plain lines elsewhere, nothing where standard output is closed."""
    console = Console(markup=False, emoji=False)  # settings may hold [brackets] and :colons:
    if sys.stdout is None:
        yield Quiet()
    elif console.is_terminal and not console.is_dumb_terminal:
        from gnap_search.report.live import LiveView

        with LiveView(console, title) as view:
            yield view
    else:
        from gnap_search.report.lines import Lines

        yield Lines(sys.stdout)

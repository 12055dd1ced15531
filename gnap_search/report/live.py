"""Live: a study on a terminal, redrawn in place: progress, running trials, failures, the growing front."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from gnap_search.front import Front
from gnap_search.report import canvas, wording
from gnap_search.report.tally import Running, Tally
from gnap_search.results import Point

WIDEST = 100  # characters; more only pulls the columns apart
PHASE_STYLES = {"warm-up": "blue", "growing": "green", "pruning": "yellow", "finishing": "cyan"}
MOST_TRIALS = 12  # rows of running trials
MOST_FAILURES = 3  # the newest ones; `gnap-search show` has them all


class LiveView:
    """A listener and a context: within it the view is on the screen, and after it the last picture stays."""

    def __init__(self, console: Console, title: str) -> None:
        self._tally = Tally()
        self._title, self._console = title, console
        self._live = Live(console=console, get_renderable=self._picture, refresh_per_second=4)

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def study_started(self, settled: int, target: int, workers: int, front: Front) -> None:
        self._tally.study_started(settled, target, workers, front)

    def trial_started(self, trial: int, settings: Mapping[str, Any], epochs: int) -> None:
        self._tally.trial_started(trial, settings, epochs)

    def epoch_ended(self, point: Point, front: Front) -> None:
        self._tally.epoch_ended(point, front)

    def trial_ended(self, trial: int, failure: str | None, *, again: bool = False) -> None:
        self._tally.trial_ended(trial, failure, again=again)

    def message(self, text: str) -> None:
        self._console.print(Text(text, style="yellow"))

    def _picture(self) -> RenderableType:
        width, height = self._console.size
        return picture(self._title, self._tally, min(width, WIDEST), height)


def picture(title: str, tally: Tally, width: int = 80, height: int = 24) -> RenderableType:
    """Everything that the view shows at this moment."""
    parts: list[RenderableType] = [Text(title, style="bold"), _progress(tally, width)]
    if tally.running:
        parts.append(_running(dict(tally.running), width))
    failures = list(tally.failures.items())[-MOST_FAILURES:]
    parts.extend(_failure(trial, reason) for trial, reason in failures)
    if len(tally.failures) > MOST_FAILURES:
        parts.append(Text(f"  and {len(tally.failures) - MOST_FAILURES} failures before", style="red"))
    taken = 8 + min(len(tally.running), MOST_TRIALS) + len(failures)
    if tally.front.points:
        parts.extend(_front(tally.front, width, rows=max(6, min(14, height - taken))))
    return Group(*parts)


def _progress(tally: Tally, width: int) -> RenderableType:
    if not tally.target:
        return Text("starting", style="dim")
    left = tally.seconds_left
    times = wording.duration(tally.elapsed) + (f", about {wording.duration(left)} left" if left else "")
    words = f" {tally.share:4.0%}  {tally.trials_done} of {tally.target} trials  {times}"
    row = Table.grid()
    bar = ProgressBar(total=1.0, completed=tally.share, width=max(10, width - len(words) - 1))
    row.add_row(bar, Text(words))
    return row


def _running(trials: Mapping[int, Running], width: int) -> RenderableType:
    table = Table(box=None, width=width, pad_edge=False, header_style="dim")
    table.add_column("trial", justify="right")
    table.add_column("epoch", justify="right")
    table.add_column("phase")
    table.add_column("parameters", justify="right")
    table.add_column("validation", justify="right")
    table.add_column("settings", ratio=1, no_wrap=True, overflow="ellipsis", style="dim")
    for trial, running in list(trials.items())[:MOST_TRIALS]:
        table.add_row(
            str(trial), f"{running.epoch}/{running.epochs}", *_newest(running.point), _short(running)
        )
    if len(trials) > MOST_TRIALS:
        table.add_row("", "", "", "", "", f"and {len(trials) - MOST_TRIALS} more")
    return table


def _newest(point: Point | None) -> tuple[RenderableType, str, str]:
    if point is None:
        return Text("starting", style="dim"), "", ""
    phase = Text(point.phase, style=PHASE_STYLES.get(point.phase, ""))
    return phase, wording.count(point.parameters), wording.accuracy(point.validation_accuracy)


def _short(running: Running) -> str:
    return wording.assignments(running.settings)


def _failure(trial: int, reason: str) -> RenderableType:
    return Text(f"trial {trial} failed: {reason}", style="red", no_wrap=True, overflow="ellipsis")


def _front(front: Front, width: int, rows: int) -> list[RenderableType]:
    best = front.best
    words = (
        f"front: {wording.plural(len(front.points), 'point')}, hypervolume {front.hypervolume():.4f}, "
        f"best {wording.accuracy(best.validation_accuracy)} with {wording.count(best.parameters)} parameters"
    )
    drawing = canvas.draw(front.in_parameters().points, columns=width - 2, rows=rows)
    return [Text(words, style="bold"), Text(drawing, no_wrap=True)]

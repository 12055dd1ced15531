"""What one sees of a study while it runs, in lines and in the live view."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from gnap_search.contracts import Listener
from gnap_search.front import Front
from gnap_search.report.lines import PAUSE, Lines
from gnap_search.report.live import LiveView, picture
from gnap_search.report.quiet import Quiet
from gnap_search.report.tally import Running, Tally
from gnap_search.results import Point

MakePoint = Callable[..., Point]
SETTINGS = {"pruning_strength": 3.2e-6, "growth_factor": 1.4}


class Clock:
    """A time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def train(listener: Listener, make_point: MakePoint, trial: int, front: Front, epochs: int = 10) -> None:
    listener.trial_started(trial, SETTINGS, epochs)
    for epoch in range(1, epochs + 1):
        point = make_point(trial, epoch, 2000 - epoch, epoch / 20, "pruning")
        front.add(point)
        listener.epoch_ended(point, front)


def test_progress_counts_epochs_and_what_was_settled_before(make_point: MakePoint) -> None:
    clock = Clock()
    tally, front = Tally(clock), Front()
    tally.study_started(2, 4, 1, front)
    assert tally.share == 0 and tally.seconds_left is None
    tally.trial_started(2, SETTINGS, 10)
    for epoch in range(1, 6):
        clock.now += 3
        tally.epoch_ended(make_point(2, epoch, 100, 0.5), front)
    assert tally.share == pytest.approx((2 * 10 + 5) / 40)
    assert tally.seconds_left == pytest.approx(15 * 3)
    tally.trial_ended(2, None)
    assert tally.trials_done == 3 and tally.share == pytest.approx(0.75)


@pytest.mark.parametrize("end", [None, "the loss became nan again"])
def test_a_trial_that_is_tried_again_is_done_when_the_other_one_is(end: str | None) -> None:
    tally = Tally()
    tally.study_started(0, 2, 1, Front())
    tally.trial_started(0, SETTINGS, 10)
    tally.trial_ended(0, "the loss became nan", again=True)
    assert tally.failures == {0: "the loss became nan"} and tally.trials_done == 0
    tally.trial_started(1, SETTINGS, 10)
    tally.trial_ended(1, end)
    assert tally.trials_done == 1 and len(tally.failures) == (1 if end is None else 2)


def test_a_failure_that_is_not_tried_again_leaves_nothing_to_wait_for(make_point: MakePoint) -> None:
    tally, front = Tally(), Front()
    tally.study_started(0, 1, 1, front)
    train(tally, make_point, 0, front, epochs=3)
    assert tally.trials_done == 0
    tally.trial_ended(0, "the loss became nan")
    assert (tally.trials_done, tally.share, tally.seconds_left) == (1, 1.0, 0)


def test_a_view_looks_on_while_trials_begin() -> None:
    """Rich draws in a thread of its own, and a picture that cannot be drawn would be the last one."""
    tally = Tally()
    tally.study_started(0, 9, 2, Front())

    class Meanwhile(Running):
        """A trial beside which another one begins whenever it is looked at."""

        @property
        def epoch(self) -> int:
            tally.trial_started(len(tally.running), SETTINGS, 10)
            return 1

    tally.running = {trial: Meanwhile(SETTINGS, 10) for trial in range(2)}
    tally.epochs = 10
    assert tally.share == pytest.approx(2 / 90) and len(tally.running) == 4


def test_lines_tell_start_end_and_failure(make_point: MakePoint) -> None:
    stream, front = io.StringIO(), Front()
    lines = Lines(stream, Clock())
    lines.study_started(1, 3, 2, front)
    train(lines, make_point, 1, front)
    lines.trial_ended(1, None)
    lines.trial_started(2, SETTINGS, 10)
    lines.trial_ended(2, "the loss became nan", again=True)
    lines.message("something to know")
    assert stream.getvalue().splitlines() == [
        "3 trials, 2 at a time, 1 of them settled before",
        "trial 1 starts: pruning_strength 3.2e-06, growth_factor 1.4",
        "trial 1 finished: 1,990 parameters, 50.00 % validation; 2 of 3 trials, 1 front point",
        "trial 2 starts: pruning_strength 3.2e-06, growth_factor 1.4",
        "trial 2 failed: the loss became nan; 2 of 3 trials, 1 front point",
        "something to know",
    ]


def test_lines_speak_of_epochs_only_now_and_then(make_point: MakePoint) -> None:
    stream, clock, front = io.StringIO(), Clock(), Front()
    lines = Lines(stream, clock)
    lines.study_started(0, 1, 1, front)
    lines.trial_started(0, SETTINGS, 100)
    for epoch in range(1, 101):
        clock.now += PAUSE / 10
        lines.epoch_ended(make_point(0, epoch, 2000 - epoch, 0.5), front)
    told = [line for line in stream.getvalue().splitlines() if " epoch " in line]
    assert len(told) == 10
    assert told[4].startswith(
        "trial 0 epoch 50/100: 1,950 parameters, 50.00 % validation, growing; 0 of 1 trials"
    )
    assert told[4].endswith("about 25 s left")


def drawn(tally: Tally, width: int, height: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=False, _environ={})
    console.print(picture("gnap-search pareto", tally, width, height))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("workers", [0, 1, 4, 40])
def test_the_live_picture_fits_its_terminal(make_point: MakePoint, cloud: list[Point], workers: int) -> None:
    tally, front = Tally(), Front(cloud)
    tally.study_started(3, 64, workers, front)
    for trial in range(workers):
        train(tally, make_point, trial, front, epochs=5)
        tally.trial_started(trial, SETTINGS, 20)
    for trial in range(50, 55):
        tally.trial_started(trial, SETTINGS, 20)
        reason = "the training loss became nan in epoch 3, and this reason is rather long, in fact"
        tally.trial_ended(trial, reason, again=True)
    lines = drawn(tally, 80, 40)
    assert max(map(len, lines)) <= 80 and len(lines) <= 40
    text = "\n".join(lines)
    assert "3 of 64 trials" in text
    assert "front: " in text and "and 2 failures before" in text
    assert (f"and {workers - 12} more" in text) == (workers > 12)


def test_the_live_picture_has_size_accuracy_and_phase(make_point: MakePoint) -> None:
    tally, front = Tally(), Front()
    tally.study_started(0, 2, 2, front)
    train(tally, make_point, 0, front)
    tally.trial_started(1, SETTINGS, 10)
    text = "\n".join(drawn(tally, 80, 30))
    for word in ("10/10", "pruning", "1,990", "50.00 %", "starting", "50%", "0 of 2 trials"):
        assert word in text


def test_the_view_leaves_its_last_picture_on_the_terminal(make_point: MakePoint) -> None:
    stream, front = io.StringIO(), Front()
    console = Console(file=stream, width=80, height=30, force_terminal=True, _environ={"TERM": "xterm"})
    with LiveView(console, "gnap-search pareto") as view:
        view.study_started(0, 1, 1, front)
        train(view, make_point, 0, front)
        view.message("something to know")
        view.trial_ended(0, None)
    shown = stream.getvalue()
    assert "something to know" in shown and "1 of 1 trials" in shown[-4000:]


@pytest.mark.parametrize("listener", [Quiet(), Lines(io.StringIO())], ids=["quiet", "lines"])
def test_every_listener_hears_a_whole_study(listener: Listener, make_point: MakePoint) -> None:
    front = Front()
    listener.study_started(0, 1, 1, front)
    train(listener, make_point, 0, front)
    listener.trial_ended(0, None)
    listener.message("the end")

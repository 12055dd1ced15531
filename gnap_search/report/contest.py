"""Contest: a comparison as tables: what each study came to, what it reaches at a size, and what it holds."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gnap_search.comparison import Comparison, Contender, Effort, Stretch
from gnap_search.report import axes, wording
from gnap_search.report.fitting import Words
from gnap_search.results import Point


def page(comparison: Comparison) -> RenderableType:
    """All of a comparison; a study without a point is told, and left out of what needs one."""
    parts: list[RenderableType] = [_overview(comparison)]
    for contender in comparison.contenders:
        if not contender.front.points:
            parts.append(Text(f"{contender.name} has {_lack(comparison, contender)}", style="red"))
    if comparison.sizes:
        parts.extend([Text(), _at_sizes(comparison)])
    if comparison.averaged:
        parts.extend([Text(), _means(comparison)])
    return Group(*parts, Text(), _common_front(comparison))


def _lack(comparison: Comparison, contender: Contender) -> str:
    """What a study would need to stand in a comparison."""
    if comparison.averaged and not contender.means:
        return "nothing that several seeds have trained to its end; `gnap-search confirm` does that"
    return "no point that meets its limits yet"


def _overview(comparison: Comparison) -> Table:
    """A line a study: its hypervolume, its share of the common front, its effort."""
    count = len(comparison.contenders)
    sides = f"{count} methods of {comparison.study}" if comparison.study else f"{count} studies"
    table = _table(f"{comparison.dataset}: {sides}")
    table.add_column(_side(comparison))
    table.add_column("sparsity")
    for heading in ("hyper-\nvolume", "ratio", "holds", "trials", "epochs", "trained"):
        table.add_column(heading, justify="right")
    standing = comparison.common_front()
    for contender in comparison.contenders:
        held = sum(holder is contender for holder, _ in standing)
        ratio = comparison.ratio(contender)
        table.add_row(
            Words(contender.name),
            contender.sparsity,
            f"{contender.front.hypervolume():.4f}",
            "-" if ratio is None else f"{ratio:.3f}",
            f"{held} of {len(standing)}",
            wording.count(contender.trials),
            *_effort(contender.effort),
        )
    return table


def _effort(effort: Effort | None) -> tuple[str, str]:
    """Epochs, and how long they took; a published front does not say."""
    return ("-", "-") if effort is None else (wording.count(effort.epochs), wording.duration(effort.seconds))


def _at_sizes(comparison: Comparison) -> Table:
    """The best accuracy of every study up to each round size: validation decides, test stands below it."""
    table = _table("best accuracy in % with at most so many parameters")
    table.add_column(_side(comparison))
    table.add_column("on", no_wrap=True)
    for size in comparison.sizes:
        table.add_column(axes.tick_label(size), justify="right", no_wrap=True)
    leaders = [_leader(comparison, size) for size in comparison.sizes]
    for contender in comparison.contenders:
        if contender.front.points:
            best = [contender.best_within(size) for size in comparison.sizes]
            validation = [
                Text(_validation(point), style="bold" if leader is contender else "")
                for point, leader in zip(best, leaders, strict=True)
            ]
            table.add_row(Words(contender.name), "validation", *validation)
            if contender.tested:
                table.add_row("", "test", *(_test(contender, point) for point in best), style="dim")
    return table


def _means(comparison: Comparison) -> Table:
    """Every configuration that was trained with several seeds, and what one of its trainings takes."""
    table = _table("means over seeds, and MACs of one training")
    table.add_column(_side(comparison))
    for heading in ("parameters", "validation %", "test %", "seeds", "MACs"):
        table.add_column(heading, justify="right")
    for contender in comparison.contenders:
        for mean in sorted(contender.means, key=lambda mean: mean.point.parameters):
            table.add_row(
                Words(contender.name),
                wording.count(mean.point.parameters),
                _validation(mean.point),
                wording.percentages(mean.test),
                str(mean.seeds),
                wording.rounded(mean.point.training_macs) if mean.point.training_macs else "-",
            )
    return table


def _leader(comparison: Comparison, size: int) -> Contender | None:
    """The study that the common front belongs to at a size."""
    holders = [holder for holder, point in comparison.common_front() if point.parameters <= size]
    return holders[-1] if holders else None


def _validation(point: Point | None) -> str:
    return "-" if point is None else f"{100 * point.validation_accuracy:.2f}"


def _test(contender: Contender, point: Point | None) -> str:
    scored = None if point is None else contender.tested.get(point.id)
    return "-" if scored is None else f"{100 * scored:.2f}"


def _common_front(comparison: Comparison) -> Table:
    """Who holds which part of the common front."""
    table = _table("the common front")
    for heading in ("parameters", "validation"):
        table.add_column(heading, justify="right")
    table.add_column("points", justify="right", no_wrap=True)
    table.add_column("held by")
    for stretch in comparison.stretches():
        table.add_row(*_extent(stretch), str(len(stretch.points)), Words(stretch.holder.name))
    return table


def _side(comparison: Comparison) -> str:
    return "method" if comparison.study else "study"


def _extent(stretch: Stretch) -> Iterator[str]:
    """The sizes and the accuracies from a stretch's first point to its last."""
    first, last = stretch.points[0], stretch.points[-1]
    for least, most in (
        (wording.count(first.parameters), wording.count(last.parameters)),
        (wording.accuracy(first.validation_accuracy), wording.accuracy(last.validation_accuracy)),
    ):
        yield least if first is last else f"{least} to {most}"


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=None, header_style="bold")

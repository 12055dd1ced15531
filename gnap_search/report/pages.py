"""Pages: what a command prints beside the front's table."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gnap_search import spec
from gnap_search.entries import Entry, Page
from gnap_search.errors import UserError
from gnap_search.report import canvas, confirmed, wording
from gnap_search.report.fitting import Column, Fitted
from gnap_search.results import Point
from gnap_search.runs import found_by
from gnap_search.space import Parameters
from gnap_search.status import Ending, Status

if TYPE_CHECKING:
    from gnap_search.export import Evaluation, Exported

PROGRESS = ("state", "trials", "failed", "hypervolume", "points", "best")  # what is told of a study
NO_PATIENCE = " --patience-trials 0"  # without it the same rule ends the study at once


def listing(everything: Mapping[str, Sequence[Entry]]) -> RenderableType:
    """Every kind with its names and their summaries."""
    widest = max(len(entry.name) for entries in everything.values() for entry in entries)
    parts: list[RenderableType] = []
    for heading, entries in everything.items():
        table = _grid(widest + 2)
        for entry in entries:
            table.add_row(Text(f"  {entry.name}"), Text(entry.summary))
        parts.extend([Text(heading, style="bold"), table])
    return Group(*parts)


def page(described: Page) -> RenderableType:
    """One thing of the catalog: its text, and its settings with their defaults."""
    entry = described.entry
    parts: list[RenderableType] = [
        Text(f"{entry.kind} {entry.name}", style="bold"),
        Text(described.text.rstrip()),
    ]
    if described.settings:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in ("setting", "default", "accepts", "what it is"):
            table.add_column(heading)
        for row in described.settings:
            table.add_row(row.name, wording.value(row.default), row.accepts, row.about)
        parts.extend([Text(), table])
    return Padding(Group(*parts), (0, 0, 1, 0))


def studies(found: Sequence[Status], runs: Path) -> RenderableType:
    """A line for every study, and a sentence for each that cannot be read."""
    if not found:
        return Text(f"no studies in {runs}; begin one with: gnap-search pareto --dataset digits")
    rows: list[Sequence[str]] = []
    problems: list[RenderableType] = []
    for status in found:
        try:
            rows.append(_progress(status))
        except UserError as problem:
            rows.append(("unreadable", *[""] * (len(PROGRESS) - 1)))
            problems.append(Text(f"{status.run.name}: {problem}", style="red"))
    told = [Column(heading, cells) for heading, cells in zip(PROGRESS, zip(*rows, strict=True), strict=True)]
    told[0] = dataclasses.replace(told[0], kind="name")
    names = Column("study", [status.run.name for status in found], "words")
    return Group(
        _plain([names, *told], ("points", "hypervolume", "failed", "best", "trials", "state")), *problems
    )


def _progress(found: Status) -> Sequence[str]:
    """How far a study is and what it has found.

    Raises:
        UserError: it cannot be read.
    """
    if found.problem:
        raise UserError(found.problem)
    front = found.run.front()
    return (
        found.state,
        f"{found.complete + found.stopped}/{found.target}",
        str(len(found.failures)),
        f"{front.hypervolume():.4f}",
        str(len(front.points)),
        wording.accuracy(front.best.validation_accuracy) if front.points else "-",
    )


def status(found: Status) -> RenderableType:
    """A study: what it is, how far it has come, what failed and why, and the command to go on."""
    study, front = found.run.study, found.run.front()
    table = _grid(14)
    state = f"ended: {_no_progress(found.run.launch)}" if found.state == "ended" else found.state
    table.add_row("study", Text(f"{found.run.name}, {state}", style="bold"))
    sampled = f", sampled by {study.sampler}" if found.run.searched else ""
    table.add_row("asks", f"{study.method} with {study.network} on {study.images}{sampled}")
    if study.scheduler != "none":
        table.add_row("", f"{study.scheduler} stops what others outdo")
    table.add_row("", f"{wording.plural(study.trials, 'trial')} of {wording.plural(study.epochs, 'epoch')}")
    for name, words in _searched(study.parameters).items():
        table.add_row("", f"{name} {words}")
    table.add_row("trials", _trials(found))
    if found.told:
        table.add_row("", f"{wording.plural(found.told, 'trial')} of other studies known to the sampler")
    for trial, reason in found.failures.items():
        table.add_row("", Text(f"trial {trial}: {reason}", style="red"))
    table.add_row("hypervolume", f"{front.hypervolume():.4f}")
    if front.points:
        table.add_row("best", _in_short(front.best))
        table.add_row("knee", _in_short(front.knee()))
        count = len(confirmed.points(found.run))
        table.add_row("confirmed", f"{count} of {wording.plural(len(front.points), 'front point')}")
    for heading, words in _importances(found.importances):
        table.add_row(heading, words)
    if found.state in ("stopped", "ended"):
        table.add_row("go on with", _way_on(found))
    return Group(table, Text(), Text(canvas.draw(front.in_parameters().points), no_wrap=True))


def _way_on(found: Status) -> str:
    """The command that goes on with a study."""
    if not found.run.searched:
        return found.run.given_command
    patiently = NO_PATIENCE if found.state == "ended" else ""
    return f"gnap-search resume {found_by(found.run.folder)}{patiently}"


def _trials(found: Status) -> str:
    """How a study's trials have ended."""
    stopped = f"{found.stopped} stopped early, " if found.stopped else ""
    return f"{found.complete} of {found.target} complete, {stopped}{len(found.failures)} failed"


def checked(file: spec.Study | spec.SpaceFile, path: Path) -> RenderableType:
    """What a file resolves to."""
    table = _grid(max([22, *map(len, file.parameters)]))
    kind = "study" if isinstance(file, spec.Study) else "search space"
    for key, value in file.model_dump(exclude={"parameters", "summary", "constraints"}).items():
        if value is not None:
            table.add_row(key, str(value))
    if isinstance(file, spec.Study):
        table.add_row("limits", str(file.constraints.budget()))
    for name, words in _searched(file.parameters).items():
        table.add_row(name, words)
    return Group(Text(f"{path} is a {kind} without faults", style="bold"), table)


def training(point: Point, test_accuracy: float, model: Path) -> RenderableType:
    """What one training came to."""
    table = _grid(22)
    table.add_row("test accuracy", wording.accuracy(test_accuracy))
    table.add_row("validation accuracy", wording.accuracy(point.validation_accuracy))
    table.add_row("parameters", wording.count(point.parameters))
    table.add_row("weights", wording.count(point.weights))
    table.add_row("MACs", wording.count(point.macs))
    table.add_row("model", str(model))
    return table


def exported(files: Sequence[Exported], study: str) -> RenderableType:
    """The files of an export: how they did, how large they are, and whether fresh seeds confirm the point.

    `study` is its name, with the flag that finds it again.
    """
    place = Text(f"written to {files[0].path.parent}; model.md says all about them")
    point = Text(confirmed.in_short(files[0].notes, study))
    return Group(_files(files), Text(), _run(files), Text(), place, point)


def published(files: Sequence[Exported]) -> RenderableType:
    """The networks of a published front, and where they lie."""
    count = sum(file.notes["confirmed"] is not None for file in files)
    place = (
        f"written to {files[0].path.parent}; all about them stands in front.json; "
        f"{count} of {wording.plural(len(files), 'point')} confirmed with fresh seeds"
    )
    return Group(_files(files), Text(), Text(place))


def evaluation(found: Evaluation) -> RenderableType:
    """A model file's worth and cost."""
    table = _grid(22)
    table.add_row("file", f"{found.path} ({found.format})")
    which = "accuracy" if found.split == "all" else f"{found.split} accuracy"
    table.add_row(which, f"{wording.accuracy(found.accuracy)} of {found.images:,} images")
    if found.doubt:
        table.add_row("", found.doubt)
    table.add_row("parameters", f"{found.cost.parameters:,} ({found.cost.total:,} with zeros)")
    table.add_row("weights", wording.count(found.cost.weights))
    table.add_row("MACs", f"{found.cost.macs:,} ({found.cost.live_macs:,} without zeros)")
    table.add_row("bytes", f"{found.size.bytes:,} ({found.size.gzip_bytes:,} gzipped)")
    table.add_row("memory", f"{found.memory:,} bytes for weights and results, without the runtime")
    median, slow = 1e3 * found.latency_median_seconds, 1e3 * found.latency_p95_seconds
    table.add_row("latency", f"{median:.3f} ms an image, 95 % within {slow:.3f} ms, one thread")
    table.add_row("throughput", f"{found.images_per_second:,.0f} images a second, 64 at a time")
    return table


def next_steps(name: str, failed: int, lost: int, ending: Ending, launch: spec.Launch) -> RenderableType:
    """What one may do after a search; `name` may carry the flags that find the study again."""
    if ending == "interrupted":
        return Text(f"interrupted; go on with: gnap-search resume {name}")
    if ending == "timeout":
        time = wording.duration(launch.timeout)
        return Text(f"ended: the time of {time} is over; go on with: gnap-search resume {name}")
    lines = []
    if ending == "patience":
        lines.append(f"ended: {_no_progress(launch)}; go on with: gnap-search resume {name}{NO_PATIENCE}")
    if failed:
        for_good = f", {lost} of them twice" if lost else " at first, and none when tried again"
        lines.append(f"{wording.plural(failed, 'trial')} failed{for_good}; see: gnap-search show {name}")
    lines.append(f"see what its figures are with fresh seeds: gnap-search confirm {name}")
    lines.append(f"look at all of it: gnap-search report {name}")
    lines.append(f"draw it: gnap-search front {name} --plot front.png")
    lines.append(f"take a model: gnap-search export {name} --format onnx")
    lines.append("or train it once more, on the validation images too, and take that: the same with --refit")
    return Text("\n".join(["", *lines]))


def _files(files: Sequence[Exported]) -> Fitted:
    """A line for each model file."""
    columns = [
        Column("file", [file.path.name for file in files], "name"),
        Column("test", [wording.accuracy(file.test_accuracy) for file in files]),
        Column("parameters", [wording.count(file.cost.parameters) for file in files]),
        Column("with zeros", [wording.count(file.cost.total) for file in files]),
        Column("bytes", [wording.count(file.size.bytes) for file in files]),
        Column("gzip", [wording.count(file.size.gzip_bytes) for file in files]),
    ]
    return _plain(columns, ("gzip", "with zeros", "parameters", "bytes", "test"))


def _run(files: Sequence[Exported]) -> Fitted:
    """What an image takes in each format, beside the same network in PyTorch and in onnxruntime."""
    speeds = [file.speed for file in files]
    columns = [
        Column("one image, one thread", [file.format for file in files], "name"),
        Column("memory", [wording.count(file.memory) for file in files]),
        Column("µs", [f"{1e6 * speed.seconds:,.0f}" if speed else "-" for speed in speeds]),
        Column("of PyTorch's", [_ratio(speed.seconds, speed.eager) if speed else "-" for speed in speeds]),
        Column("of onnxruntime's", [_ratio(speed.seconds, speed.onnx) if speed else "-" for speed in speeds]),
    ]
    return _plain(columns, ("of onnxruntime's", "of PyTorch's", "memory"))


def _ratio(seconds: float, other: float | None) -> str:
    return f"{seconds / other:.2f} x" if other else "-"


def _plain(columns: Sequence[Column], spared: Sequence[str]) -> Fitted:
    return Fitted(columns, spared, pad_edge=False, header_style="bold")


def _importances(measured: Mapping[str, Mapping[str, float]]) -> Iterator[tuple[str, str]]:
    """What decides on each objective, and a sentence that says how to read it."""
    for objective, shares in measured.items():
        told = ", ".join(f"{setting} {share:.0%}".replace("%", " %") for setting, share in shares.items())
        yield "importance", f"for {objective}: {told}"
    if measured:
        yield "", "(its share in what puts a trial into the better half; with few trials a rough guide)"


def _no_progress(launch: spec.Launch) -> str:
    return f"no progress over {wording.plural(launch.patience_trials, 'trial')}"


def _searched(parameters: Parameters) -> dict[str, str]:
    return {name: str(parameter) for name, parameter in parameters.items()}


def _in_short(point: Point) -> str:
    parameters = wording.plural(point.parameters, "parameter")
    return f"{wording.accuracy(point.validation_accuracy)} validation with {parameters} ({point.id})"


def _grid(first: int) -> Table:
    """Two columns without lines, the first `first` characters wide."""
    table = Table.grid(padding=(0, 1))
    table.add_column(width=first, no_wrap=True)
    table.add_column()
    return table

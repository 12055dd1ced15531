"""The command line: one function per verb, which parses, calls and prints. Heavy imports wait inside."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, cast

import typer
from typer.core import TyperGroup

from gnap_search import streams
from gnap_search.errors import BROKEN_DOWN, INTERRUPTED, REFUSED, TrialError, UserError
from gnap_search.flags import (
    Confirming,
    Continued,
    Evaluating,
    Exporting,
    Limited,
    PlacedStudy,
    Predicting,
    Publishing,
    Reporting,
    Serving,
    Training,
)
from gnap_search.options import flagged, loose_settings, refuse_unknown

if TYPE_CHECKING:
    from rich.console import RenderableType

    from gnap_search.status import Outcome

FILE_WIDTH = 160  # characters of a line that is written to a file or a pipe


class _Verbs(TyperGroup):
    """All verbs; what the user can mend ends in one sentence."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except UserError as problem:
            _leave(str(problem), REFUSED)
        except TrialError as problem:
            _leave(f"the training broke down: {problem}", BROKEN_DOWN)
        except KeyboardInterrupt:
            _leave("interrupted", INTERRUPTED)
        except OSError as problem:
            if problem.errno != errno.ENAMETOOLONG:  # which any question about any path may end in
                raise
            _leave(
                f"Cannot use {problem.filename}: its name is too long for a file's; choose another.", REFUSED
            )

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, words = super().resolve_command(ctx, args)
        if command and not command.context_settings.get("ignore_unknown_options"):
            refuse_unknown(command.name or "", words, _spellings(command.get_params(ctx)))
        return name, command, words


app = typer.Typer(
    cls=_Verbs,
    help="Pareto fronts of networks that grow and prune themselves: accuracy against parameters.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="The study's name.")]
Runs = Annotated[Path, typer.Option("--runs", envvar="GNAP_SEARCH_RUNS", help="The folder of all studies.")]
RUNS = Path("runs")


def main() -> None:
    """The program `gnap-search`."""
    streams.prepare()
    try:
        app(prog_name="gnap-search")
    except UserError as problem:  # the help cannot be written
        _leave(str(problem), REFUSED)


@app.callback(invoke_without_command=True)
def _version(
    *, version: Annotated[bool, typer.Option("--version", help="Say which version this is.")] = False
) -> None:
    if version:
        from gnap_search import __version__

        typer.echo(f"gnap-search {__version__}")
        raise typer.Exit


@app.command(rich_help_panel="Search")
@flagged(PlacedStudy)
def pareto(
    study: Annotated[str | None, typer.Option(help="The study's name; by default DATASET-METHOD.")] = None,
    runs: Runs = RUNS,
    **asked: Any,
) -> None:
    """Search for a Pareto front; a study that exists and asks the same goes on."""
    from gnap_search import verbs
    from gnap_search.report.watch import watch

    with watch("gnap-search pareto") as listener:
        outcome = verbs.pareto(study, runs=runs, listener=listener, **asked)
    _conclude(outcome)


@app.command(rich_help_panel="Search")
@flagged(Continued)
def resume(
    name: Name,
    trials: Annotated[str | None, typer.Option(help="Trials in all, or +N for N more.")] = None,
    runs: Runs = RUNS,
    **placed: Any,
) -> None:
    """Finish a study, or extend it, with the settings that it began with."""
    from gnap_search import verbs
    from gnap_search.report.watch import watch

    with watch(f"gnap-search resume {name}") as listener:
        outcome = verbs.resume(name, trials=trials, runs=runs, listener=listener, **placed)
    _conclude(outcome)


@app.command(
    rich_help_panel="Search", context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)
@flagged(Training)
def train(context: typer.Context, runs: Runs = RUNS, **asked: Any) -> None:
    """One training in this process. Any setting is a flag too: --pruning-strength 3e-6 (see: show METHOD)."""
    from gnap_search import verbs
    from gnap_search.report import pages
    from gnap_search.report.watch import watch

    settings = loose_settings(context.args, _spellings(context.command.params))
    with watch("gnap-search train") as listener:
        trained = verbs.train(settings, runs=runs, listener=listener, **asked)
    _print(pages.training(trained.point, trained.test_accuracy, trained.model))


@app.command(rich_help_panel="Results")
def studies(runs: Runs = RUNS) -> None:
    """All studies: how far they are and what they have found."""
    from gnap_search import verbs
    from gnap_search.report import pages

    _print(pages.studies(verbs.studies(runs=runs), runs))


@app.command(rich_help_panel="Results")
def show(
    name: Annotated[str, typer.Argument(help="A study, or anything that `gnap-search list` has.")],
    runs: Runs = RUNS,
) -> None:
    """A study's state, or what the catalog has under a name."""
    from gnap_search import verbs
    from gnap_search.report import pages

    found = verbs.show(name, runs=runs)
    _print(*([pages.page(page) for page in found] if isinstance(found, list) else [pages.status(found)]))


@app.command(rich_help_panel="Results")
@flagged(Limited)
def front(
    name: Name,
    json: Annotated[Path | None, typer.Option(help="Write the front as JSON; - is standard output.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write it as CSV; - is standard output.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw it into a .png, .svg or .pdf.")] = None,
    configurations: Annotated[
        Path | None, typer.Option(help="Write its trainings as TOML, to repeat them with fresh seeds.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Of --configurations: seeds each; by default 3.")] = 3,
    runs: Runs = RUNS,
    **limits: Any,
) -> None:
    """The front as a table, its knee and its best points marked; or as files."""
    from gnap_search import verbs
    from gnap_search.report import confirmed, record, table
    from gnap_search.report import plot as drawing

    study, budget = verbs.study(name, runs=runs), verbs.budget(cast(Limited, limits))
    if plot:
        drawing.refuse_other_endings(plot)  # before anything is written
    if json:
        record.write(record.as_json(study), json)
    if csv:
        record.write(record.as_csv(study), csv)
    if plot:
        drawing.save(study, plot)
    if configurations:
        from gnap_search.report import repetition

        points = study.front().all_within(budget)
        file = "FILE.toml" if configurations == record.STANDARD_OUTPUT else str(configurations)
        record.write(repetition.with_fresh_seeds(study, points, seeds, file), configurations)
    if record.STANDARD_OUTPUT not in (json, csv, configurations):
        _print(table.FrontTable(study, budget))
        if confirmed.points(study):
            _print(confirmed.table(study))


@app.command(rich_help_panel="Results")
@flagged(Confirming)
def confirm(name: Name, runs: Runs = RUNS, **wanted: Any) -> None:
    """Train the front's configurations with fresh seeds: means and spreads beside the searched figures."""
    from gnap_search import verbs
    from gnap_search.report import confirmed
    from gnap_search.report.watch import watch
    from gnap_search.runs import found_by

    with watch(f"gnap-search confirm {name}") as listener:
        outcome = verbs.confirm(name, runs=runs, listener=listener, **wanted)
    if confirmed.points(outcome.run):
        _print(confirmed.table(outcome.run))
    export = f"take a model: gnap-search export {found_by(outcome.run.folder)} --format onnx"
    step = "interrupted; go on with the same command" if outcome.interrupted else export
    _print(confirmed.conclusion(outcome.run, outcome.failures, step))
    if outcome.interrupted:
        raise typer.Exit(INTERRUPTED)


@app.command(rich_help_panel="Results")
def compare(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="STUDY",
            help="Two studies or more, or one of several methods; a published front's folder counts as one.",
        ),
    ],
    *,
    means: Annotated[bool, typer.Option("--means", help="Compare means over seeds, not points.")] = False,
    json: Annotated[Path | None, typer.Option(help="Write it as JSON; - is standard output.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write the fronts as CSV; - is standard output.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the fronts into a .png, .svg or .pdf.")] = None,
    runs: Runs = RUNS,
) -> None:
    """Several studies' fronts side by side: hypervolumes, accuracies at round sizes, who leads where."""
    from gnap_search import verbs
    from gnap_search.report import contest, overlay, record
    from gnap_search.report import plot as drawing

    found = verbs.compare(*names, means=means, runs=runs)
    if plot:
        drawing.refuse_other_endings(plot)  # before anything is written
    if json:
        record.write(record.comparison_as_json(found), json)
    if csv:
        record.write(record.comparison_as_csv(found), csv)
    if plot:
        overlay.save(found, plot)
    if record.STANDARD_OUTPUT not in (json, csv):
        _print(contest.page(found))


@app.command(rich_help_panel="Results")
@flagged(Reporting)
def report(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="A study, or several on the same data.")],
    runs: Runs = RUNS,
    **wanted: Any,
) -> None:
    """One HTML page of a study: its front, each trial's life, what decided, and how to repeat it."""
    from gnap_search import verbs
    from gnap_search.report.quiet import Herald
    from gnap_search.report.record import STANDARD_OUTPUT

    file = verbs.report(*names, runs=runs, listener=Herald(_warn), **wanted)
    if file != STANDARD_OUTPUT:
        typer.echo(f"written to {file} ({file.stat().st_size / 1e6:.1f} MB); open it in a browser")


@app.command(rich_help_panel="Results")
@flagged(Serving)
def dashboard(name: Name, runs: Runs = RUNS, **where: Any) -> None:
    """A study in optuna-dashboard, live and on a copy; Ctrl-C ends it."""
    import threading

    from gnap_search import verbs

    try:
        with verbs.dashboard(name, runs=runs, **where) as address:
            typer.echo(f"{name} can be seen at {address}; Ctrl-C ends it")
            threading.Event().wait()
    except KeyboardInterrupt:
        typer.echo("ended; the study is as it was")


@app.command(rich_help_panel="Models")
@flagged(Exporting)
def export(name: Name, runs: Runs = RUNS, **wanted: Any) -> None:
    """Write a front point's network to files, read back and scored again; by default the confirmed knee."""
    from gnap_search import verbs
    from gnap_search.report import pages
    from gnap_search.report.quiet import Herald
    from gnap_search.report.watch import watch
    from gnap_search.runs import found_by

    watched = watch(f"gnap-search export {name}") if wanted.get("refit") else nullcontext(Herald(_warn))
    with watched as listener:
        files = verbs.export(name, runs=runs, listener=listener, **wanted)
    _print(pages.exported(files, found_by(runs / name)))


@app.command(rich_help_panel="Models")
@flagged(Publishing)
def publish(name: Name, runs: Runs = RUNS, **wanted: Any) -> None:
    """Write the whole front, or its points within limits, as a folder that anybody can check."""
    from gnap_search import verbs
    from gnap_search.report import pages

    _print(pages.published(verbs.publish(name, runs=runs, **wanted)))


@app.command(rich_help_panel="Models")
@flagged(Evaluating)
def evaluate(model: Annotated[Path, typer.Argument(help="An exported file.")], **on: Any) -> None:
    """Accuracy, parameters, MACs, size and latency of an exported file."""
    from gnap_search import verbs
    from gnap_search.report import pages

    _print(pages.evaluation(verbs.evaluate(model, **on)))


@app.command(rich_help_panel="Models")
@flagged(Predicting)
def predict(
    model: Annotated[Path, typer.Argument(help="An exported file.")],
    pictures: Annotated[list[Path], typer.Argument(metavar="IMAGE", help="Pictures, or folders of them.")],
    csv: Annotated[
        Path | None, typer.Option(help="Write the answers as CSV; - is standard output, as for a folder.")
    ] = None,
    **how: Any,
) -> None:
    """What an exported file takes your own pictures for, with probabilities."""
    from gnap_search import verbs
    from gnap_search.report import predictions, record
    from gnap_search.report.quiet import Herald

    found = verbs.predict(model, *pictures, listener=Herald(_warn), **how)
    if csv is None and not any(place.is_dir() for place in pictures):
        _print(predictions.table(found))
    else:
        record.write(predictions.as_csv(found), csv or record.STANDARD_OUTPUT)


@app.command("list", rich_help_panel="Catalog")
def list_() -> None:
    """Everything that a study can be made of."""
    from gnap_search import entries
    from gnap_search.report import pages

    _print(pages.listing(entries.everything()))


@app.command(rich_help_panel="Catalog")
def copy(
    name: Annotated[str, typer.Argument(help="A study or a search space.")],
    file: Annotated[Path | None, typer.Argument(help="Where to; by default where its name finds it.")] = None,
) -> None:
    """Copy a study or a search space for editing."""
    from gnap_search import verbs

    typer.echo(f"copied to {verbs.copy(name, file)}")


@app.command(rich_help_panel="Catalog")
def check(file: Annotated[Path, typer.Argument(help="A study or a search space of yours.")]) -> None:
    """Say what is wrong with a file, or what it amounts to."""
    from gnap_search import verbs
    from gnap_search.report import pages

    _print(pages.checked(verbs.check(file), file))


def _conclude(outcome: Outcome) -> None:
    """The front, what failed, and what to do next."""
    from gnap_search.report import pages, table
    from gnap_search.runs import found_by

    if outcome.front.points:
        _print(table.FrontTable(outcome.run))
    name = found_by(outcome.run.folder)
    _print(pages.next_steps(name, outcome.failed, outcome.lost, outcome.ending, outcome.run.launch))
    if outcome.interrupted:
        raise typer.Exit(INTERRUPTED)


def _spellings(parameters: Sequence[Any]) -> list[str]:
    """All words that a command takes for its own flags."""
    return [word for parameter in parameters for word in (*parameter.opts, *parameter.secondary_opts)]


def _print(*parts: RenderableType) -> None:
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)  # names may hold [brackets] and :colons:
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = FILE_WIDTH
    for part in parts:
        console.print(part)


def _warn(sentence: str) -> None:
    typer.echo(f"gnap-search: {sentence}", err=True)


def _leave(sentence: str, code: int) -> NoReturn:
    typer.echo(f"gnap-search: {sentence}", err=True)
    sys.exit(code)

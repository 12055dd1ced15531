"""Options: the flags of `gnap_search.flags` on a command, and settings as flags that no command declares."""

from __future__ import annotations

import difflib
import functools
import inspect
import itertools
from collections.abc import Callable, Sequence
from typing import Annotated, Any, get_args, get_type_hints

import typer

from gnap_search.errors import UserError, nearest
from gnap_search.flags import Flag, Limited, Placed, literal
from gnap_search.settings import Value

Command = Callable[..., None]
PANELS: dict[str, Any] = {"Limits": Limited, "Data and machines": Placed}
CLOSE = 0.85  # so like one of the command's own flags that no setting is meant
SIMILAR = 0.7  # so like one of them that it may be a slip
MEANT = {  # what other tools call it
    **dict.fromkeys(("--workers", "--n-workers", "--jobs", "--n-jobs", "--parallel"), "--cpus-per-trial"),
    "--max-flops": "--max-macs",
}


def flagged(declared: type) -> Callable[[Command], Command]:
    """Give a command the keys of a TypedDict as options; those that are not given do not reach it."""
    hints = get_type_hints(declared, include_extras=True)
    flags = {key: get_args(hint) for key, hint in hints.items()}

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def with_flags(**given: Any) -> None:
            texts = {key: given.pop(key) for key in flags}
            chosen = {key: text for key, text in texts.items() if text not in (None, [])}
            command(**given, **{key: _read(flags[key][1], text) for key, text in chosen.items()})

        parameters = [*_own(command), *(_parameter(key, *flag) for key, flag in flags.items())]
        with_flags.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # functions have it
        with_flags.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return with_flags

    return decorate


def loose_settings(words: Sequence[str], own: Sequence[str]) -> dict[str, Value]:
    """`--pruning-strength 3e-6 --growth-factor=2` as settings; `own` are the flags that the command declares.

    `--set growth_factor=2`, the way of commands that search, says the same.

    Raises:
        UserError: a word is not a flag, is a misspelt flag of the command's own, or has no value.
    """
    settings: dict[str, Value] = {}
    rest = list(words)
    while rest:
        flag, equals, value = rest.pop(0).partition("=")
        if not flag.startswith("--") or difflib.get_close_matches(flag, own, n=1, cutoff=CLOSE):
            raise UserError(f"Unknown flag {flag!r}; {nearest(flag, own)}")
        if not equals:
            if not rest:
                raise UserError(f"{flag} needs a value.")
            value = rest.pop(0)
        if flag == "--set":
            flag, _, value = value.partition("=")
            if not (flag and value):
                raise UserError("--set should be followed by key=value.")
        settings[flag.removeprefix("--").replace("-", "_")] = literal(value)
    return settings


def refuse_unknown(verb: str, words: Sequence[str], own: Sequence[str]) -> None:
    """`own` are the flags that the command declares, `words` what stands behind it.

    Raises:
        UserError: a word looks like a flag and is none of them.
    """
    for word in itertools.takewhile(lambda word: word != "--", words):
        flag = word.partition("=")[0]
        if flag.startswith("--") and flag not in own:
            raise UserError(f"`{verb}` has no flag {flag!r}; {_advice(verb, flag, own)}")


def _advice(verb: str, flag: str, own: Sequence[str]) -> str:
    """What to write in the place of a flag that a command does not have."""
    from gnap_search import catalog  # these two wait here, for every start of the program would pay for them
    from gnap_search.training import plan

    key = flag.removeprefix("--").replace("-", "_")
    if "--set" in own and any(key in plan.declared(method) for method in catalog.names("methods")):
        return f"it is a setting, which `--set {key}=VALUE` fixes and `--set {key}=LOW..HIGH` searches."
    slip = difflib.get_close_matches(flag, own, n=1, cutoff=SIMILAR)
    meant = MEANT[flag] if MEANT.get(flag) in own else next(iter(slip), None)
    return f"did you mean {meant!r}?" if meant else f"`gnap-search {verb} --help` lists all."


def _own(command: Command) -> list[inspect.Parameter]:
    """A command's parameters but for its `**flags`, all of them as keywords."""
    parameters = inspect.signature(command, eval_str=True).parameters.values()
    return [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in parameters
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]


def _parameter(key: str, kind: Any, flag: Flag) -> inspect.Parameter:
    """The option of one key."""
    if flag.read:
        kind = list[str] if flag.repeated else str
    spellings = flag.spelling.split() or [f"--{key.replace('_', '-')}"]
    panel = next((title for title, keys in PANELS.items() if key in keys.__annotations__), None)
    metavar = "KEY=VALUE" if flag.repeated else None
    about = flag.about.replace("[", r"\[")  # which would open a tag of Rich's markup
    option = typer.Option(*spellings, help=about, show_default=False, rich_help_panel=panel, metavar=metavar)
    annotation = Annotated[kind | None, option]
    return inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _read(flag: Flag, text: Any) -> Any:
    return flag.read(text) if flag.read else text

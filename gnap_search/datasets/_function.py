"""One's own arrays: a function, written as `package.module:function`, that returns images and labels.

It returns `(images, labels)`, or a mapping of `train` and maybe `validation` and `test` to such pairs; what
is missing is cut from `train`. What images and labels may be, `gnap_search.datasets._arrays` tells.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gnap_search.contracts import Data
from gnap_search.datasets import _arrays, _splits
from gnap_search.errors import UserError, nearest


def load(name: str) -> Data:
    """The arrays that `package.module:function` returns; the current directory can be imported from.

    Raises:
        UserError: it cannot be imported, fails, or returns something else than the two docstrings tell.
    """
    return _arrays.data(name, _pairs(name, _call(name)))


def _call(name: str) -> Any:
    """Import and call it; anything may go wrong in the user's code, and is the user's to mend."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        return _find(name)()
    except UserError:
        raise
    except Exception as problem:
        raise UserError(f"{name} failed with {type(problem).__name__}: {problem}.") from problem
    finally:
        sys.path.remove(here)


def _find(name: str) -> Callable[[], Any]:
    module_name, _, attribute = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as problem:
        if problem.name is None or not f"{module_name}.".startswith(f"{problem.name}."):
            raise  # it is there, and what it imports is not
        raise UserError(f"There is no module {module_name!r} to take {attribute} from.") from None
    function: Callable[[], Any] | None = vars(module).get(attribute)
    if not callable(function):
        functions = [
            key for key, value in vars(module).items() if callable(value) and not key.startswith("_")
        ]
        raise UserError(f"{module_name} has no function {attribute!r}; {nearest(attribute, functions)}")
    return function


def _pairs(name: str, result: Any) -> dict[str, tuple[Any, Any]]:
    """Split -> images and labels."""
    pairs = dict(result) if isinstance(result, Mapping) else {"train": result}
    for part, pair in pairs.items():
        if part not in _splits.NAMES:
            raise UserError(f"{name} returned a split {part!r}; {nearest(str(part), _splits.NAMES)}")
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise UserError(
                f"{name} returned {_arrays.words(pair)} for {part}; expected a pair of images and labels, or "
                "a mapping of train, validation and test to such pairs."
            )
    if "train" not in pairs:
        raise UserError(f"{name} returned no train split; it is the one that must be there.")
    return pairs

"""Pareto fronts of networks that grow and prune themselves: accuracy against parameters.

    import gnap_search
    outcome = gnap_search.pareto(dataset="digits", trials=8, epochs=20)
    files = gnap_search.export("digits-gnap", max_params=1000, formats=["onnx"])

The functions are those of the command line; `gnap_search.verbs` describes them. Importing this package costs
nothing: each of them is loaded when it is first asked for.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gnap_search.errors import UserError
    from gnap_search.verbs import (
        check,
        compare,
        confirm,
        copy,
        evaluate,
        export,
        front,
        pareto,
        predict,
        publish,
        resume,
        show,
        studies,
        train,
    )
    from gnap_search.verbs import listing as list

__all__ = [
    "UserError",
    "__version__",
    "check",
    "compare",
    "confirm",
    "copy",
    "evaluate",
    "export",
    "front",
    "list",
    "pareto",
    "predict",
    "publish",
    "resume",
    "show",
    "studies",
    "train",
]
__version__: str

_HOMES = {name: ("gnap_search.verbs", name) for name in __all__} | {
    "UserError": ("gnap_search.errors", "UserError"),
    "list": ("gnap_search.verbs", "listing"),
}


class _Package(ModuleType):
    """This package, whose public names are looked up when they are used.

    Two verbs, `front` and `export`, share their name with a submodule, which the import system would put in
    their place. Properties stay.
    """

    @property
    def __version__(self) -> str:
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("gnap-search")
        except PackageNotFoundError:  # a bare checkout
            return "0"

    def __dir__(self) -> Any:
        return sorted({*super().__dir__(), *__all__})


def _looked_up(module: str, name: str) -> property:
    """What `name` is in `module`; setting it to a submodule has no effect."""
    return property(lambda _package: getattr(import_module(module), name), lambda _package, _submodule: None)


for _name, _home in _HOMES.items():
    if _name != "__version__":
        setattr(_Package, _name, _looked_up(*_home))
sys.modules[__name__].__class__ = _Package

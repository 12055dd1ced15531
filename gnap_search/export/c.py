"""C: one C99 file and its header for any device: sparse tables, static memory, no library but C itself."""

from __future__ import annotations

import ctypes
import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gnap_search.contracts import LoadedModel
from gnap_search.errors import UserError
from gnap_search.export import _compiler, _program, _runtime
from gnap_search.export._source import Source
from gnap_search.structure import Shape
from gnap_search.structure.cost import Cost
from gnap_search.structure.model import Classifier

FILENAME = "model.c"
BESIDE = ("model.h",)
ROUNDING = 0.0
LOADING = """\
```c
/* cc -std=c99 -O3 -march=native -ffp-contract=fast -c model.c; where speed matters less, -O2 is right too */
#include "model.h"

static float image[MODEL_CHANNELS * MODEL_HEIGHT * MODEL_WIDTH]; /* pixels from 0 to 1 */
static float logits[MODEL_CLASSES];
model_logits(image, logits);
```"""
SEAL, ABOUT = "/* gnap-search model, SHA-256 of what follows: ", "/* gnap_search: "


def save(model: Classifier, path: Path, notes: Mapping[str, Any], images: np.ndarray) -> None:
    """Write the folded classifier as C, and the header that declares its functions beside it.

    The weights that are zero are not there. `notes` stands in a comment, and the names of the classes are
    strings of the program.
    """
    del images
    program = _program.read(model.fold().cpu())
    source = Source(program, notes.get("classes", ()))
    header = path.with_suffix(".h")
    about = {
        "shape": program.shape,
        "classes": program.steps[-1].size[0],
        "cost": dataclasses.asdict(program.cost()),
        "memory": source.memory,
        "notes": dict(notes),
    }
    told = json.dumps(about).replace("*", "\\u002a").replace("?", "\\u003f")  # C must see no comment in it
    text = f"{ABOUT}{told} */\n{source.text(header.name)}"
    path.write_text(f"{SEAL}{_digest(text)} */\n{text}")
    header.write_text(source.header())


def load(path: Path, shape: Shape | None) -> LoadedModel:
    """Compile the file with the system's compiler, for this processor, and call it."""
    about = _read(path)
    fits = _runtime.images_of(path, tuple(about["shape"]), shape)
    texts = tuple((file.name, file.read_text(errors="replace")) for file in (path, _header_of(path)))
    function = _compiler.loaded(texts).model_logits
    function.argtypes, function.restype = (ctypes.c_void_p, ctypes.c_void_p), None
    classes = about["classes"]

    def predict(images: np.ndarray) -> np.ndarray:
        given = np.ascontiguousarray(images, np.float32)
        logits = np.empty((len(given), classes), np.float32)
        image, row = given.ctypes.data, logits.ctypes.data
        for index in range(len(given)):
            function(image + index * given.strides[0], row + index * logits.strides[0])
        return logits

    return LoadedModel(predict, Cost(**about["cost"]), about["memory"], fits, about["notes"])


def _read(path: Path) -> dict[str, Any]:
    """What the file says of itself, once it is known to be whole."""
    try:
        seal, _, text = path.read_text(encoding="ascii").partition("\n")
        whole = seal == f"{SEAL}{_digest(text)} */"
        about: dict[str, Any] = json.loads(text.partition("\n")[0].removeprefix(ABOUT).removesuffix(" */"))
    except FileNotFoundError:
        raise UserError(f"There is no model file {path}.") from None
    except (OSError, ValueError):
        whole = False
    if not whole:
        raise UserError(f"{path} is not C that gnap-search wrote, or was changed since: export it again.")
    return about


def _header_of(path: Path) -> Path:
    """The header that the file includes: its name is that of the export, whatever the file is called now."""
    included = path.read_text().partition('\n#include "')[2].partition('"')[0]
    header = path.with_name(included)
    if not header.is_file():
        raise UserError(
            f"{header} is missing, which {path.name} includes: put it there by this name, or export it again."
        )
    return header


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

"""What one may ask of a study and of the machines it runs on: declared once, for Python and the command line.

The verbs take these as keyword arguments (`pareto(dataset="mnist", trials=8)`), the command line as flags
(`--dataset mnist --trials 8`). A `Flag` beside a type holds what only the command line needs.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypedDict

from gnap_search.errors import UserError

UNITS = (3600, 60, 1)  # seconds in an hour, a minute, a second


@dataclasses.dataclass(frozen=True)
class Flag:
    """How a keyword is written on the command line.

    `spelling` is for a flag whose name is not the keyword's. `read` turns a flag's text, or the list of texts
    of a flag that may be repeated, into the keyword's type.
    """

    about: str
    spelling: str = ""
    read: Callable[[Any], Any] | None = None
    repeated: bool = False


def _comma_list(text: str) -> tuple[str, ...]:
    names = [name.strip() for name in text.split(",")]
    return () if names == ["none"] else tuple(names)


def literal(text: str) -> bool | int | float | str:
    """A value as TOML would read it, or else a word."""
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def seconds(written: float | str) -> float:
    """A time, written as a number of seconds or as `90s`, `45m`, `2h` or `1h30m`.

    Raises:
        UserError: it is written otherwise.
    """
    text = str(written).strip()
    parts = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text)
    if parts and text:
        return sum(float(part or 0) * unit for part, unit in zip(parts.groups(), UNITS, strict=True))
    if re.fullmatch(r"\d+(\.\d*)?", text):
        return float(text)
    raise UserError(f"timeout = {text!r} should be a number of seconds, or a time like 90s, 45m or 1h30m.")


def assignments(texts: Sequence[str]) -> dict[str, Any]:
    """`key=value`, `key=low..high` and `key=one,two` as a study's `[parameters]` table says them."""
    parameters: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise UserError(f"--set {text!r} should be key=value, key=low..high or key=one,two.")
        method, dot, setting = name.strip().rpartition(".")
        parameters[method + dot + setting.replace("-", "_")] = _parameter(value.strip())
    return parameters


def _parameter(text: str) -> Any:
    first, dots, last = text.partition("..")
    if dots:
        low, high = literal(first), literal(last)
        # Ends a factor of ten apart mean orders of magnitude; a file can say `log` itself.
        log = isinstance(low, int | float) and isinstance(high, int | float) and 0 < 10 * low <= high
        return {"low": low, "high": high, "log": log}
    choices = [literal(choice.strip()) for choice in text.split(",")]
    return choices if len(choices) > 1 else choices[0]


DatasetFlag = Annotated[
    str,
    Flag(
        "A data set's name, a folder of images, an .npz file, or package.module:function; by default digits."
    ),
]
MethodFlag = Annotated[str, Flag("How networks grow and prune themselves.")]
MethodsFlag = Annotated[
    str, Flag("How networks grow and prune themselves; a search chooses between several, as in gnap,rigl.")
]
NetworkFlag = Annotated[str, Flag("The architecture.")]
ImageSizeFlag = Annotated[
    int, Flag("Height and width to which the images of a folder or an .npz file are resized.")
]
TrainingImagesFlag = Annotated[
    int, Flag("Train on so many of the training images alone, a fixed choice with every class's share.")
]
ValidationImagesFlag = Annotated[
    int, Flag("Choose by so many of the validation images alone, and train on the others too.")
]
AugmentationFlag = Annotated[
    Sequence[str],
    Flag("Batch transforms, separated by commas: crop, flip, affine, cutout; or none.", read=_comma_list),
]


DATA_ROOT = "The folder of the data sets, by default a cache of yours; or where a study's own images lie now."


class Located(TypedDict, total=False):
    """Where data lie."""

    data_root: Annotated[Path, Flag(DATA_ROOT)]
    download: Annotated[bool, Flag("Whether missing data may be fetched.", "--download/--no-download")]


class Limited(TypedDict, total=False):
    """Limits on points of a front."""

    max_params: Annotated[int, Flag("At most so many parameters.")]
    max_macs: Annotated[int, Flag("At most so many multiply-accumulates an image.")]
    min_accuracy: Annotated[float, Flag("At least this validation accuracy, from 0 to 1.")]
    max_training_macs: Annotated[int, Flag("At most so many multiply-accumulates of training.")]


class Asked(Limited, total=False):
    """What decides a study's results; whatever is left out comes from the study file that it starts from."""

    base: Annotated[
        str,
        Flag("A study file to start from, by name or path; else the one named after the data set.", "--from"),
    ]
    dataset: DatasetFlag
    method: MethodsFlag
    network: NetworkFlag
    objectives: Annotated[
        Sequence[str],
        Flag(
            "What the front is of: accuracy and one or two of parameters, macs, training_macs, "
            "separated by commas.",
            read=_comma_list,
        ),
    ]
    search_space: Annotated[str, Flag("Which settings are searched: a search space's name or path.")]
    parameters: Annotated[
        Mapping[str, Any],
        Flag(
            "Fix a setting, key=value, or search it, key=low..high (logarithmically, where high is at least "
            "ten times low) or key=one,two; of one of several methods, method.key=value.",
            "--set",
            read=assignments,
            repeated=True,
        ),
    ]
    trials: Annotated[int, Flag("How many trainings; else as the study file says, or 20.")]
    epochs: Annotated[
        int,
        Flag(
            "How many epochs each training takes; else as the study file says, or 30, or up to 90 where "
            "images are few."
        ),
    ]
    seed: Annotated[int, Flag("The seed of splits, networks and sampler.")]
    sampler: Annotated[str, Flag("Who proposes settings: tpe, nsgaii, gp, random or qmc.")]
    scheduler: Annotated[str, Flag("Who ends unpromising trials early: pareto-halving, or none.")]
    image_size: ImageSizeFlag
    training_images: TrainingImagesFlag
    validation_images: ValidationImagesFlag
    augmentation: AugmentationFlag


class Hosted(Located, total=False):
    """On which machines trainings run: none of it changes a result."""

    address: Annotated[str, Flag("A Ray cluster to run on; auto finds the one of this machine.")]
    cpus_per_trial: Annotated[float, Flag("Processors a trial: a whole number or a share 1/n; by default 1.")]
    gpus_per_trial: Annotated[float, Flag("GPUs a trial: a whole number or a share 1/n; by default 0.")]
    verbose: Annotated[bool, Flag("Let Ray and Optuna speak.", "--verbose")]


class Placed(Hosted, total=False):
    """Where, how and how long a study runs: none of it changes what a trial computes."""

    patience_trials: Annotated[
        int, Flag("End the study when its front has not moved over so many trials; 0 for never.")
    ]
    timeout: Annotated[
        float | str,
        Flag("End gently after this time, as in 90s, 2h or 1h30m; 0 for never.", read=seconds),
    ]
    storage: Annotated[str, Flag("Optuna's storage as a URL, instead of study.db in the run folder.")]


class Beginning(TypedDict, total=False):
    """What a study is given besides its space."""

    from_study: Annotated[
        str, Flag("A study, by name or folder, whose finished trials the sampler is told as known.")
    ]
    enqueue: Annotated[
        Path, Flag("A TOML file with a [[trial]] for each configuration that is to be trained first.")
    ]


class Continued(Placed, Beginning, total=False):
    """All that `resume` takes."""


class PlacedStudy(Asked, Placed, Beginning, total=False):
    """All that `pareto` takes."""


PointFlag = Annotated[str, Flag("The point of this id.")]


class Confirming(Limited, Hosted, total=False):
    """Which points of a front are confirmed, all of them by default, how often, and on which machines."""

    seeds: Annotated[int, Flag("With how many fresh seeds each is trained again; by default 3.")]
    point: PointFlag


class Exporting(Limited, Located, total=False):
    """Which point of a front is exported, how, and where to."""

    knee: Annotated[bool, Flag("The knee of the whole front.", "--knee")]
    point: PointFlag
    refit: Annotated[
        bool,
        Flag("Train it once more, on the validation images too, and export what comes of it.", "--refit"),
    ]
    formats: Annotated[
        Sequence[str],
        Flag(
            "File formats, by commas: safetensors (the default), onnx, torch-export, c, packed, int8.",
            "--format",
            read=_comma_list,
        ),
    ]
    directory: Annotated[Path, Flag("Where the files go; by default into the run folder.", "-o --directory")]


class Publishing(Limited, Located, total=False):
    """Which points of a front are published, and where to."""

    directory: Annotated[
        Path,
        Flag("The folder, replaced as a whole; by default one in the run folder.", "-o --directory"),
    ]


class Serving(TypedDict, total=False):
    """Where a dashboard is looked at."""

    host: Annotated[str, Flag("The address that it listens at; by default this machine alone can see it.")]
    port: Annotated[int, Flag("The port; by default 8080, and 0 takes any that is free.")]


class Reporting(Limited, total=False):
    """What a report picks, and where to it goes."""

    file: Annotated[Path, Flag("The page; by default report.html in the run folder.", "-o --file")]


class Evaluating(Located, total=False):
    """What a model file is evaluated on."""

    dataset: DatasetFlag
    image_size: ImageSizeFlag
    split: Annotated[
        str, Flag("Its part: test (the default), train, validation; or all, as of a folder of new images.")
    ]


class Predicting(TypedDict, total=False):
    """How pictures are classified."""

    top: Annotated[int, Flag("How many classes are told, the most likely first; by default 3.")]
    invert: Annotated[
        bool,
        Flag("Make dark light: for dark digits on light paper, where MNIST's are the other way.", "--invert"),
    ]


class Training(Located, total=False):
    """What one training outside of a study does, its method's settings aside."""

    dataset: DatasetFlag
    method: MethodFlag
    network: NetworkFlag
    epochs: Annotated[int, Flag("How many epochs.")]
    seed: Annotated[int, Flag("The seed of network, batches and augmentation.")]
    image_size: ImageSizeFlag
    training_images: TrainingImagesFlag
    validation_images: ValidationImagesFlag
    augmentation: AugmentationFlag
    device: Annotated[str, Flag("cpu, the default, or cuda.")]
    directory: Annotated[
        Path, Flag("Its folder; a training that was broken off there goes on.", "-o --directory")
    ]

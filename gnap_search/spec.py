"""Study and its parts: TOML in, frozen validated values out; unknown keys are refused by name.

What a study *is* (`Study`) must stay the same for as long as it lives; where and how it runs (`Launch`) may
change at every start.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import tomli_w
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from gnap_search import catalog, qualified
from gnap_search.errors import UserError, nearest
from gnap_search.flags import seconds
from gnap_search.front import BOX, Budget, Front
from gnap_search.results import Point
from gnap_search.space import Parameter, Parameters

M = TypeVar("M", bound=BaseModel)
Scheduler = Literal["pareto-halving", "none"]
Sampler = Literal["tpe", "nsgaii", "gp", "random", "qmc"]
ImageSize = Annotated[int | None, Field(ge=8, le=512)]
OPTIMIZER = "optimizer"
STEPS = ("learning_rate", "weight_decay")  # what is right for one optimizer and wrong for another
EPOCHS, MOST_EPOCHS = 30, 90  # of a training for which nobody has asked for any
MANY_IMAGES = 10_000  # from which on it has no more than that
PASSWORD = re.compile(r"((?<!sqlite)://[^:]*):.*@", re.DOTALL)  # of a storage's address
LONGEST_TIMEOUT = 1e9  # seconds, thirty years; what a thread can wait for is bounded


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _share(value: float) -> float:
    """An accuracy that is no percentage."""
    if value > 1:
        raise ValueError("should be less than or equal to 1; it goes from 0 to 1, 0.98 for 98 %")
    return value


class Constraints(_Frozen):
    """Limits on the front's points; the sampler is told of them as Optuna constraints."""

    max_params: int | None = Field(None, gt=0)
    max_macs: int | None = Field(None, gt=0)
    min_accuracy: Annotated[float, Field(ge=0), AfterValidator(_share)] | None = None
    max_training_macs: int | None = Field(None, gt=0)

    def budget(self) -> Budget:
        """The same limits as the front knows them."""
        return Budget(self.max_params, self.max_macs, self.min_accuracy, self.max_training_macs)


def joined(written: Any) -> str:
    """Several methods as one text without spaces: a file may list them.

    Raises:
        ValueError: what is written names no methods, or one of them twice.
    """
    if isinstance(written, list | tuple):
        written = ",".join(map(str, written))
    if not isinstance(written, str):
        raise ValueError("should be a method's name, or a list of such names")
    names = [name.strip() for name in written.split(",")]
    if len(names) > 1 and not all(names):
        raise ValueError("should be a method's name, or several with a comma between any two")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"names {twice!r} twice")
    return ",".join(names)


def _accuracy_and_costs(objectives: tuple[str, ...]) -> tuple[str, ...]:
    """Accuracy and one or two costs: what a front can be searched for in reasonable time."""
    costs = objectives[1:]
    if objectives[:1] != ("accuracy",) or not 1 <= len(costs) <= 2 or len({*costs}) < len(costs):
        raise ValueError(f"should be accuracy and one or two of {', '.join(BOX)}")
    unknown = next((cost for cost in costs if cost not in BOX), None)
    if unknown is not None:
        raise ValueError(f"names {unknown!r}; {nearest(unknown, BOX)}")
    return objectives


class Study(_Frozen):
    """Everything that decides a study's results; `method` may name several, separated by commas."""

    summary: str = ""
    dataset: str
    method: Annotated[str, BeforeValidator(joined)] = "gnap"
    network: str = "grid-cnn"
    objectives: Annotated[tuple[str, ...], AfterValidator(_accuracy_and_costs)] = ("accuracy", "parameters")
    task: str = "classification"
    trials: int = Field(20, gt=0)
    epochs: int = Field(EPOCHS, gt=0)
    seed: int = Field(0, ge=0, lt=2**32)
    sampler: Sampler = "tpe"
    scheduler: Scheduler = "pareto-halving"
    image_size: ImageSize = None
    training_images: int | None = Field(None, ge=2)
    validation_images: int | None = Field(None, ge=2)
    augmentation: tuple[str, ...] | None = None
    constraints: Constraints = Constraints()
    parameters: Parameters = Field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Self:
        """The study that a run folder keeps: complete, so that no search space is filled in."""
        # What was written before there was a scheduler had none.
        return _validated(cls, {"scheduler": "none", **catalog.read_toml(path)}, str(path))

    @property
    def costs(self) -> tuple[str, ...]:
        """The objectives that should be small, as fields of a point."""
        return self.objectives[1:]

    def front(self, points: Iterable[Point] = ()) -> Front:
        """The front of these points under the study's limits and objectives."""
        return Front(points, self.constraints.budget(), self.costs)

    @property
    def methods(self) -> tuple[str, ...]:
        """Between which methods the study chooses."""
        return qualified.methods(self.method)

    @property
    def images(self) -> str:
        """What it is on, in words."""
        return images(self.dataset, self.image_size, self.training_images, self.validation_images)

    def for_each_trial(self) -> dict[str, Any]:
        """What the plan of a trial takes from the study as it stands; of several methods it has but one."""
        return {
            "dataset": self.dataset,
            "method": self.method,
            "network": self.network,
            "task": self.task,
            "epochs": self.epochs,
            "augmentation": self.augmentation,
            "image_size": self.image_size,
            "training_images": self.training_images,
            "validation_images": self.validation_images,
            "costs": tuple(dict.fromkeys(["parameters", "macs", *self.costs, *self._limited])),
        }

    @property
    def _limited(self) -> list[str]:
        """A cost of training that has a limit: what costs less may have to stand in for what is better."""
        return [] if self.constraints.max_training_macs is None else ["training_macs"]

    def fitted(self, images: int) -> Study:
        """The study for a training set of that many images: no range is per image any more.

        Epochs that nobody has asked for become more where images are few, of which each takes fewer steps.
        """
        ranges = {name: parameter.fitted(images) for name, parameter in self.parameters.items()}
        epochs = self.epochs if "epochs" in self.model_fields_set else usual_epochs(images)
        return self.model_copy(update={"parameters": ranges, "epochs": epochs})

    def differences(self, other: Study) -> dict[str, tuple[Any, Any]]:
        """Setting -> (this study's value, the other's), for what differs; words and hints do not count."""
        mine, theirs = _flat(self._written()), _flat(other._written())
        keys = sorted(key for key in mine.keys() | theirs.keys() if not key.endswith(("summary", ".cheap")))
        return {key: (mine.get(key), theirs.get(key)) for key in keys if mine.get(key) != theirs.get(key)}

    def to_toml(self) -> str:
        """The study as a file that `read` reads back to the same value, defaults written out."""
        return tomli_w.dumps(_without_none(self._written()))

    def _written(self) -> dict[str, Any]:
        values = self.model_dump(mode="json", exclude={"parameters"})
        return {**values, "parameters": {name: one.written() for name, one in self.parameters.items()}}


def usual_epochs(images: int) -> int:
    """How many epochs a training on so many images has where nobody asks: more where they are few."""
    return round(min(MOST_EPOCHS, EPOCHS * max(1.0, math.sqrt(MANY_IMAGES / images))))


class Launch(_Frozen):
    """Where, how and how long a study runs; none of it changes what a trial computes.

    `patience_trials` ends a study whose front has not moved over so many trials, `timeout` one that has run
    for so many seconds since it was started or resumed; 0 is never.
    """

    data_root: Path | None = None
    storage: str | None = None
    address: str | None = None
    cpus_per_trial: float = Field(1, gt=0, allow_inf_nan=False)
    gpus_per_trial: float = Field(0, ge=0, allow_inf_nan=False)
    patience_trials: int = Field(0, ge=0)
    timeout: Annotated[float, BeforeValidator(seconds)] = Field(0, le=LONGEST_TIMEOUT)
    download: bool = True
    verbose: bool = False

    @classmethod
    def read(cls, path: Path) -> Self:
        """The launch settings that a run folder keeps."""
        return _validated(cls, catalog.read_toml(path), str(path))

    def to_toml(self) -> str:
        """The launch settings as a file."""
        return tomli_w.dumps(_without_none(self.model_dump(mode="json")))


class SpaceFile(_Frozen):
    """A file of `search_spaces/`."""

    summary: str = ""
    method: str
    parameters: Parameters


class _Sized(_Frozen):
    image_size: ImageSize = None


def image_size(asked: int | None) -> int | None:
    """A side of images, as a study takes it.

    Raises:
        UserError: it is out of bounds.
    """
    return _validated(_Sized, {"image_size": asked}, "").image_size


def images(
    dataset: str, image_size: int | None, training_images: int | None, validation_images: int | None
) -> str:
    """In words: the data set, and size and number of its images where they were chosen."""
    size = "" if image_size is None else f" at {image_size}x{image_size} pixels"
    counts = {"training": training_images, "validation": validation_images}
    chosen = [f"{count:,} {split} images" for split, count in counts.items() if count is not None]
    return dataset + size + (f" with {' and '.join(chosen)}" if chosen else "")


def load(name: str) -> Study:
    """The study of a TOML file, by name or by path, with its search space filled in."""
    path = catalog.file("studies", name)
    return resolve(catalog.read_toml(path), str(path))


def load_space(name: str) -> SpaceFile:
    """The search space of a TOML file, by name or by path."""
    return read_space(catalog.file("search_spaces", name))


def namesake(method: str) -> Parameters:
    """What the search space of a method's own name searches; nothing where there is no such space."""
    return load_space(method).parameters if method in catalog.names("search_spaces") else {}


def read_space(path: Path) -> SpaceFile:
    """The search space of a file.

    Raises:
        UserError: a key or value is wrong; the file and the key are named.
    """
    space = _validated(SpaceFile, catalog.read_toml(path), str(path))
    _refuse_unknown("methods", space.method, str(path))
    return space


def resolve(written: Mapping[str, Any], source: str = "") -> Study:
    """A study from what a file or flags say; `source` names the file in complaints.

    `search_space` names the space that is filled in below the study's own `parameters`; without it the space
    that carries the method's name is taken. Of several methods each has the space of its name.

    Raises:
        UserError: a key or value is wrong; the file and the key are named.
    """
    values = dict(written)
    names = _methods(values, source)
    own, chosen = values.get("parameters", {}), values.pop("search_space", names[0])
    if not isinstance(own, Mapping):
        pass  # the validation below says what is wrong with it
    elif len(names) == 1:
        space = _space(str(chosen), names[0], own, source)
        values["parameters"] = {**space, **own}
    else:
        _refuse_search_space(written, source)
        spaces = {name: _space(name, name, own, source) for name in names}
        values["parameters"] = qualified.merged(spaces, own)
    study = _validated(Study, values, source)
    _refuse_unknown("networks", study.network, source)
    _refuse_unknown("tasks", study.task, source)
    return study


def _methods(values: Mapping[str, Any], source: str) -> tuple[str, ...]:
    try:
        names = qualified.methods(joined(values.get("method", Study.model_fields["method"].default)))
    except ValueError as problem:
        raise UserError(f"{_prefix(source)}method {problem}.") from None
    for name in names:
        _refuse_unknown("methods", name, source)
    return names


def _space(name: str, method: str, own: Mapping[str, Any], source: str) -> Parameters:
    """What a search space of a method searches, below a study's own parameters."""
    space = load_space(name)
    if space.method != method:
        raise UserError(
            f"{_prefix(source)}search space {name!r} is for method {space.method!r}, not {method!r}."
        )
    wanted = own.get(qualified.name(method, OPTIMIZER), own.get(OPTIMIZER))
    return suited(space.parameters, wanted)


def suited(parameters: Mapping[str, Any], optimizer: Any) -> dict[str, Any]:
    """What lies below a choice of optimizer: steps are for the one beside them, another has its own.

    Without a choice, and where nothing says whom the steps are for, all of it stays.
    """
    beside = parameters.get(OPTIMIZER)
    if optimizer is None or beside is None or optimizer == getattr(beside, "value", beside):
        return dict(parameters)
    return {name: one for name, one in parameters.items() if name not in STEPS}


def _refuse_search_space(values: Mapping[str, Any], source: str) -> None:
    if "search_space" in values:
        raise UserError(
            f"{_prefix(source)}search_space = {values['search_space']!r} is for one method, and of "
            "several each has the space of its own name; leave it out."
        )


def launch(values: Mapping[str, Any]) -> Launch:
    """Launch settings from flags, with absolute paths, so that they hold in any working directory.

    Raises:
        UserError: a value is wrong.
    """
    asked = _validated(Launch, values, "")
    root = asked.data_root and Path(os.path.expanduser(asked.data_root)).absolute()
    storage = asked.storage and from_anywhere(asked.storage)
    return asked.model_copy(update={"data_root": root, "storage": storage})


def from_anywhere(storage: str) -> str:
    """The URL of a storage, with the whole path of a file of SQLite; all else stays as it is."""
    file = sqlite_file(storage)
    if file is None or file.is_absolute():
        return storage
    from sqlalchemy import make_url

    return make_url(storage).set(database=str(file.absolute())).render_as_string(hide_password=False)


def sqlite_file(storage: str) -> Path | None:
    """The file that a storage's URL names; None where it is no file of SQLite's."""
    if not storage.startswith("sqlite"):
        return None
    from sqlalchemy import exc, make_url  # for a tenth of a second

    try:
        name = make_url(storage).database
    except (exc.ArgumentError, ValueError):  # whoever connects to it says so
        return None
    return Path(name) if name and not name.startswith((":memory:", "file:")) else None


def without_password(text: str) -> str:
    """A storage's address, alone or within a word of a command, without its password.

    All from the first colon to the last @ passes for it, so that one is hidden too that is not written as it
    should be. A file of SQLite's has none, and its path may hold both.
    """
    return PASSWORD.sub(r"\1@", text)


def constraints(values: Mapping[str, Any]) -> Constraints:
    """Limits from flags; what is not a limit is passed over.

    Raises:
        UserError: a value is wrong.
    """
    given = {name: values[name] for name in Constraints.model_fields if name in values}
    return _validated(Constraints, given, "")


def _refuse_unknown(kind: str, name: str, source: str) -> None:
    known = catalog.names(kind)
    if name not in known:
        word = catalog.IMPLEMENTATIONS[kind]
        raise UserError(f"{_prefix(source)}unknown {word} {name!r}; {nearest(name, known)}")


def _prefix(source: str) -> str:
    return f"{source}: " if source else ""


def _validated(model: type[M], values: Mapping[str, Any], source: str) -> M:
    """A model, or one sentence about its first problem."""
    try:
        return model.model_validate(values)
    except ValidationError as problem:
        raise UserError(_prefix(source) + _sentence(model, problem)) from None


def _sentence(model: type[BaseModel], problem: ValidationError) -> str:
    # A misspelt key also leaves the right one missing, and says more about what went wrong.
    first = min(problem.errors(), key=lambda error: error["type"] != "extra_forbidden")
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        fields = _fields_at(model, first["loc"])
        return f"unknown key {key!r}; {nearest(str(first['loc'][-1]), fields)}"
    if first["type"] == "missing":
        return f"the key {key!r} is missing."
    said = first["msg"].removeprefix("Value error, ").replace("Input should", "should")
    given = f" = {first['input']!r}" if isinstance(first["input"], int | float | str) else ""
    return f"{key}{given}: {said}" + ("" if said.endswith((".", "?")) else ".")


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys that are allowed where an unknown one was found."""
    parts: dict[str, type[BaseModel]] = {"constraints": Constraints, "parameters": Parameter}
    inner = parts.get(str(location[0]))
    if inner and len(location) > 1:
        return list(inner.model_fields)
    return [*model.model_fields, *(["search_space"] if model is Study else [])]


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, inner in value.items():
        if isinstance(inner, Mapping) and key != "when":
            flat.update(_flat(inner, f"{prefix}{key}."))
        else:
            flat[prefix + key] = list(inner) if isinstance(inner, tuple) else inner
    return flat


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    return value

"""Reference: a published front that others are compared with, by the record in its folder alone.

`gnap_search.publication` writes such folders. To read one takes no study, no networks and no torch.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from gnap_search import qualified, spec
from gnap_search.confirmation import Spread
from gnap_search.errors import UserError
from gnap_search.results import Point

RECORD = "front.json"
OF_A_TRAINING = ("validation_accuracy", "test_accuracy", "parameters")  # a record has their means over seeds


@dataclasses.dataclass(frozen=True)
class Reference:
    """A published front.

    Attributes:
        name: the folder as somebody named it.
        images: what it is on, in the words of a study; `data_digests` has the digest of these data alone.
        points: its points; what the record does not say of them is 0, or not a number.
        tested: point id -> test accuracy.
        repeated: what was trained with several seeds: the means, the test accuracy's spread, how many seeds.
        trials: how many trainings there were.
    """

    name: str
    images: str
    data_digests: frozenset[str]
    methods: tuple[str, ...]
    network: str
    points: tuple[Point, ...]
    tested: Mapping[str, float]
    repeated: tuple[tuple[Point, Spread, int], ...]
    trials: int

    @staticmethod
    def is_in(folder: Path) -> bool:
        """Whether a folder holds a published front; a study may have a file of the record's name too."""
        # Of a path that no file could have, these say no where pathlib raises.
        return os.path.isfile(folder / RECORD) and not os.path.isdir(folder / "trials")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The front in a folder.

        Raises:
            UserError: its record is not what `gnap-search publish` writes.
        """
        try:
            return cls._told(str(folder), json.loads((folder / RECORD).read_text(encoding="utf-8")))
        except (
            OSError,
            ValueError,
            TypeError,
            KeyError,
            IndexError,
            AttributeError,
            OverflowError,
        ) as problem:
            raise UserError(
                f"{folder / RECORD} is not a published front ({problem!r}); `gnap-search publish` writes one."
            ) from None

    @classmethod
    def _told(cls, name: str, record: Mapping[str, Any]) -> Self:
        points, configurations = record["points"], record["configurations"]
        repeated = [
            *({"trial": one["trials"][0], "epoch": record["epochs"], **one} for one in configurations),
            *({**one, **one["confirmed"]} for one in points if one.get("confirmed")),
        ]
        return cls(
            name=name,
            images=spec.images(
                record["dataset"],
                record["image_size"],
                record["training_images"],
                record.get("validation_images"),  # what was published first does not say
            ),
            data_digests=frozenset({record["data_digest"]}),
            methods=qualified.methods(record["method"]),
            network=record["network"],
            points=tuple(_point(one) for one in points),
            tested={one["id"]: one["test_accuracy"] for one in points},
            repeated=tuple(_averaged(one) for one in repeated if len(one["seeds"]) > 1),
            trials=record["trials"],
        )


def _point(told: Mapping[str, Any]) -> Point:
    return Point(
        trial=told["trial"],
        epoch=told["epoch"],
        parameters=told["parameters"],
        weights=told.get("weights", 0),
        macs=told.get("macs", 0),
        live_macs=told.get("live_macs", 0),
        training_macs=told.get("training_macs", 0),
        validation_accuracy=told["validation_accuracy"],
        validation_loss=math.nan,
        training_loss=math.nan,
        learning_rate=math.nan,
        phase="finishing",
        widths={},
        seconds=math.nan,
    )


def _averaged(told: Mapping[str, Any]) -> tuple[Point, Spread, int]:
    spreads = {key: Spread(told[key]["mean"], told[key]["standard_deviation"]) for key in OF_A_TRAINING}
    mean = {
        "trial": told["trial"],
        "epoch": told["epoch"],
        "parameters": round(spreads["parameters"].mean),
        "macs": round(told["macs"]["mean"]) if isinstance(told.get("macs"), Mapping) else 0,
        "validation_accuracy": spreads["validation_accuracy"].mean,
    }
    return _point(mean), spreads["test_accuracy"], len(told["seeds"])

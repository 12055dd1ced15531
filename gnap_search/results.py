"""Point and History: what a trial was at the end of each epoch, one JSON line each, read back lazily."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gnap_search import files
from gnap_search.errors import UserError


@dataclasses.dataclass(frozen=True)
class Point:
    """A settled state of one trial: its network at the end of an epoch, with hard gates and no dead channel.

    Accuracies lie in [0, 1]; losses are mean cross-entropies in nats; `seconds` is the time that the
    epoch took, evaluation included. `parameters` follows the one counting rule
    (`gnap_search.structure.cost`): live non-zero weights, live biases and live norm affine values;
    `weights` counts the first of these alone. `macs` is the multiply-accumulate count for one image of
    the network without its dead channels; `live_macs` leaves out the zero weights too. `phase` is `warm-up`,
    `growing`, `pruning` or `finishing`; `grown` says that the network widened right after this point.
    `training_macs` is what the trial's steps have taken until then: a step counts as three passes forward
    through the network as wide as it was in that epoch; evaluation and what a method computes besides the
    network are not in it.
    """

    trial: int
    epoch: int
    parameters: int
    weights: int
    macs: int
    live_macs: int
    validation_accuracy: float
    validation_loss: float
    training_loss: float
    learning_rate: float
    phase: str
    widths: dict[str, int]
    seconds: float
    grown: bool = False
    training_macs: int = 0

    @property
    def id(self) -> str:
        """The point's name within its study: trial and epoch, as in `12-60`."""
        return f"{self.trial}-{self.epoch}"

    def told(self, test_accuracy: float | None) -> dict[str, Any]:
        """What a record of a front says of the point; the test accuracy is None until it is scored."""
        return {
            "id": self.id,
            "trial": self.trial,
            "epoch": self.epoch,
            "parameters": self.parameters,
            "weights": self.weights,
            "macs": self.macs,
            "live_macs": self.live_macs,
            "training_macs": self.training_macs,
            "validation_accuracy": self.validation_accuracy,
            "test_accuracy": test_accuracy,
        }

    def to_json(self) -> str:
        """The point on one line."""
        return json.dumps(vars(self))

    @classmethod
    def from_json(cls, line: str) -> Point:
        """The point of one line; fields that this version does not know are left out."""
        record: dict[str, Any] = json.loads(line)
        return cls(**{name: record[name] for name in cls.__dataclass_fields__ if name in record})


def network(folder: Path, epoch: int) -> Path:
    """The file with the network of an epoch, in the folder of its training."""
    return folder / "models" / f"{epoch}.safetensors"


class History:
    """A trial's points in a file of JSON lines, one an epoch, in the order of the epochs."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __iter__(self) -> Iterator[Point]:
        """The points; a last line that a crash cut short is left out.

        Raises:
            UserError: a line is not a point.
        """
        if not self.path.exists():
            return
        for number, line in enumerate(self.path.read_bytes().splitlines(keepends=True), start=1):
            if line.endswith(b"\n"):
                yield self._point(line, number)

    def _point(self, line: bytes, number: int) -> Point:
        try:
            return Point.from_json(line.decode())
        except (ValueError, TypeError):
            raise UserError(f"{self.path}, line {number}, is damaged; delete that line.") from None

    def append(self, *points: Point) -> None:
        """Write more lines, at once."""
        with self.path.open("a") as file:
            file.write("".join(point.to_json() + "\n" for point in points))

    def rewrite(self, points: list[Point]) -> None:
        """Replace the file, atomically: what a trial does when it goes on from its checkpoint."""
        files.replace(self.path, "".join(point.to_json() + "\n" for point in points))

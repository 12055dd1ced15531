"""Splits: images and labels -> train, validation and test, the same ones every time and everywhere."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from gnap_search.contracts import Data, Split, digest, joined
from gnap_search.errors import UserError

SEED = 1789  # of the splits alone: a study's seed must not change what its test images are
NAMES = ("train", "validation", "test")
PARTS = {
    "train": "train",
    "training": "train",
    "dev": "validation",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
"""What splits are usually called, in small letters -> split."""
SHARE = 0.15  # of the images, for validation and for test
MOST_VALIDATION = 5_000  # images: it is scored after every epoch, and more would tell hardly more
COLOUR = ("crop", "flip")  # a mirrored photograph is a photograph
GREY = ("affine",)  # a mirrored character is none


@dataclasses.dataclass(frozen=True)
class Shares:
    """How many images are set aside where a split does not come with the data; None for the usual share."""

    validation: int | None = None
    test: int | None = None


def complete(
    name: str,
    classes: Sequence[str],
    given: Mapping[str, Split],
    augmentation: tuple[str, ...] | None = None,
    shares: Shares = Shares(),
) -> Data:
    """A data set from `train` and, where given, `validation` and `test`; missing ones are cut from `train`.

    The cut is stratified: every class has the same share in every split, and at least one image. Without an
    augmentation the usual one for colour or for grey images is taken.

    Raises:
        UserError: there is one class only, or a class has too few images.
    """
    splits = dict(given)
    _check_counts(name, classes, splits)
    random = np.random.Generator(np.random.PCG64(SEED))
    usual = round(len(splits["train"]) * SHARE)
    wanted = {
        "test": usual if shares.test is None else shares.test,
        "validation": min(usual, MOST_VALIDATION) if shares.validation is None else shares.validation,
    }
    cut = tuple(part for part in wanted if part not in splits)
    for part in cut:
        splits["train"], splits[part] = _cut(splits["train"], wanted[part], random)
    return Data(
        name=name,
        classes=tuple(classes),
        train=splits["train"],
        validation=splits["validation"],
        test=splits["test"],
        augmentation=_usual_augmentation(splits["train"]) if augmentation is None else augmentation,
        digest=digest(splits[part] for part in NAMES),
        cut=cut,
    )


def with_training_images(data: Data, count: int) -> Data:
    """The data with `count` of their training images alone, the same ones every time and in their order.

    Every class keeps its share, and those of a smaller count are among those of a larger one. The other
    splits stay, and the digest is that of what is left: a training on fewer images is one on other data.

    Raises:
        UserError: there are fewer training images, or more classes.
    """
    _refuse_count("training_images", count, data, len(data.train), "there are to train on")
    train = _part(data.train, earliest(data.train.labels, count))
    left = digest((train, data.validation, data.test))
    note = data.note and f"{data.note}; {count:,} of the training images are taken"
    return dataclasses.replace(data, train=train, digest=left, note=note)


def with_validation_images(data: Data, count: int) -> Data:
    """The data with `count` of their validation images alone; the others are trained on.

    They are the same ones every time. Every class keeps its share, and those of a smaller count are among
    those of a larger one. What is trained on too stands behind the training images. The test images stay, and
    the digest is that of the new splits.

    Raises:
        UserError: there are fewer validation images, or more classes.
    """
    _refuse_count("validation_images", count, data, len(data.validation), "are set aside to choose by")
    stays = earliest(data.validation.labels, count)
    train, validation = joined((data.train, _part(data.validation, ~stays))), _part(data.validation, stays)
    note = data.note and f"{data.note}; {count:,} of the validation images are kept, the others trained on"
    return dataclasses.replace(
        data, train=train, validation=validation, digest=digest((train, validation, data.test)), note=note
    )


def refuse_unwritable(name: str, classes: Iterable[str]) -> None:
    """A class whose name is not UTF-8, as old archives leave it, could stand in no model file.

    Raises:
        UserError: there is one.
    """
    for label in classes:
        try:
            label.encode()
        except UnicodeEncodeError:
            raise UserError(f"{name}: the name of class {label!r} is not UTF-8; rename it.") from None


def told(data: Data) -> str:
    """What was read, in words, and what of it makes accuracies too good."""
    counts = [f"{len(split):,}" for split in (data.train, data.validation, data.test)]
    read = (
        f"{data.name}: {len(data.classes):,} classes, {'/'.join(counts)} images of "
        f"{' x '.join(map(str, data.shape))} for training, validation and test"
    )
    return "; ".join([read, *_copies_told(data)])


def without_copies(split: Split) -> Split:
    """The first of all images with the same pixels and the same class; their order stays."""
    seen: dict[tuple[bytes, int], int] = {}
    for index, key in enumerate(zip(_fingerprints(split), split.labels.tolist(), strict=True)):
        seen.setdefault(key, index)
    return split if len(seen) == len(split) else _part(split, np.array(list(seen.values())))


def _copies_told(data: Data) -> Iterator[str]:
    """That an image for training is there to choose or to test by as well, or that it has several classes."""
    splits = {"train": data.train, "validation": data.validation, "test": data.test}
    prints = {part: _fingerprints(split) for part, split in splits.items()}
    known, classes = set(prints["train"]), dict[bytes, int]()
    for part, others in {"validation": "training", "test": "training or validation"}.items():
        if count := sum(pixels in known for pixels in prints[part]):
            yield f"{part} images that are, to the last pixel, among those for {others}: {count:,}"
        known.update(prints[part])
    contradicted = {
        pixels
        for part, split in splits.items()
        for pixels, label in zip(prints[part], split.labels.tolist(), strict=True)
        if classes.setdefault(pixels, label) != label
    }
    if contradicted:
        yield f"images in several classes: {len(contradicted):,}"


def _fingerprints(split: Split) -> list[bytes]:
    """A few bytes for each image, by which it is known."""
    return [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in split.images]


def held_out(labels: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """A stratified choice of about `count` of the labels: bool, one each.

    Each class gives its share, rounded so that the sum is `count`, but at least one and never its last one.
    """
    sizes = np.bincount(labels)
    exact = sizes * (count / len(labels))
    quotas = np.floor(exact).astype(np.int64)
    largest_remainders = np.argsort(quotas - exact, kind="stable")[: count - quotas.sum()]
    quotas[largest_remainders] += 1
    quotas = np.clip(quotas, 1, sizes - 1)
    chosen: np.ndarray = _ranks(labels, random) < quotas[labels]
    return chosen


def earliest(labels: np.ndarray, count: int) -> np.ndarray:
    """A stratified choice of `count` of the labels, which every smaller one is part of: bool, one each.

    Each class gives one, and then its share as Sainte-Laguë's rule rounds it. Rounded so that the largest
    remainders win, as `held_out` does, a class may give fewer when the count rises.
    """
    random = np.random.Generator(np.random.PCG64(SEED).jumped())  # other numbers than those of the cuts
    ranks, sizes = _ranks(labels, random), np.bincount(labels)
    turns = np.where(ranks == 0, 0, (ranks + 0.5) / sizes[labels])
    chosen = np.zeros(len(labels), dtype=bool)
    chosen[np.argsort(turns, kind="stable")[:count]] = True
    return chosen


def _ranks(labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The place of each label in a random order of its class, from 0."""
    sizes = np.bincount(labels)
    # Raw doubles as sorting keys: their stream is the one that numpy keeps fixed between its versions.
    order = np.lexsort((random.random(len(labels)), labels))
    ranks = np.empty(len(labels), dtype=np.int64)
    ranks[order] = np.arange(len(labels)) - (np.cumsum(sizes) - sizes)[labels[order]]
    return ranks


def _usual_augmentation(split: Split) -> tuple[str, ...]:
    return GREY if split.images.shape[1] == 1 else COLOUR


def _cut(split: Split, count: int, random: np.random.Generator) -> tuple[Split, Split]:
    """What stays, and what is set aside; both keep the order of the images."""
    chosen = held_out(split.labels, count, random)
    return _part(split, ~chosen), _part(split, chosen)


def _part(split: Split, chosen: np.ndarray) -> Split:
    """The images that are marked, or those of these places."""
    return Split(split.images[chosen], split.labels[chosen])


def _refuse_count(key: str, count: int, data: Data, most: int, these: str) -> None:
    if not len(data.classes) <= count <= most:
        raise UserError(
            f"{key} = {count} should be from {len(data.classes)}, one for each class of {data.name}, "
            f"to {most}, all that {these}."
        )


def _check_counts(name: str, classes: Sequence[str], splits: Mapping[str, Split]) -> None:
    if len(classes) < 2:
        raise UserError(f"{name} has one class only ({classes[0]}); at least two are needed to classify.")
    for part, split in splits.items():
        least = 1 + len(NAMES) - len(splits) if part == "train" else 1
        sizes = np.bincount(split.labels, minlength=len(classes))
        rarest = int(sizes.argmin())
        if sizes[rarest] < least:
            raise UserError(
                f"Class {classes[rarest]!r} of {name} has too few images for {part} ({sizes[rarest]}); at "
                f"least {least} are needed, one for each split that is made of them."
            )

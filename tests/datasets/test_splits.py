import numpy as np
import pytest
from hypothesis import given, strategies

from gnap_search.contracts import Split
from gnap_search.datasets import _splits
from gnap_search.errors import UserError


def numbered(labels):
    """A split whose images carry their own number."""
    numbers = np.arange(len(labels), dtype=np.uint16)
    images = np.stack((numbers & 255, numbers >> 8), axis=1).astype(np.uint8)
    return Split(images.reshape(-1, 1, 1, 2), np.asarray(labels, np.int64))


def numbers(split):
    pixels = split.images[:, 0, 0].astype(int)
    return pixels[:, 0] + 256 * pixels[:, 1]


def random():
    return np.random.Generator(np.random.PCG64(0))


@given(
    sizes=strategies.lists(strategies.integers(2, 60), min_size=1, max_size=12),
    share=strategies.floats(0.0, 1.0),
)
def test_every_class_gives_its_share_rounded(sizes, share):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    count = round(len(labels) * share)
    chosen = _splits.held_out(labels, count, random())
    given_by = np.bincount(labels[chosen], minlength=len(sizes))
    for size, quota in zip(sizes, given_by, strict=True):
        exact = size * count / len(labels)
        assert 1 <= quota <= size - 1
        assert abs(np.clip(exact, 1, size - 1) - quota) <= 1
    if min(sizes) * share > 1 and min(sizes) * (1 - share) > 1:
        assert chosen.sum() == count


def test_a_cut_is_exact_for_unequal_classes():
    labels = np.repeat(np.arange(10), np.arange(5_421, 6_742, 140))
    assert _splits.held_out(labels, 5_000, random()).sum() == 5_000


def test_splits_are_disjoint_and_lose_nothing():
    data = _splits.complete("x", ["a", "b"], {"train": numbered([0, 1, 1] * 100)})
    parts = [numbers(split) for split in (data.train, data.validation, data.test)]
    assert sorted(np.concatenate(parts)) == list(range(300))
    assert [len(part) for part in parts] == [210, 45, 45]
    assert all(np.array_equal(np.sort(part), part) for part in parts)


def test_labels_stay_with_their_images():
    labels = np.random.default_rng(1).integers(0, 3, 300)
    data = _splits.complete("x", "abc", {"train": numbered(labels)})
    for split in (data.train, data.validation, data.test):
        assert np.array_equal(split.labels, labels[numbers(split)])


def test_given_splits_are_left_alone():
    test, validation = numbered([0, 1] * 5), numbered([1, 0] * 7)
    data = _splits.complete(
        "x", "ab", {"train": numbered([0, 1] * 50), "test": test, "validation": validation}
    )
    assert (len(data.train), data.validation, data.test) == (100, validation, test)
    data = _splits.complete("x", "ab", {"train": numbered([0, 1] * 50), "test": test})
    assert (len(data.train), len(data.validation), data.test) == (85, 15, test)


def test_a_validation_split_has_5000_images_at_most():
    data = _splits.complete("x", "ab", {"train": numbered([0, 1] * 30_000), "test": numbered([0, 1])})
    assert len(data.validation) == 5_000


def test_splits_never_change():
    data = _splits.complete("x", "ab", {"train": numbered([0, 1] * 20)})
    assert numbers(data.test).tolist() == [7, 8, 19, 22, 32, 37]
    assert data.digest == _splits.complete("y", "ab", {"train": numbered([0, 1] * 20)}).digest


@pytest.mark.parametrize("change", ["pixel", "label", "split"])
def test_the_digest_tells_apart(change):
    train, test = numbered([0, 1] * 20), numbered([0, 1] * 5)
    before = _splits.digest([train, train, test])
    if change == "pixel":
        train.images[3] += 1
    elif change == "label":
        train.labels[3] ^= 1
    else:
        train, test = test, train
    assert _splits.digest([train, train, test]) != before


@given(sizes=strategies.lists(strategies.integers(1, 60), min_size=2, max_size=12), data=strategies.data())
def test_the_earliest_are_as_near_to_the_shares_as_whole_numbers_allow(sizes, data):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    count = data.draw(strategies.integers(len(sizes), len(labels)))
    chosen = _splits.earliest(labels, count)
    assert chosen.sum() == count
    given_by = np.bincount(labels[chosen], minlength=len(sizes))
    assert given_by.min() >= 1
    latest = [(number - 0.5) / size for number, size in zip(given_by, sizes, strict=True) if number > 1]
    next_ones = (given_by + 0.5) / sizes
    assert max(latest, default=0) <= min(next_ones[given_by < sizes], default=1), "no exchange is an advance"


@given(labels=strategies.lists(strategies.integers(0, 4), min_size=2), data=strategies.data())
def test_of_the_earliest_fewer_are_among_more(labels, data):
    fewer, more = sorted(data.draw(strategies.tuples(*[strategies.integers(1, len(labels))] * 2)))
    known = np.unique(labels, return_inverse=True)[1]
    assert not (_splits.earliest(known, fewer) & ~_splits.earliest(known, more)).any()


def test_a_part_of_the_training_images_leaves_the_rest_alone():
    labels = np.random.default_rng(1).integers(0, 3, 300)
    whole = _splits.complete("x", "abc", {"train": numbered(labels)})
    part = _splits.with_training_images(whole, 12)
    assert (part.validation, part.test, part.classes) == (whole.validation, whole.test, whole.classes)
    assert np.array_equal(part.train.labels, labels[numbers(part.train)])
    assert set(numbers(part.train)) <= set(numbers(whole.train))
    assert np.array_equal(np.sort(numbers(part.train)), numbers(part.train))
    assert numbers(part.train).tolist() == [20, 72, 102, 110, 126, 127, 147, 232, 252, 258, 283, 298]


def test_the_digest_is_that_of_the_images_that_are_used():
    whole = _splits.complete("x", "ab", {"train": numbered([0, 1] * 50)})
    parts = [_splits.with_training_images(whole, count) for count in (20, 20, 21, len(whole.train))]
    digests = [part.digest for part in parts]
    assert digests[0] == digests[1] and len(set(digests)) == 3 and digests[-1] == whole.digest


@pytest.mark.parametrize("count", [1, 71])
def test_a_part_of_too_few_or_too_many_images_is_refused(count):
    whole = _splits.complete("x", "ab", {"train": numbered([0, 1] * 50)})
    with pytest.raises(UserError, match=f"training_images = {count} should be from 2, .* of x, to 70, all"):
        _splits.with_training_images(whole, count)


@given(count=strategies.integers(3, 45))
def test_of_the_validation_images_some_may_be_trained_on(count):
    labels = np.random.default_rng(1).integers(0, 3, 300)
    whole = _splits.complete("x", "abc", {"train": numbered(labels)})
    part = _splits.with_validation_images(whole, count)
    kept, trained = numbers(part.validation), numbers(part.train)
    assert len(kept) == count and set(part.validation.labels) == {0, 1, 2} and part.test == whole.test
    assert set(kept) <= set(numbers(whole.validation)) and np.array_equal(np.sort(kept), kept)
    assert np.array_equal(trained[:210], numbers(whole.train))
    assert sorted([*trained[210:], *kept]) == numbers(whole.validation).tolist()
    assert np.array_equal(part.train.labels, labels[trained])
    assert (part.digest == whole.digest) == (count == 45)


@pytest.mark.parametrize("count", [1, 16])
def test_too_few_or_too_many_validation_images_are_refused(count):
    whole = _splits.complete("x", "ab", {"train": numbered([0, 1] * 50)})
    with pytest.raises(UserError, match=f"validation_images = {count} should be from 2, .* of x, to 15, all"):
        _splits.with_validation_images(whole, count)


def test_one_class_is_refused():
    with pytest.raises(UserError, match="one class only"):
        _splits.complete("x", ["a"], {"train": numbered([0] * 20)})


def test_a_class_that_cannot_be_in_every_split_is_refused():
    with pytest.raises(UserError, match=r"'b' of x has too few images for train \(2\); at least 3"):
        _splits.complete("x", "ab", {"train": numbered([0] * 20 + [1] * 2)})
    with pytest.raises(UserError, match=r"'b' of x has too few images for test \(0\)"):
        _splits.complete("x", "ab", {"train": numbered([0, 1] * 20), "test": numbered([0])})

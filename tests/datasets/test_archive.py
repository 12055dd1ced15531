import numpy as np
import pytest

from gnap_search import datasets
from gnap_search.errors import UserError

IMAGES = np.random.default_rng(0).integers(0, 256, (30, 9, 8), dtype=np.uint8)
LABELS = np.arange(30) % 3


@pytest.fixture
def read(tmp_path):
    """What `load` makes of a file with these arrays."""

    def load(arrays):
        np.savez_compressed(tmp_path / "mine.npz", **arrays)
        return datasets.load(str(tmp_path / "mine.npz"))

    return load


@pytest.mark.parametrize(
    ("images", "labels"), [("images", "labels"), ("x", "y"), ("data", "targets"), ("X_train", "Y_train")]
)
def test_images_and_labels_alone_are_cut(read, images, labels):
    data = read({images: IMAGES, labels: LABELS})
    assert (data.shape, data.classes) == ((1, 9, 8), ("0", "1", "2"))
    assert [len(split) for split in (data.train, data.validation, data.test)] == [22, 4, 4]
    assert data.cut == ("test", "validation")


@pytest.mark.parametrize(
    "names",
    [
        ("train_images", "train_labels", "val_images", "val_labels", "test_images", "test_labels"),
        ("x_train", "y_train", "x_valid", "y_valid", "x_test", "y_test"),
        (
            "images-training",
            "labels-training",
            "images-dev",
            "labels-dev",
            "images-testing",
            "labels-testing",
        ),
    ],
)
def test_splits_are_known_by_their_usual_names(read, names):
    parts = [array for part in (IMAGES, IMAGES[:9], IMAGES[:6]) for array in (part, LABELS[: len(part)])]
    data = read(dict(zip(names, parts, strict=True)))
    assert np.array_equal(data.train.images[:, 0], IMAGES)
    assert [len(split) for split in (data.train, data.validation, data.test)] == [30, 9, 6]
    assert data.test.labels.tolist() == [0, 1, 2] * 2


def test_a_missing_split_is_cut_from_what_is_trained_on(read):
    data = read({"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[:6], "y_test": LABELS[:6]})
    assert [len(split) for split in (data.train, data.validation, data.test)] == [26, 4, 6]
    assert data.cut == ("validation",)


def test_labels_may_be_a_column_and_images_have_colours(read):
    data = read({"images": np.stack([IMAGES] * 3, -1), "labels": LABELS[:, None]})
    assert (data.shape, data.augmentation) == ((3, 9, 8), ("crop", "flip"))


def test_classes_keep_the_order_that_they_are_named_in(read):
    data = read({"images": IMAGES, "labels": LABELS, "classes": ["wolf", "ant", "cat"]})
    assert data.classes == ("wolf", "ant", "cat")
    assert sorted(np.concatenate([data.train.labels, data.test.labels, data.validation.labels])) == sorted(
        LABELS
    )


def test_other_arrays_are_passed_over_and_told(read):
    notes = np.array([None])  # which would have to be unpickled
    data = read({"images": IMAGES, "labels": LABELS, "notes": notes, "train_val_images": IMAGES})
    assert data.note.endswith("; arrays passed over: notes, train_val_images")


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({}, "holds nothing, and no images to train on; expected are images and labels"),
        ({"arr_0": IMAGES, "arr_1": LABELS}, "holds arr_0, arr_1, and no images to train on"),
        ({"x_test": IMAGES, "y_test": LABELS}, "holds x_test, y_test, and no images to train on"),
        ({"x_train": IMAGES, "y_test": LABELS}, "has x_train and no labels for them"),
        ({"labels": LABELS}, "has labels and no images for them"),
        ({"images": IMAGES, "x": IMAGES, "y": LABELS}, "has both images and x; keep one"),
        ({"images": IMAGES, "labels": LABELS[:-1]}, r"labels of type int64 and shape \(29,\) do not fit 30"),
        ({"images": IMAGES * 1.0, "labels": LABELS}, "train: images range from 0 to 255"),
        ({"images": IMAGES, "labels": LABELS, "classes": [1, 2, 3]}, "classes of type int64 and shape"),
        ({"images": IMAGES, "labels": LABELS, "classes": ["a", "b", "a"]}, "each a different one"),
        (
            {"images": IMAGES, "labels": LABELS, "classes": ["a", "b"]},
            "0 to 2, are no positions in a list of 2",
        ),
        (
            {"images": IMAGES, "labels": LABELS - 1, "classes": ["a", "b", "c"]},
            "-1 to 1, are no positions",
        ),
        (
            {"images": IMAGES, "labels": np.array(["a", "b", "c"] * 10), "classes": ["a", "b", "c"]},
            "of type <U1",
        ),
        ({"images": np.array([None] * 30), "labels": LABELS}, "is not a file of numpy arrays, or is damaged"),
    ],
)
def test_what_is_not_understood_is_refused(read, arrays, sentence):
    with pytest.raises(UserError, match=sentence):
        read(arrays)


@pytest.mark.parametrize("damage", ["empty", "text", "truncated", "changed", "array"])
def test_a_damaged_file_is_named(tmp_path, damage):
    path = tmp_path / "mine.npz"
    np.savez_compressed(path, images=IMAGES, labels=LABELS)
    whole = path.read_bytes()
    with path.open("wb") as file:
        if damage == "array":  # a single one, as numpy.save writes it
            np.save(file, IMAGES)
        else:
            changed = whole[:500] + bytes(100) + whole[600:]
            file.write(
                {"empty": b"", "text": b"no archive", "truncated": whole[:-40], "changed": changed}[damage]
            )
    with pytest.raises(UserError, match=rf"{path} is not a file of numpy arrays, or is damaged"):
        datasets.load(str(path))


def test_a_file_that_has_moved_is_read_where_it_lies_now(tmp_path, read):
    before = read({"images": IMAGES, "labels": LABELS})
    (tmp_path / "mine.npz").rename(tmp_path / "moved.npz")
    with pytest.raises(UserError, match=r"There is no file .*mine\.npz"):
        datasets.load(str(tmp_path / "mine.npz"))
    after = datasets.load(str(tmp_path / "mine.npz"), moved=tmp_path / "moved.npz")
    assert after.digest == before.digest


def test_images_are_resized_where_that_is_asked_for(read, tmp_path):
    colours = np.repeat(np.arange(30, dtype=np.uint8), 16 * 20 * 3).reshape(30, 16, 20, 3)
    before = read({"images": colours, "labels": LABELS})
    after = datasets.load(str(tmp_path / "mine.npz"), image_size=8)
    assert (before.shape, after.shape) == ((3, 16, 20), (3, 8, 8))
    assert np.array_equal(after.train.images[:, :, 0, 0], before.train.images[:, :, 0, 0])
    assert "middle square" not in after.note


def test_of_wide_images_it_is_told_what_is_cut_away(read, tmp_path):
    read({"images": IMAGES.repeat(2, 2), "labels": LABELS})
    data = datasets.load(str(tmp_path / "mine.npz"), image_size=8)
    assert data.note.endswith(
        "taken is the middle square of each image, without 44% of it (pad them to keep all)"
    )


def test_images_of_the_size_that_is_asked_for_stay_as_they_are(read, tmp_path):
    before = read({"images": IMAGES[:, :8], "labels": LABELS})
    assert datasets.load(str(tmp_path / "mine.npz"), image_size=8).digest == before.digest

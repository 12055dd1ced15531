import os
import sys

import numpy as np
import pytest
from PIL import Image

from gnap_search import datasets
from gnap_search.errors import UserError


def sizes(data):
    return [len(split) for split in (data.train, data.validation, data.test)]


def test_classes_alone_are_split_70_15_15(image_folder):
    data = datasets.load(str(image_folder({"cat": 20, "dog": 40})))
    assert data.classes == ("cat", "dog")
    assert sizes(data) == [42, 9, 9]
    assert np.bincount(data.test.labels).tolist() == [3, 6]
    assert data.digest == datasets.load(str(image_folder({}))).digest


@pytest.mark.parametrize("word", ["val", "valid", "validation"])
def test_given_splits_are_used(image_folder, word):
    counts = {"train": 10, word: 3, "test": 2}
    folder = image_folder({f"{part}/{name}": count for part, count in counts.items() for name in "ab"})
    assert sizes(datasets.load(str(folder))) == [20, 6, 4]


def test_missing_splits_are_cut_from_train(image_folder):
    folder = image_folder({"train/a": 20, "train/b": 20})
    assert sizes(datasets.load(str(folder))) == [28, 6, 6]
    image_folder({"test/a": 3, "test/b": 3})
    assert sizes(datasets.load(str(folder))) == [34, 6, 6]


def test_labels_belong_to_the_images(tmp_path):
    for part, count in (("train", 8), ("test", 3)):
        for level, name in enumerate(("dark", "light")):
            (tmp_path / part / name).mkdir(parents=True)
            for number in range(count):
                image = Image.new("L", (10, 10), 200 * level + number)
                image.save(tmp_path / part / name / f"{number}.png")
    data = datasets.load(str(tmp_path))
    for split in (data.train, data.validation, data.test):
        assert np.array_equal(split.images[:, 0, 0, 0] >= 200, split.labels == 1)


def test_a_class_may_be_called_train(image_folder):
    assert datasets.load(str(image_folder({"car": 5, "train": 5}))).classes == ("car", "train")


def test_hidden_and_other_files_are_passed_over(image_folder):
    folder = image_folder({"a/deeper": 5, "b": 5, ".thumbnails": 3, "b/.cache": 3})
    (folder / "a" / "notes.txt").write_text("not an image")
    (folder / "a" / ".hidden.png").write_text("not an image")
    (folder / "a" / "LOUD.PNG").write_bytes((folder / "b" / "0.png").read_bytes())
    assert sum(sizes(datasets.load(str(folder)))) == 11


def test_grey_and_colour_are_augmented_differently(image_folder):
    folder = image_folder({"a": 4, "b": 4})
    grey = datasets.load(str(folder))
    assert (grey.shape, grey.augmentation) == ((1, 12, 12), ("affine",))
    image_folder({"b": 4}, mode="RGB")
    colour = datasets.load(str(folder))
    assert (colour.shape, colour.augmentation) == ((3, 12, 12), ("crop", "flip"))


def test_images_get_the_asked_size(image_folder):
    folder = image_folder({"a": 4, "b": 4})
    assert datasets.load(str(folder), image_size=20).shape == (1, 20, 20)


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        ({}, "There are no images in subfolders of"),
        ({".": 5}, "There are no images in subfolders of"),
        ({"a": 0, "b": 0}, "There are no images in subfolders of"),
        ({"a": 9}, r"has one class only \(a\)"),
        ({"a": 9, "b": 2}, r"'b' of .* has too few images for train \(2\); at least 3 are needed"),
        ({"a": 9, "b": 0}, "class 'b' of train has no images"),
        ({"train/a": 9, "train/b": 9, "test/a": 2}, "class 'b' is in train alone"),
        ({"train/a": 9, "train/b": 9, "test/a": 2, "test/b": 2, "test/c": 2}, "class 'c' is in test alone"),
        ({"train/a": 9, "train/b": 9, "val/a": 2, "valid/b": 2}, "has both val and valid; keep one"),
        ({"train": 9, "test": 9}, "needs a train folder with a subfolder"),
        ({"test/a": 9, "test/b": 9}, "needs a train folder with a subfolder"),
    ],
)
def test_unusable_folders_are_refused(image_folder, counts, sentence):
    with pytest.raises(UserError, match=sentence):
        datasets.load(str(image_folder(counts)))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere such a name cannot be given")
def test_a_class_whose_name_is_not_utf8_is_refused(image_folder):
    folder = image_folder({"a": 5, os.fsdecode(b"ch\xe2t"): 5})
    with pytest.raises(UserError, match=r"the name of class 'ch\\udce2t' is not UTF-8; rename it\."):
        datasets.load(str(folder))


def test_links_are_followed(image_folder, tmp_path_factory):
    folder = image_folder({"a": 5})
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (folder / "a").rename(elsewhere / "images")
    for name in "ab":
        (folder / name).symlink_to(elsewhere / "images")
    assert sum(sizes(datasets.load(str(folder)))) == 10


@pytest.mark.parametrize("damage", ["truncated", "text", "empty"])
def test_an_unreadable_image_is_named(image_folder, damage):
    folder = image_folder({"a": 5, "b": 70})
    path = folder / "b" / "69.png"
    path.write_bytes({"truncated": path.read_bytes()[:80], "text": b"hello", "empty": b""}[damage])
    with pytest.raises(UserError, match=f"{path} is not a readable image") as refusal:
        datasets.load(str(folder))
    assert "\n" not in str(refusal.value)

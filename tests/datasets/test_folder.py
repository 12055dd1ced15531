import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from gnap_search import datasets
from gnap_search.errors import UserError
from tests import names


def sizes(data):
    return [len(split) for split in (data.train, data.validation, data.test)]


def test_classes_alone_are_split_70_15_15(image_folder):
    data = datasets.load(str(image_folder({"cat": 20, "dog": 40})))
    assert data.classes == ("cat", "dog")
    assert sizes(data) == [42, 9, 9]
    assert np.bincount(data.test.labels).tolist() == [3, 6]
    assert data.digest == datasets.load(str(image_folder({}))).digest


@pytest.mark.parametrize("word", ["val", "valid", "validation", "dev", "Val", "VALIDATION"])
def test_given_splits_are_used(image_folder, word):
    counts = {"train": 10, word: 3, "test": 2}
    folder = image_folder({f"{part}/{name}": count for part, count in counts.items() for name in "ab"})
    assert sizes(datasets.load(str(folder))) == [20, 6, 4]


def test_splits_have_other_usual_names(image_folder):
    folder = image_folder({"Training/a": 20, "Training/b": 20, "Testing/a": 3, "Testing/b": 3})
    data = datasets.load(str(folder))
    assert (data.classes, sizes(data)) == (("a", "b"), [34, 6, 6])


def test_copies_are_passed_over_where_splits_are_cut(image_folder):
    folder = image_folder({"a": 20, "b": 20})
    once = datasets.load(str(folder))
    for number in range(10):
        shutil.copy(folder / "a" / f"{number}.png", folder / "a" / f"{number} (1).png")
    shutil.copy(folder / "b" / "0.png", folder / "a" / "z.png")  # an image of two classes stays in both
    data = datasets.load(str(folder))
    assert (sizes(once), sizes(data)) == ([28, 6, 6], [29, 6, 6])
    assert "images in several classes: 1" in data.note
    assert "copies of other images passed over: 10" in data.note


def test_copies_in_splits_that_are_given_stay_and_are_told(image_folder):
    counts = {"train": 10, "val": 3, "test": 2}
    folder = image_folder({f"{part}/{name}": count for part, count in counts.items() for name in "ab"})
    shutil.copy(folder / "train" / "a" / "0.png", folder / "test" / "a" / "again.png")
    data = datasets.load(str(folder))
    assert sizes(data) == [20, 6, 5]
    assert "test images that are, to the last pixel, among those for training or validation: 1" in data.note


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


def test_what_was_read_is_told(image_folder):
    folder = image_folder({"a": 20, "b/deeper": 40, ".": 2})
    for number, suffix in enumerate((".heic", ".HEIC", ".xml", "", ".txt")):
        (folder / "a" / f"{number}{suffix}").write_bytes(b"")
    counts = f"{folder}: 2 classes, 42/9/9 images of 1 x 12 x 12 for training, validation and test"
    others = "7 files passed over (2 .heic, 2 in no class, 1 .xml, ...)"
    assert datasets.load(str(folder)).note == f"{counts}; {others}"
    part = datasets.load(str(folder), training_images=20)
    assert part.note == f"{counts}; {others}; 20 of the training images are taken"


def test_folders_beside_the_splits_are_told(image_folder):
    folder = image_folder({"train/a": 9, "train/b": 9, "holdout/a": 2, "more/c": 2})
    assert datasets.load(str(folder)).note.endswith("; folders passed over: holdout, more")


@pytest.mark.parametrize(("side", "size", "told"), [(12, None, 0), (80, 20, 0), (80, None, 1), (6, None, 1)])
def test_a_size_that_nobody_asked_for_is_told(image_folder, side, size, told):
    note = datasets.load(str(image_folder({"a": 4, "b": 4}, side=side)), image_size=size).note
    assert note.count("; resized to 32 x 32 pixels (--image-size changes that)") == told


@pytest.mark.parametrize(
    ("width", "size", "told"), [(150, None, 0), (170, None, 1), (170, 16, 1), (60, None, 0)]
)
def test_a_middle_square_that_leaves_much_out_is_told(image_folder, width, size, told):
    folder = image_folder({"a": 4, "b": 4}, side=8)
    for path in folder.rglob("*.png"):
        Image.open(path).resize((width, 100 if width > 64 else 30)).save(path)
    note = datasets.load(str(folder), image_size=size).note
    assert note.count("; taken is the middle square of each image, without 41% of it") == told


def test_what_is_known_needs_no_note():
    assert datasets.load("digits", training_images=100).note == ""


def test_links_double_no_image(image_folder):
    folder = image_folder({"a": 6, "b": 6, "pool": 6})
    (folder / "a" / "self").symlink_to(".")
    (folder / "a" / "deeper").mkdir()
    (folder / "a" / "deeper" / "back").symlink_to(folder / "a")
    (folder / "a" / "00.png").symlink_to("0.png")
    for name in ("one", "two"):
        (folder / "b" / name).symlink_to(folder / "pool")
    data = datasets.load(str(folder))
    classes = np.concatenate([split.labels for split in (data.train, data.validation, data.test)])
    assert np.bincount(classes).tolist() == [6, 12, 6]


@pytest.mark.parametrize("suffix", [".jfif", ".jpe", ".jp2", ".avif"])
def test_less_usual_suffixes_are_read(image_folder, suffix):
    if suffix == ".avif" and not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    folder = image_folder({"a": 4, "b": 4})
    Image.new("RGB", (12, 12)).save(folder / "a" / f"more{suffix}")
    assert sum(sizes(datasets.load(str(folder)))) == 9


@pytest.mark.parametrize("classes", [".", "train"])
def test_nothing_is_written_among_the_classes(image_folder, classes, monkeypatch):
    folder = image_folder({f"{classes}/a": 4, f"{classes}/b": 4})
    monkeypatch.chdir(folder)
    for name, place in ((".", Path("runs")), (str(folder), Path("a/deep/runs")), (".", folder / classes)):
        with pytest.raises(UserError, match="would be read as a class; name another place with --runs"):
            datasets.refuse_within(name, classes / place, "--runs")
    datasets.refuse_within(".", Path("../runs"), "--runs")
    datasets.refuse_within(".", Path(classes, ".runs"), "--runs")
    datasets.refuse_within("digits", Path(classes, "runs"), "--runs")


def test_classes_may_be_sorted_alike_within(image_folder):
    folder = image_folder({"cat/indoors": 9, "cat/outdoors": 9, "dog/indoors": 9, "dog/outdoors": 9})
    assert datasets.load(str(folder)).classes == ("cat", "dog")


def test_beside_the_splits_one_may_write(image_folder):
    folder = image_folder({"train/a": 4, "train/b": 4})
    datasets.refuse_within(str(folder), folder / "runs", "--runs")


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
        (
            {"first_train/a": 9, "first_train/b": 9, "other/a": 2, "other/b": 2},
            "first_train and other among them, look like splits, .* call them train, val and test",
        ),
        (
            {"seg_train/a": 9, "seg_train/b": 9, "seg_test/a": 2, "seg_test/b": 2},
            "seg_test and seg_train among them, look like splits, .* call them train, val and test",
        ),
        ({"training_set/training_set/a": 9, "test_set/test_set/a": 9}, "look like splits, by their names"),
        ({"Seg_Train/Seg_Train/a": 9, "seg-test/b": 9, "pred": 9}, "look like splits, by their names"),
        (
            {"a/train": 9, "a/test": 9, "b/train": 9, "b/test": 9},
            "has its splits inside of its classes .* as train/a and test/a",
        ),
        (
            {"train/a": 9, "train/b": 9, "test": 9},
            "test has no subfolders, and so no classes; sort its images",
        ),
        (
            {"x/a": 9, "x/b": 9},
            "has one subfolder only; if the classes .* of that, name .*/x as the data set",
        ),
        ({"train/x/a": 9, "train/x/b": 9}, "of that, move them into .*/train itself"),
    ],
)
def test_unusable_folders_are_refused(image_folder, counts, sentence):
    with pytest.raises(UserError, match=sentence):
        datasets.load(str(image_folder(counts)))


@names.takes_any_bytes
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


def test_all_unreadable_images_are_counted(image_folder):
    folder = image_folder({"a": 5, "b": 70})
    for name in ("a/0", "b/1", "b/20", "b/69"):
        (folder / f"{name}.png").write_bytes(b"hello")
    with pytest.raises(UserError, match=r"4 files are not readable images: .*b/20.* and 1 more; replace"):
        datasets.load(str(folder))

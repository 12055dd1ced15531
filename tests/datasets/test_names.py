import subprocess
import sys

import numpy as np
import pytest

from gnap_search import catalog, datasets
from gnap_search.errors import UserError


def test_the_listed_data_sets_are_those_with_a_name():
    assert catalog.names("datasets") == [
        "cifar10",
        "cifar100",
        "digits",
        "fashion-mnist",
        "kmnist",
        "mnist",
        "svhn",
    ]
    for name in catalog.names("datasets"):
        assert "pixels" in catalog.summary("datasets", name)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("mnst", r"Unknown data set 'mnst'; did you mean 'mnist'\? A folder .* \(\./photos\)"),
        ("fashion_mnist", "did you mean 'fashion-mnist'"),
        ("", "Unknown data set ''"),
        ("./photos", r"There is no folder \./photos"),
        ("~/no/such/photos", "There is no folder"),
        (__file__, "is a file; a data set is a folder"),
    ],
)
def test_what_is_no_data_set_is_refused(name, sentence):
    with pytest.raises(UserError, match=sentence):
        datasets.load(name)


def test_a_name_wins_over_a_folder(tmp_path, monkeypatch, image_folder):
    image_folder({"digits/a": 4, "digits/b": 4})
    monkeypatch.chdir(tmp_path)
    assert len(datasets.load("digits").classes) == 10
    assert datasets.load("./digits").classes == ("a", "b")


def test_a_folder_may_have_been_moved_and_keeps_its_name(tmp_path, image_folder):
    image_folder({"new/a": 4, "new/b": 4})
    assert datasets.load("/no/such/photos", moved=tmp_path / "new").name == "/no/such/photos"
    assert datasets.load("digits", moved=tmp_path / "new").name == "digits"
    with pytest.raises(UserError, match="There is no folder newer; a data set of images"):
        datasets.load(str(tmp_path / "new"), moved="newer")


def test_only_folders_are_resized():
    assert datasets.load("digits", image_size=8).shape == (1, 8, 8)
    with pytest.raises(UserError, match="digits are 8x8 pixels and only a folder's images are resized"):
        datasets.load("digits", image_size=16)


def test_of_any_data_set_a_part_of_the_training_images_can_be_had(image_folder):
    folder = str(image_folder({"cat": 20, "dog": 40}))
    assert np.bincount(datasets.load(folder, training_images=12).train.labels).tolist() == [4, 8]
    assert np.bincount(datasets.load("digits", training_images=100).train.labels).tolist() == [10] * 10


def test_validation_images_may_be_trained_on_beside_a_part_of_the_training_images():
    whole, more = datasets.load("digits"), datasets.load("digits", validation_images=30)
    assert (len(more.train), len(more.validation)) == (len(whole.train) + len(whole.validation) - 30, 30)
    few, both = (datasets.load("digits", training_images=100, validation_images=kept) for kept in (None, 30))
    assert len(both.train) == 100 + len(whole.validation) - 30
    assert np.array_equal(both.train.images[:100], few.train.images)
    assert np.array_equal(both.train.images[100:], more.train.images[len(whole.train) :])
    assert np.array_equal(both.validation.images, more.validation.images)


def test_the_default_root_is_a_cache_of_the_user(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if sys.platform == "linux":
        assert datasets.cache() == tmp_path / "gnap-search"
    assert "gnap-search" in str(datasets.cache())


def test_torch_is_not_needed_to_read_images(image_folder):
    folder = image_folder({"a": 4, "b": 4})
    program = f"""
import sys
from gnap_search import datasets
datasets.load({str(folder)!r})
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)

"""The real MNIST and CIFAR-10, where they are to be had."""

import time

import numpy as np
import pytest
from PIL import Image

from gnap_search import datasets
from gnap_search.datasets import _torchvision


@pytest.fixture(scope="module")
def mnist(real_data):
    return datasets.load("mnist", real_data, download=False)


@pytest.fixture(scope="module")
def cifar10(real_data):
    return datasets.load("cifar10", real_data, download=False)


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_splits(name, request):
    data = request.getfixturevalue(name)
    assert len(data.validation) == 5_000 and len(data.test) == 10_000
    assert len(data.train) == {"mnist": 55_000, "cifar10": 45_000}[name]
    for split in (data.train, data.validation, data.test):
        shares = np.bincount(split.labels) / len(split)
        whole = np.bincount(data.train.labels) / len(data.train)
        assert np.abs(shares - whole).max() < (0.01 if split is data.test else 0.0005)


def test_the_splits_of_a_release_are_those_of_the_next(mnist, cifar10):
    assert mnist.digest.startswith("2e8c439a1314")
    assert cifar10.digest.startswith("2f67edd654b3")


def test_a_part_of_a_release_is_that_of_the_next(cifar10, real_data):
    part = datasets.load("cifar10", real_data, training_images=10_000, download=False)
    assert part.digest.startswith("a2aea419f5ff")
    assert np.bincount(part.train.labels).tolist() == [1_000] * 10
    assert np.array_equal(part.validation.images, cifar10.validation.images)
    assert np.array_equal(part.test.images, cifar10.test.images)


def test_pixels_and_labels_are_torchvisions(mnist, cifar10, real_data):
    theirs = _torchvision.kind("MNIST")(real_data, train=False)
    assert np.array_equal(mnist.test.images[:, 0], theirs.data.numpy())
    assert np.array_equal(mnist.test.labels, theirs.targets.numpy())
    theirs = _torchvision.kind("CIFAR10")(real_data, train=False)
    assert np.array_equal(cifar10.test.images.transpose(0, 2, 3, 1), theirs.data)
    assert cifar10.classes == tuple(theirs.classes)


def test_loading_is_fast(real_data, mnist, cifar10):
    del mnist, cifar10  # by now torchvision is imported and the files are in memory
    for name, seconds in (("mnist", 1), ("cifar10", 2)):
        start = time.process_time()
        datasets.load(name, real_data, download=False)
        assert time.process_time() - start < 2 * seconds  # a busy machine is slower


def test_a_folder_written_out_of_mnist_is_mnist(mnist, tmp_path):
    for part in ("train", "validation", "test"):
        for name in mnist.classes:
            (tmp_path / part / name).mkdir(parents=True)
        split = getattr(mnist, part)
        for number, (image, label) in enumerate(zip(split.images[:300], split.labels[:300], strict=True)):
            Image.fromarray(image[0]).save(tmp_path / part / mnist.classes[label] / f"{number:03d}.png")
    data = datasets.load(str(tmp_path))
    assert (data.classes, data.shape, data.augmentation) == (mnist.classes, mnist.shape, mnist.augmentation)
    for part in ("train", "validation", "test"):
        mine, theirs = getattr(data, part), getattr(mnist, part)
        order = np.argsort(theirs.labels[:300], kind="stable")  # a folder is read class by class
        assert np.array_equal(mine.images, theirs.images[:300][order])
        assert np.array_equal(mine.labels, theirs.labels[:300][order])

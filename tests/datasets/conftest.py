"""Small data sets in the formats of the originals, and where the real ones lie."""

import gzip
import hashlib
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from PIL import Image

from gnap_search.datasets import _torchvision, fashion_mnist, mnist
from gnap_search.training import augment

SIZES = {"train": 40, "t10k": 20}


@pytest.fixture(scope="session")
def real_data():
    folder = os.environ.get("GNAP_SEARCH_TEST_DATA")
    if folder is None:
        pytest.skip("GNAP_SEARCH_TEST_DATA names no folder with the real data sets")
    return Path(folder)


@pytest.fixture(scope="session")
def is_sound():
    """Whether a `Data` keeps its contract."""

    def check(data, shape=None):
        assert shape in (None, data.shape)
        assert len(data.digest) == 64
        augment.check(data.augmentation)
        for split in (data.train, data.validation, data.test):
            assert split.images.dtype == np.uint8 and split.labels.dtype == np.int64
            assert split.images.shape == (len(split), *data.shape)
            assert split.images.flags.c_contiguous and split.images.flags.writeable
            assert set(split.labels.tolist()) == set(range(len(data.classes)))
        return True

    return check


def pictures(count, channels, side, classes=10):
    """Random images and labels; every class occurs equally often."""
    random = np.random.default_rng(count)
    images = random.integers(0, 256, (count, channels, side, side), dtype=np.uint8)
    return images, np.arange(count, dtype=np.int64) % classes


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def idx(array):
    header = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


@pytest.fixture
def mnist_like(tmp_path, monkeypatch):
    """kind -> a root with 40 + 20 images in MNIST's format, plain and gzipped, as if published."""

    def write(kind):
        source, raw = _torchvision.kind(kind), tmp_path / kind / "raw"
        raw.mkdir(parents=True)
        for prefix, count in SIZES.items():
            images, labels = pictures(count, 1, 28)
            (raw / f"{prefix}-images-idx3-ubyte").write_bytes(idx(images[:, 0]))
            (raw / f"{prefix}-labels-idx1-ubyte").write_bytes(idx(labels))
        for path in sorted(raw.iterdir()):
            path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        resources = [(file, md5(raw / file)) for file, _ in source.resources]
        monkeypatch.setattr(source, "resources", resources)
        for known in (mnist, fashion_mnist):
            unpacked = {file[:-3]: md5(raw / file[:-3]) for file, _ in resources}
            monkeypatch.setattr(known, "UNPACKED", unpacked)
        return tmp_path

    return write


@pytest.fixture
def cifar_like(tmp_path, monkeypatch):
    """kind -> a root with 40 images a batch in CIFAR's format; torchvision believes in them."""

    def write(kind):
        source = _torchvision.kind(kind)
        folder = tmp_path / source.base_folder
        folder.mkdir()
        key, classes = ("labels", 10) if kind == "CIFAR10" else ("fine_labels", 5)
        lists = {}
        for name in ("train_list", "test_list"):
            for file, _ in getattr(source, name):
                images, labels = pictures(40, 3, 32, classes)
                batch = {"data": images.reshape(40, -1), key: labels.tolist()}
                (folder / file).write_bytes(pickle.dumps(batch))
            lists[name] = [[file, md5(folder / file)] for file, _ in getattr(source, name)]
        meta = {source.meta["key"]: [f"class {label}" for label in range(classes)]}
        (folder / source.meta["filename"]).write_bytes(pickle.dumps(meta))
        lists["meta"] = {**source.meta, "md5": md5(folder / source.meta["filename"])}
        for name, value in lists.items():
            monkeypatch.setattr(source, name, value)
        return tmp_path

    return write


@pytest.fixture
def svhn_root(tmp_path, monkeypatch):
    """A root with 40 + 20 images in SVHN's format; torchvision believes in them."""
    source, believed = _torchvision.kind("SVHN"), {}
    for part, count in (("train", 40), ("test", 20)):
        images, labels = pictures(count, 3, 32)
        url, file, _ = source.split_list[part]
        labels[labels == 0] = 10  # as the original has it
        scipy.io.savemat(tmp_path / file, {"X": images.transpose(2, 3, 1, 0), "y": labels[:, None]})
        believed[part] = [url, file, md5(tmp_path / file)]
    monkeypatch.setattr(source, "split_list", believed)
    return tmp_path


@pytest.fixture
def image_folder(tmp_path):
    """{class or split/class: number} -> a folder with so many grey 12x12 PNG files in each."""

    def write(counts, side=12, mode="L"):
        random = np.random.default_rng(0)
        for name, count in counts.items():
            (tmp_path / name).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                pixels = random.integers(0, 256, (side, side, 3), dtype=np.uint8)
                Image.fromarray(pixels).convert(mode).save(tmp_path / name / f"{number}.png")
        return tmp_path

    return write

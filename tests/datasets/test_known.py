"""The data sets that have a name, on small files in the originals' formats."""

import functools
import gzip
import http.server
import threading

import numpy as np
import pytest
import sklearn.datasets

from gnap_search import datasets
from gnap_search.datasets import _mnist_like, _torchvision
from gnap_search.errors import UserError

MNIST_LIKE = [("mnist", "MNIST"), ("fashion-mnist", "FashionMNIST"), ("kmnist", "KMNIST")]
CIFAR_LIKE = [("cifar10", "CIFAR10"), ("cifar100", "CIFAR100")]


def images_of(*splits):
    """The images in an order of their own, to compare splits that were cut differently."""
    return sorted(image.tobytes() for split in splits for image in split.images)


def test_digits_are_those_of_scikit_learn():
    original = sklearn.datasets.load_digits()
    data = datasets.load("digits")
    assert images_of(data.train, data.validation, data.test) == sorted(
        np.rint(image * (255 / 16)).astype(np.uint8)[None].tobytes() for image in original.images
    )
    labels = np.concatenate([split.labels for split in (data.train, data.validation, data.test)])
    assert np.array_equal(np.bincount(labels), np.bincount(original.target))


def test_digits_need_no_files(tmp_path, is_sound):
    data = datasets.load("digits", tmp_path / "nowhere", download=False)
    assert is_sound(data, (1, 8, 8))
    assert [len(split) for split in (data.train, data.validation, data.test)] == [1077, 360, 360]
    assert data.train.images.max() == 255
    assert np.bincount(data.test.labels).min() >= 34
    assert not (tmp_path / "nowhere").exists()
    assert data.digest.startswith("a71c8611f34c")


@pytest.mark.parametrize(("name", "kind"), MNIST_LIKE)
@pytest.mark.parametrize("version", ["plain", "gzipped"])
def test_mnist_like(name, kind, version, mnist_like, is_sound):
    root = mnist_like(kind)
    original = _mnist_like.parse((root / kind / "raw/train-images-idx3-ubyte").read_bytes(), 3)
    for path in (root / kind / "raw").iterdir():
        if (path.suffix == ".gz") == (version == "plain"):
            path.unlink()
    data = datasets.load(name, root, download=False)
    assert is_sound(data, (1, 28, 28))
    assert images_of(data.train, data.validation) == sorted(image.tobytes() for image in original)
    assert len(data.test) == 20


@pytest.mark.parametrize(("name", "kind"), CIFAR_LIKE)
def test_cifar_like(name, kind, cifar_like, is_sound):
    root = cifar_like(kind)
    data = datasets.load(name, root, download=False)
    assert is_sound(data, (3, 32, 32))
    batch = _torchvision.kind(kind)(root, train=False)
    assert np.array_equal(data.test.images, batch.data.transpose(0, 3, 1, 2))
    assert data.classes[1] == "class 1"


def test_svhn(svhn_root, is_sound):
    data = datasets.load("svhn", svhn_root, download=False)
    assert is_sound(data, (3, 32, 32))
    assert data.test.labels.tolist() == [label % 10 for label in range(20)]


@pytest.mark.parametrize("damage", ["truncated", "changed", "empty"])
@pytest.mark.parametrize("version", ["", ".gz"])
def test_a_damaged_mnist_file_is_named(damage, version, mnist_like):
    root = mnist_like("MNIST")
    path = root / f"MNIST/raw/train-images-idx3-ubyte{version}"
    path.write_bytes(
        {"truncated": path.read_bytes()[:-7], "changed": path.read_bytes()[:-1] + b"!", "empty": b""}[damage]
    )
    if version:
        path.with_suffix("").unlink()
    with pytest.raises(UserError, match=f"{path} is damaged.*delete it"):
        datasets.load("mnist", root)


def test_a_file_may_have_been_compressed_anew(mnist_like):
    raw = mnist_like("FashionMNIST") / "FashionMNIST/raw"
    for path in raw.glob("*.gz"):
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 1))
        path.with_suffix("").unlink()
    assert len(datasets.load("fashion-mnist", raw.parents[1]).test) == 20


def test_a_file_compressed_anew_must_have_the_published_content(mnist_like):
    raw = mnist_like("FashionMNIST") / "FashionMNIST/raw"
    path = raw / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1] + b"!"))
    path.with_suffix("").unlink()
    with pytest.raises(UserError, match=f"{path} is damaged"):
        datasets.load("fashion-mnist", raw.parents[1])


@pytest.mark.parametrize(
    "damage", [b"", b"\0\0\x08\x03\0\0", b"not IDX at all, and yet long enough for a header"]
)
def test_without_a_checksum_the_structure_is_checked(damage, mnist_like):
    raw = mnist_like("KMNIST") / "KMNIST/raw"
    for path in raw.glob("*.gz"):
        path.unlink()
    (raw / "t10k-images-idx3-ubyte").write_bytes(damage)
    with pytest.raises(UserError, match="t10k-images-idx3-ubyte is damaged"):
        datasets.load("kmnist", raw.parents[1])


def test_images_without_labels_are_refused(mnist_like):
    raw = mnist_like("KMNIST") / "KMNIST/raw"
    for path in raw.glob("*.gz"):
        path.unlink()
    (raw / "train-labels-idx1-ubyte").write_bytes((raw / "t10k-labels-idx1-ubyte").read_bytes())
    with pytest.raises(UserError, match="train has 40 images of 28x28 pixels and 20 labels"):
        datasets.load("kmnist", raw.parents[1])


def test_a_gzipped_file_with_a_checksum_is_preferred_to_a_plain_one_without(mnist_like):
    raw = mnist_like("KMNIST") / "KMNIST/raw"
    (raw / "train-images-idx3-ubyte").write_bytes(b"changed behind our back")
    assert len(datasets.load("kmnist", raw.parents[1]).test) == 20


def test_a_damaged_cifar_file_is_named(cifar_like):
    root = cifar_like("CIFAR10")
    path = root / "cifar-10-batches-py/data_batch_3"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match=f"{path} is damaged"):
        datasets.load("cifar10", root)


def test_a_damaged_svhn_file_is_named(svhn_root):
    (svhn_root / "test_32x32.mat").write_bytes(b"MATLAB")
    with pytest.raises(UserError, match=r"test_32x32\.mat is damaged"):
        datasets.load("svhn", svhn_root)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def mirror(mnist_like, monkeypatch):
    """A web server with a small MNIST, which torchvision takes for the original one."""
    raw = mnist_like("MNIST") / "MNIST/raw"
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(raw)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setattr(_torchvision.kind("MNIST"), "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
    yield raw
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_download_is_complete_and_needed_once(mirror, tmp_path, capfd):
    root = tmp_path / "new" / "cache"
    data = datasets.load("mnist", root)
    assert sorted(path.name for path in (root / "MNIST/raw").iterdir()) == sorted(
        path.name for path in mirror.iterdir()
    )
    assert [path.name for path in root.iterdir()] == ["MNIST"]
    assert datasets.load("mnist", root, download=False).digest == data.digest
    assert capfd.readouterr() == ("", "")


def test_a_failed_download_is_one_sentence_and_leaves_nothing(mirror, tmp_path):
    damaged = mirror / "t10k-labels-idx1-ubyte.gz"
    damaged.write_bytes(gzip.compress(b"something else"))
    with pytest.raises(UserError, match=r"cannot be downloaded \(.*\); connect to the network") as refusal:
        datasets.load("mnist", tmp_path / "new" / "cache")
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "new").exists()


def test_a_root_that_is_a_file_is_refused(mirror, tmp_path):
    del mirror
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be downloaded"):
        datasets.load("mnist", tmp_path / "file")

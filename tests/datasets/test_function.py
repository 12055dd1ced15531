import textwrap

import numpy as np
import pytest

from gnap_search import datasets
from gnap_search.errors import UserError

LABELS = "np.arange(30) % 3"
GREY = "np.arange(30 * 64, dtype=np.uint8).reshape(30, 8, 8)"


@pytest.fixture
def returned(tmp_path, monkeypatch, request):
    """What a function of one's own returns, as an expression -> what `load` makes of it."""

    def load(expression):
        # A module of its own for each test: Python keeps what it has imported.
        name = f"arrays_{abs(hash((request.node.nodeid, expression)))}"
        program = f"""
            import numpy as np
            import torch
            def mine():
                return {expression}
            constant = 3
        """
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(program))
        monkeypatch.chdir(tmp_path)
        return datasets.load(f"{name}:mine")

    return load


@pytest.mark.parametrize(
    ("images", "shape", "augmentation"),
    [
        (GREY, (1, 8, 8), ("affine",)),
        ("np.zeros((30, 8, 12), bool)", (1, 8, 12), ("affine",)),
        ("np.zeros((30, 9, 8, 1))", (1, 9, 8), ("affine",)),
        ("np.zeros((30, 1, 9, 8), np.float32)", (1, 9, 8), ("affine",)),
        ("np.zeros((30, 9, 8, 3), np.uint8)", (3, 9, 8), ("crop", "flip")),
        ("np.zeros((30, 3, 9, 8), np.uint8)", (3, 9, 8), ("crop", "flip")),
        ("torch.zeros(30, 4, 9, 8)", (4, 9, 8), ("crop", "flip")),
        ("np.zeros((30, 8, 8)).tolist()", (1, 8, 8), ("affine",)),
    ],
)
def test_layouts(returned, images, shape, augmentation):
    data = returned(f"{images}, {LABELS}")
    assert (data.shape, data.augmentation) == (shape, augmentation)
    assert [len(split) for split in (data.train, data.validation, data.test)] == [22, 4, 4]


def test_pixels_keep_their_values(returned):
    whole = returned(
        f"{{'train': ({GREY}, {LABELS}), 'validation': ({GREY}, {LABELS}), 'test': ({GREY}, {LABELS})}}"
    )
    assert np.array_equal(whole.train.images.ravel(), np.arange(30 * 64, dtype=np.uint8))
    assert whole.test.labels.tolist() == [0, 1, 2] * 10
    floats = returned(f"{GREY} / np.float32(255), {LABELS}")
    assert floats.digest == returned(f"{GREY}, {LABELS}").digest


def test_floats_a_little_beyond_0_and_1_are_cut_off(returned):
    ramp = "np.linspace(-1e-4, 1 + 1e-4, 64).reshape(1, 8, 8).repeat(30, 0)"
    assert returned(f"{ramp}, {LABELS}").digest == returned(f"{ramp}.clip(0, 1), {LABELS}").digest


def test_channels_last_equals_channels_first(returned):
    colour = "np.random.default_rng(0).integers(0, 256, (30, 9, 8, 3), dtype=np.uint8)"
    assert (
        returned(f"{colour}, {LABELS}").digest == returned(f"{colour}.transpose(0, 3, 1, 2), {LABELS}").digest
    )


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (LABELS, ("0", "1", "2")),
        ("[7, 11, -2] * 10", ("-2", "7", "11")),
        ("['cat', 'dog', 'ant'] * 10", ("ant", "cat", "dog")),
        ("np.array(['cat', 'dog', 'ant'] * 10, dtype=object)", ("ant", "cat", "dog")),
        ("torch.arange(30) % 3", ("0", "1", "2")),
    ],
)
def test_labels(returned, labels, classes):
    data = returned(f"{GREY}, {labels}")
    assert data.classes == classes
    assert set(data.test.labels.tolist()) == {0, 1, 2}


@pytest.mark.parametrize(
    ("result", "sentence"),
    [
        ("None", "returned a NoneType for train; expected a pair"),
        (f"{GREY}", "returned a ndarray for train; expected a pair"),
        (f"{{'train': ({GREY}, {LABELS}), 'tst': 1}}", "returned a split 'tst'; did you mean 'test'"),
        (f"{{'test': ({GREY}, {LABELS})}}", "returned no train split"),
        (f"np.zeros((30, 8)), {LABELS}", r"images of shape \(30, 8\) are not understood"),
        (f"np.zeros((30, 4, 4)), {LABELS}", "sides of 8 pixels at least"),
        (f"np.zeros((30, 9, 9, 9)), {LABELS}", "1 to 4 channels"),
        (f"np.zeros((0, 8, 8)), {LABELS}", r"images of shape \(0, 8, 8\)"),
        (f"np.zeros((30, 8, 8), int), {LABELS}", "images of type int64 are not understood"),
        (f"np.full((30, 8, 8), 255.0), {LABELS}", "range from 255 to 255; floating-point pixels must lie"),
        (f"np.full((30, 8, 8), 1.01), {LABELS}", "range from 1.01 to 1.01"),
        (f"{GREY}, ['ch\\udce2t', 'b', 'c'] * 10", "the name of class 'ch.udce2t' is not UTF-8"),
        (f"np.full((30, 8, 8), np.nan), {LABELS}", "range from nan to nan"),
        (f"[[1], [2, 3]], {LABELS}", "a list is not an array"),
        (f"torch.zeros(30, 8, 8, requires_grad=True), {LABELS}", "a Tensor is not an array"),
        (f"{GREY}, np.arange(30.0)", "labels of type float64"),
        (f"{GREY}, np.arange(29)", r"shape \(29,\) do not fit 30 images"),
        (f"{GREY}, np.eye(30, dtype=int)", r"shape \(30, 30\) do not fit"),
        (f"{GREY}, [0] * 30", "has one class only"),
        (f"{GREY}, [0] * 28 + [1] * 2", "'1' of .* has too few images"),
        (
            f"{{'train': ({GREY}, {LABELS}), 'test': (np.zeros((9, 8, 9)), [0, 1, 2] * 3)}}",
            "images of test are",
        ),
        ("1 / 0", "failed with ZeroDivisionError: division by zero"),
        ("__import__('no_such_module')", "failed with ModuleNotFoundError"),
    ],
)
def test_what_is_not_understood_is_refused(returned, result, sentence):
    with pytest.raises(UserError, match=sentence):
        returned(result)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("no_such_module:mine", "There is no module 'no_such_module' to take mine from"),
        ("no.such.module:mine", "There is no module 'no.such.module'"),
        ("own_arrays:mien", "own_arrays has no function 'mien'; did you mean 'mine'"),
        ("own_arrays:constant", "own_arrays has no function 'constant'"),
        ("broken_arrays:mine", "broken_arrays:mine failed with SyntaxError"),
        ("no_such_data:mine", "no_such_data:mine failed with ModuleNotFoundError: No module named 'no_such'"),
    ],
)
def test_a_function_that_cannot_be_found_is_refused(tmp_path, monkeypatch, name, sentence):
    (tmp_path / "own_arrays.py").write_text("def mine(): pass\nconstant = 3\n")
    (tmp_path / "broken_arrays.py").write_text("def mine(:\n")
    (tmp_path / "no_such_data.py").write_text("import no_such\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=sentence):
        datasets.load(name)


def test_what_was_read_is_told(returned):
    data = returned(f"np.random.default_rng(0).integers(0, 256, (30, 8, 8), dtype=np.uint8), {LABELS}")
    assert (
        data.note == f"{data.name}: 3 classes, 22/4/4 images of 1 x 8 x 8 for training, validation and test"
    )


def test_images_that_are_learnt_and_asked_for_are_told(returned):
    unlike = "np.random.default_rng(0).integers(0, 256, (30, 8, 8), dtype=np.uint8)"
    data = returned(f"{{'train': ({unlike}, {LABELS}), 'test': ({unlike}[:6], [0, 1, 2, 0, 2, 1])}}")
    assert data.note.endswith(
        "for training, validation and test; test images that are, to the last pixel, among those for "
        "training or validation: 6; images in several classes: 2"
    )


def test_a_function_is_not_resized(returned):
    assert returned(f"{GREY}, {LABELS}").name.endswith(":mine")
    with pytest.raises(UserError, match="only a folder's images are resized"):
        datasets.load(returned(f"{GREY}, {LABELS}").name, image_size=16)

import numpy as np
import pytest
import torch
from torch.nn import functional

from gnap_search.errors import UserError
from gnap_search.training import augment as module
from gnap_search.training.augment import AUGMENTATIONS, augment, check

SHAPES = [(16, 1, 8, 8), (16, 1, 28, 28), (16, 3, 32, 32), (16, 2, 9, 14), (1, 1, 8, 8), (0, 3, 8, 8)]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def batch(shape):
    return torch.randint(1, 256, shape, dtype=torch.uint8, generator=generator())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("names", [(), *((name,) for name in AUGMENTATIONS), tuple(AUGMENTATIONS)])
def test_shape_range_and_input_are_kept(shape, names):
    images = batch(shape)
    before = images.clone()
    result = augment(images, names, generator())
    assert result.shape == shape and result.dtype == torch.float32
    assert result.is_contiguous(memory_format=torch.channels_last)
    assert ((result >= 0) & (result <= 1)).all()
    assert torch.equal(images, before)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_the_generator_decides(name):
    images = batch((16, 3, 32, 32))
    assert torch.equal(augment(images, [name], generator(1)), augment(images, [name], generator(1)))
    assert not torch.equal(augment(images, [name], generator(1)), augment(images, [name], generator(2)))


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_images_are_treated_differently_and_channels_alike(name):
    image = batch((1, 1, 28, 28))
    result = augment(image.expand(64, 3, 28, 28), [name], generator())
    assert torch.equal(result[:, 0], result[:, 2])
    assert len(torch.unique(result[:, 0], dim=0)) > 1


def test_nothing_is_only_divided():
    images = batch((4, 3, 8, 8))
    expected = images.numpy().astype(np.float32) / 255
    assert np.array_equal(augment(images, (), generator()).numpy(), expected)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (28, 28), (9, 16)])
def test_crop_is_a_window_of_the_padded_image(height, width):
    images = batch((200, 2, height, width))
    down, right = max(1, round(height / 8)), max(1, round(width / 8))
    padded = functional.pad(images, (right, right, down, down))
    seen = set()
    for wide, cropped in zip(padded, module.crop(images, generator()), strict=True):
        windows = wide.unfold(1, height, 1).unfold(2, width, 1)
        places = (windows == cropped[:, None, None]).all(-1).all(-1).all(0).nonzero().tolist()
        assert len(places) == 1
        seen.add(tuple(places[0]))
    assert {row for row, _ in seen} == set(range(2 * down + 1))
    assert {column for _, column in seen} == set(range(2 * right + 1))


def test_flip_mirrors_half():
    images = batch((2000, 1, 8, 8))
    flipped = module.flip(images, generator())
    same = (flipped == images).all(-1).all(-1).all(-1)
    mirrored = (flipped == images.flip(3)).all(-1).all(-1).all(-1)
    assert (same ^ mirrored).all()
    assert 900 < mirrored.sum() < 1100


def test_cutout_blackens_one_square():
    images = batch((500, 3, 32, 32))
    result = module.cutout(images, generator())
    assert ((result == images) | (result == 0)).all()
    black = (result == 0).all(1)
    assert torch.equal(black, (result == 0).any(1))
    rows, columns = black.any(2), black.any(1)
    assert torch.equal(black, rows[:, :, None] & columns[:, None, :])
    sides = torch.stack((rows.sum(1), columns.sum(1)))
    assert sides.max() <= 17 and sides.amax(0).float().mean() > 8


def test_affine_without_draws_is_the_identity(monkeypatch):
    for name in ("AFFINE_DEGREES", "AFFINE_SCALE", "AFFINE_SHEAR", "AFFINE_REACH"):
        monkeypatch.setattr(module, name, 0.0)
    images = batch((8, 3, 9, 14))
    torch.testing.assert_close(module.affine(images, generator()), images.float(), atol=1e-3, rtol=0)


def test_the_sampling_grid_is_torchs():
    across, along = torch.randn(2, 3, 5, generator=generator())
    images = torch.zeros(5, 1, 9, 14)
    matrices = torch.stack((across.T, along.T), dim=1)
    expected = functional.affine_grid(matrices, [5, 1, 9, 14], align_corners=False)
    torch.testing.assert_close(module._sampling_grid(images, across, along), expected)


@pytest.mark.parametrize("shape", [(28, 28), (20, 40)])
def test_affine_moves_a_point_by_a_few_pixels_of_its_own_image(shape):
    """In pixels, whatever the proportions: a rotation must not become a shear in wide images."""
    height, width = shape
    images = torch.zeros(500, 1, height, width, dtype=torch.uint8)
    row, column = height // 2, width // 2 + 6
    images[:, :, row - 1 : row + 1, column - 1 : column + 1] = 255
    result = module.affine(images, generator())[:, 0]
    mass = result.sum((1, 2))
    rows = (result.sum(2) * (torch.arange(height) + 0.5)).sum(1) / mass
    columns = (result.sum(1) * (torch.arange(width) + 0.5)).sum(1) / mass
    reach = 6 * 0.11 + 0.2  # by rotation, scale and shear, six pixels off the centre
    # A turn by 10 degrees moves it by 1.04 rows.
    assert (rows - row).abs().max() <= 1.1 * height / 14 + 6 * 0.19 + 0.2
    assert (columns - column).abs().max() <= 1.1 * width / 14 + reach + 0.2
    assert (rows - row).abs().max() > height / 14


def test_unknown_names_are_refused():
    check(["crop", "affine"])
    with pytest.raises(UserError, match="Unknown augmentation 'filp'; did you mean 'flip'"):
        check(["crop", "filp"])
    with pytest.raises(UserError, match="Unknown augmentation"):
        augment(batch((2, 1, 8, 8)), ["rotate"], generator())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("place", ["cpu", "cuda"])
def test_a_gpu_does_the_same(place):
    images = batch((16, 3, 32, 32)).cuda()
    numbers = torch.Generator(place).manual_seed(3)
    result = augment(images, tuple(AUGMENTATIONS), numbers)
    assert result.is_cuda
    if place == "cpu":
        expected = augment(images.cpu(), tuple(AUGMENTATIONS), generator(3))
        torch.testing.assert_close(result.cpu(), expected, atol=1e-3, rtol=0)


def test_a_share_of_the_batch_is_transformed_and_the_rest_is_as_it_was():
    images = batch((40, 1, 12, 12))
    mixed = augment(images, ["affine"], generator(), 0.25)
    assert torch.equal(mixed[10:], images[10:].float() / 255)
    assert torch.equal(mixed[:10], augment(images[:10], ["affine"], generator()))
    assert torch.equal(augment(images, ["affine"], generator(), 0.0), images.float() / 255)
    few = augment(images[:2], ["affine"], generator(), 0.25)
    assert torch.equal(few[:1], augment(images[:1], ["affine"], generator())), "one of two, and not none"

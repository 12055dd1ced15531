import numpy as np
import pytest
from PIL import Image, ImageOps

from gnap_search.datasets import _images
from gnap_search.errors import UserError


@pytest.fixture
def saved(tmp_path):
    """Images -> their files."""

    def save(*images, suffix=".png", **options):
        paths = [tmp_path / f"{number}{suffix}" for number in range(len(images))]
        for image, path in zip(images, paths, strict=True):
            image.save(path, **options)
        return paths

    return save


def noise(width, height, mode="RGB"):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


@pytest.mark.parametrize("side", [8, 28, 64])
def test_small_images_of_one_size_are_kept_to_the_bit(saved, side):
    image = noise(side, side)
    pixels = _images.read(saved(image, image))
    assert np.array_equal(pixels[1], np.asarray(image).transpose(2, 0, 1))


def test_height_and_width_may_differ(saved):
    image = noise(20, 10, "L")
    assert np.array_equal(_images.read(saved(image))[0, 0], np.asarray(image))


@pytest.mark.parametrize("sizes", [[(12, 12), (12, 14)], [(80, 80), (80, 80)], [(4, 4), (4, 4)], [(300, 7)]])
def test_other_images_become_squares_of_32(saved, sizes):
    assert _images.read(saved(*(noise(*size) for size in sizes))).shape == (len(sizes), 3, 32, 32)


def test_resizing_keeps_the_middle_and_its_proportions(saved):
    image = Image.new("L", (90, 30), 0)
    image.paste(200, (30, 0, 60, 30))  # the middle square
    pixels = _images.read(saved(image), 15)
    assert (abs(pixels.astype(int) - 200) <= 15).all()
    assert (pixels[..., 2:-2] == 200).all()


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_shrinking_averages(saved, suffix):
    stripes = np.zeros((640, 640), np.uint8)
    stripes[:, ::2] = 254
    pixels = _images.read(saved(Image.fromarray(stripes), suffix=suffix), 32)
    assert np.abs(pixels.astype(int) - 127).max() <= 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_the_orientation_tag_is_obeyed(saved, suffix, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    (path,) = saved(noise(40, 60), suffix=suffix, exif=exif)
    with Image.open(path) as image:
        upright = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(_images.read([path])[0].transpose(1, 2, 0), upright)


@pytest.mark.parametrize("place, value", [(17, 0), (17, 26), (41, 13)])
def test_damaged_tags_do_not_matter_where_the_pixels_are_in_order(saved, place, value):
    exif = Image.Exif()
    exif[0x0112], exif[0x011A], exif[0x010F] = 6, 72.0, "Maker"
    tags = bytearray(exif.tobytes())
    tags[place] = value  # the type of a tag that a camera, or what came after it, got wrong
    (path,) = saved(noise(40, 60), suffix=".jpg", exif=bytes(tags))
    assert _images.read([path]).shape == (1, 3, 40, 60)  # 60 wide: turned


def test_what_a_decoder_raises_is_told_by_the_name_of_the_file(saved, monkeypatch):
    (path,) = saved(noise(16, 16))

    def raises(_image):
        raise RuntimeError("Failed to decode image")

    monkeypatch.setattr(_images, "_eight_bits", raises)
    with pytest.raises(UserError, match=r"0\.png is not a readable image \(Failed to decode image\)"):
        _images.read([path])


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr", "HSV", "LAB"])
def test_every_mode_is_understood(saved, mode):
    suffix = ".tif" if mode in ("CMYK", "YCbCr", "LAB") else ".png"
    image = noise(16, 16, mode)
    paths = saved(image if mode != "HSV" else image.convert("RGB"), suffix=suffix)
    assert _images.read(paths).shape[2:] == (16, 16)


def test_sixteen_bits_keep_their_range(saved):
    levels = np.linspace(0, 65_535, 256).astype(np.uint16).reshape(16, 16)
    pixels = _images.read(saved(Image.fromarray(levels)))
    assert pixels.shape == (1, 1, 16, 16)
    assert np.array_equal(pixels.ravel(), np.arange(256))


def test_of_sixteen_bits_one_level_may_be_transparent(saved):
    levels = np.linspace(0, 65_535, 256).astype(np.uint16).reshape(16, 16)
    pixels = _images.read(saved(Image.fromarray(levels), transparency=int(levels[0, 1])))
    assert np.array_equal(pixels.ravel(), [0, 255, *range(2, 256)])


@pytest.mark.parametrize(("kind", "suffix"), [(np.uint16, ".png"), (np.int32, ".tif")])
@pytest.mark.parametrize("brightest", [0, 255, 4095])
def test_deep_images_that_would_be_black_are_refused(saved, kind, suffix, brightest):
    levels = np.linspace(0, brightest, 256).astype(kind).reshape(16, 16)
    darker = Image.fromarray(levels // 2)
    paths = saved(darker, Image.fromarray(levels), darker, suffix=suffix)
    with pytest.raises(UserError, match=rf"/[01]{suffix}, is {brightest} of 65535; scale them to that range"):
        _images.read(paths)


def test_a_dark_picture_among_deep_ones_is_read(saved):
    levels = np.linspace(0, 65_535, 256).astype(np.uint16).reshape(16, 16)
    assert _images.read(saved(Image.fromarray(levels // 100), Image.fromarray(levels)))[0].max() == 2
    star = np.zeros((640, 640), np.uint16)
    star[320, 320] = 65_535
    assert _images.read(saved(Image.fromarray(star))).max() < 16, "dark because it is resized"
    assert _images.read(saved(Image.new("L", (16, 16), 1))).max() == 1, "8 bits may be dark"


def test_levels_beyond_16_bits_are_refused(saved):
    for levels in (np.arange(256) * 300, np.arange(256) - 9):
        with pytest.raises(UserError, match=r"its pixels go from .*, beyond 0 to 65535"):
            _images.read(saved(Image.fromarray(levels.astype(np.int32).reshape(16, 16)), suffix=".tif"))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_lies_on_white(saved, mode):
    pixels = _images.read(saved(Image.new(mode, (16, 16), (0,) * len(mode))))
    assert pixels.shape == (1, 1, 16, 16)
    assert (pixels == 255).all()


def test_grey_pixels_are_one_channel_in_any_mode(saved):
    grey, colour = noise(16, 16, "L"), noise(16, 16)
    assert _images.read(saved(grey, grey.convert("RGB"), grey.convert("P"))).shape == (3, 1, 16, 16)
    assert _images.read(saved(grey, colour)).shape == (2, 3, 16, 16)


def test_floating_point_images_are_refused(saved):
    with pytest.raises(UserError, match=r"0\.tif is not a readable image \(its pixels are floating-point"):
        _images.read(saved(Image.new("F", (16, 16)), suffix=".tif"))

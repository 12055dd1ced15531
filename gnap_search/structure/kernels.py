"""Kernels: max-pooling, norm and ReLU on a processor, a row of pixels at a time, compiled by numba.

torch vectorises these over the channels of images that are laid out channels last, and a network that starts
tiny has few channels. Here the vector is a whole row: all pixels with all their channels. Each kernel passes
over the images once or twice, and what lies between two steps stays in the processor's first cache.

Images are matrices with a row of pixels a row: (N * H) x (W * C) values, channels last. float32 comes as it
is, and bfloat16 as its bits, in uint16; the arithmetic is float32 and sums are float64 either way. Results
come in the kind that the images came in. NaN stays NaN, but where another value of its window was pooled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def _compiler() -> Any:
    """Compiles at the first call, and keeps the code on disk where numba finds a place for it."""
    # Sums may be reordered, or there would be no vectors; NaN is kept, or a divergence would stay unseen.
    options: dict[str, Any] = {
        "nogil": True,
        "error_model": "numpy",
        "fastmath": {"contract", "nsz", "reassoc"},
    }
    try:
        numba.njit(cache=True)(_compiler)
    except RuntimeError:
        return numba.njit(**options)
    return numba.njit(cache=True, **options)


compiled: Callable[[Kernel], Kernel] = _compiler()  # typed as the function that it compiles
SPAN = 32  # rows that are summed in float32 before they join the float64 sum

ZERO = np.float32(0)


@compiled
def max_pool(images: np.ndarray, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """The greatest value of every 2 x 2 window, float32, and where it was: 0 and 1 above, 2 and 3 below.

    Of equal values the first counts, as in torch.
    """
    rows, run = images.shape[0] // 2, images.shape[1] // 2
    pooled, places = np.empty((rows, run), np.float32), np.empty((rows, run), np.uint8)
    bits_above, above = _buffer(2 * run)
    bits_below, below = _buffer(2 * run)
    for row in range(rows):
        _read(images[2 * row], bits_above)
        _read(images[2 * row + 1], bits_below)
        values, chosen = pooled[row], places[row]
        for pixel in range(run // channels):
            for channel in range(channels):
                at = 2 * pixel * channels + channel
                greatest, place = above[at], np.uint8(0)
                # Plain assignments become selections without a jump.
                if above[at + channels] > greatest:
                    greatest, place = above[at + channels], np.uint8(1)
                if below[at] > greatest:
                    greatest, place = below[at], np.uint8(2)
                if below[at + channels] > greatest:
                    greatest, place = below[at + channels], np.uint8(3)
                values[pixel * channels + channel] = greatest
                chosen[pixel * channels + channel] = place
    return pooled, places


@compiled
def statistics(images: np.ndarray, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and biased variance of every channel, float64.

    Values are taken relative to each channel's first one, so that a large mean does not drown the variance.
    """
    rows, run = images.shape
    bits, values = _buffer(run)
    total, square = np.zeros(run, np.float32), np.zeros(run, np.float32)
    mean, variance = np.zeros(channels), np.zeros(channels)
    _read(images[0], bits)
    first = _repeated(values[:channels], run)
    for row in range(rows):
        _read(images[row], bits)
        for at in range(run):
            values[at] -= first[at]
        for at in range(run):
            total[at] += values[at]
        for at in range(run):
            square[at] += values[at] * values[at]
        if row % SPAN == SPAN - 1 or row == rows - 1:
            _collect(total, mean)
            _collect(square, variance)
    samples = rows * (run // channels)
    for channel in range(channels):
        mean[channel] /= samples
        variance[channel] = max(variance[channel] / samples - mean[channel] ** 2, 0.0)
        mean[channel] += first[channel]
    return mean, variance


@compiled
def normalise(
    images: np.ndarray, like: np.ndarray, scale: np.ndarray, offset: np.ndarray, activate: bool
) -> np.ndarray:
    """`images * scale + offset` with float32 values a channel, then ReLU if wanted; of the kind of `like`."""
    rows, run = images.shape
    outputs = np.empty((rows, run), like.dtype)
    bits, values = _buffer(run)
    scales, offsets = _repeated(scale, run), _repeated(offset, run)
    for row in range(rows):
        _read(images[row], bits)
        for at in range(run):
            values[at] = values[at] * scales[at] + offsets[at]
        if activate:
            for at in range(run):
                values[at] = ZERO if values[at] < ZERO else values[at]
        _write(bits, outputs[row])
    return outputs


@compiled
def sums(
    images: np.ndarray,
    gradients: np.ndarray,
    scale: np.ndarray,
    offset: np.ndarray,
    mean: np.ndarray,
    activate: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Each channel's sum of the gradients that pass the ReLU, and of those times `images - mean`; float64."""
    rows, run = images.shape
    channels = scale.size
    bits, values = _buffer(run)
    gradient_bits, gradient = _buffer(run)
    scales, offsets, means = _repeated(scale, run), _repeated(offset, run), _repeated(mean, run)
    total, along = np.zeros(run, np.float32), np.zeros(run, np.float32)
    totals, alongs = np.zeros(channels), np.zeros(channels)
    for row in range(rows):
        _read(images[row], bits)
        _read(gradients[row], gradient_bits)
        if activate:
            _pass_relu(gradient, values, scales, offsets)
        for at in range(run):
            total[at] += gradient[at]
        for at in range(run):
            along[at] += gradient[at] * (values[at] - means[at])
        if row % SPAN == SPAN - 1 or row == rows - 1:
            _collect(total, totals)
            _collect(along, alongs)
    return totals, alongs


@compiled
def spread(
    images: np.ndarray,
    gradients: np.ndarray,
    places: np.ndarray,
    scale: np.ndarray,
    offset: np.ndarray,
    line: np.ndarray,
    activate: bool,
) -> np.ndarray:
    """The gradients of what was normed: of those that pass the ReLU, times `scale`, plus a line in `images`.

    `line` holds a constant and a slope for every channel, 2 x C. Where `places` is not empty, the images were
    pooled, and each gradient goes to its place in a window of 2 x 2.
    """
    rows, run = images.shape
    channels, pool = scale.size, 2 if places.size else 1
    outputs = np.empty((rows * pool, run * pool), gradients.dtype)
    bits, values = _buffer(run)
    gradient_bits, gradient = _buffer(run)
    window_bits, window = _buffer(4 * run)
    inside = np.array([0, channels, 2 * run, 2 * run + channels])
    scales, offsets = _repeated(scale, run), _repeated(offset, run)
    constants, slopes = _repeated(line[0], run), _repeated(line[1], run)
    for row in range(rows):
        _read(images[row], bits)
        _read(gradients[row], gradient_bits)
        if activate:
            _pass_relu(gradient, values, scales, offsets)
        for at in range(run):
            gradient[at] = gradient[at] * scales[at] + constants[at]
        for at in range(run):
            gradient[at] += values[at] * slopes[at]
        if pool == 1:
            _write(gradient_bits, outputs[row])
            continue
        window[:] = ZERO
        chosen = places[row]
        for pixel in range(run // channels):
            for at in range(pixel * channels, (pixel + 1) * channels):
                window[pixel * channels + at + inside[chosen[at]]] = gradient[at]
        _write(window_bits[: 2 * run], outputs[2 * row])
        _write(window_bits[2 * run :], outputs[2 * row + 1])
    return outputs


@compiled
def _buffer(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Bits and values of the same memory."""
    bits = np.empty(size, np.uint32)
    return bits, bits.view(np.float32)


@compiled
def _read(row: np.ndarray, bits: np.ndarray) -> None:
    """A bfloat16 is the upper half of a float32."""
    if row.itemsize == 2:
        for at in range(bits.size):
            bits[at] = np.uint32(row[at]) << np.uint32(16)
    else:
        values = bits.view(np.float32)
        for at in range(bits.size):
            values[at] = row[at]


@compiled
def _write(bits: np.ndarray, row: np.ndarray) -> None:
    """Rounded to the nearest bfloat16, ties to even, where that is what the row holds."""
    if row.itemsize == 2:
        for at in range(bits.size):
            odd = (bits[at] >> np.uint32(16)) & np.uint32(1)
            row[at] = np.uint16((bits[at] + np.uint32(0x7FFF) + odd) >> np.uint32(16))
    else:
        values = bits.view(np.float32)
        for at in range(bits.size):
            row[at] = values[at]


@compiled
def _pass_relu(gradient: np.ndarray, values: np.ndarray, scales: np.ndarray, offsets: np.ndarray) -> None:
    """Zero the gradients where the ReLU was closed."""
    for at in range(gradient.size):
        gradient[at] = gradient[at] if values[at] * scales[at] + offsets[at] > ZERO else ZERO


@compiled
def _repeated(channel_values: np.ndarray, run: int) -> np.ndarray:
    """A row that has the channels' float32 values at each pixel."""
    row = np.empty(run, np.float32)
    channels = channel_values.size
    for pixel in range(run // channels):
        for channel in range(channels):
            row[pixel * channels + channel] = channel_values[channel]
    return row


@compiled
def _collect(row: np.ndarray, totals: np.ndarray) -> None:
    """Add a row's values to their channels' totals, and begin it anew."""
    channels = totals.size
    for pixel in range(row.size // channels):
        for channel in range(channels):
            totals[channel] += row[pixel * channels + channel]
    row[:] = ZERO

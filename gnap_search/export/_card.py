"""Card: what people should know of a model before they use it, as Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from gnap_search.export import _formats


def markdown(manifest: Mapping[str, Any]) -> str:
    """The model card of an export, out of what its manifest says."""
    return "\n".join(
        [*_head(manifest), *_worth(manifest), *_size(manifest), *_files(manifest), *_rest(manifest)]
    )


def _head(told: Mapping[str, Any]) -> Iterator[str]:
    image, images = told["image"], told["images"]
    named = (
        f", point {told['point']} of the study {told['study']}" if told.keys() >= {"point", "study"} else ""
    )
    yield f"# Model card: {told['network']} for {told['dataset']}{named}\n"
    yield (
        f"An image classifier: {image['channels']} x {image['height']} x {image['width']} numbers "
        f"from 0 to 1 (channels x height x width) -> {len(told['classes'])} logits. The normalisation is "
        "inside.\n"
    )
    yield f"Classes: {', '.join(told['classes'])}.\n"
    yield "## Data\n"
    yield (
        f"`{told['dataset']}`, {images['train']:,} images to train on, {images['validation']:,} to choose "
        f"by and {images['test']:,} to test on. SHA-256 of pixels, labels and splits: "
        f"`{told['data_digest']}`.\n"
    )


def _worth(told: Mapping[str, Any]) -> Iterator[str]:
    yield "## Accuracy\n"
    yield "| | validation | test |\n|---|---:|---:|"
    own = " | ".join(_percent(told.get(f"{split}_accuracy")) for split in ("validation", "test"))
    yield f"| this network | {own} |"
    confirmed, refit = told.get("confirmed"), told.get("refit")
    if refit:
        searched = refit["searched"]
        before = " | ".join(_percent(searched[f"{split}_accuracy"]) for split in ("validation", "test"))
        yield f"| the point that was searched, {searched['parameters']:,} parameters | {before} |"
        yield (
            "\nThe configuration was chosen by its accuracy on the validation images, and then trained once "
            f"more with these among the training images: {refit['images']:,} in all.\n"
        )
    elif confirmed:
        means = " | ".join(_spread(confirmed[key]) for key in ("validation_accuracy", "test_accuracy"))
        yield f"| its configuration again, seeds {', '.join(map(str, confirmed['seeds']))} | {means} |"
        yield "\nThe second line is what the configuration is worth; the network was chosen from many.\n"
    else:
        yield "\nOne seed, chosen from many by its validation accuracy: not confirmed with fresh seeds.\n"


def _size(told: Mapping[str, Any]) -> Iterator[str]:
    cost = told["cost"]
    yield "## Size\n"
    yield "| what is counted | |\n|---|---:|"
    yield f"| parameters that are alive: weights other than zero, and all biases | {cost['parameters']:,} |"
    yield f"| of these weights | {cost['weights']:,} |"
    yield f"| of these biases, one for each channel | {cost['parameters'] - cost['weights']:,} |"
    yield f"| numbers that dense files keep, zeros included | {cost['total']:,} |"
    yield f"| multiply-accumulates for an image, those by zero included | {cost['macs']:,} |"
    yield f"| multiply-accumulates by weights other than zero | {cost['live_macs']:,} |\n"


def _files(told: Mapping[str, Any]) -> Iterator[str]:
    yield "## Files\n"
    yield (
        "| file | test accuracy | greatest difference of a logit | bytes | gzip -9 | memory in bytes "
        "| µs an image | of PyTorch's | of onnxruntime's |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    )
    for file in told["files"]:
        speed = file["speed"]
        ratios = [
            f"{speed['seconds'] / speed[key]:.2f} x" if speed[key] else "-" for key in ("eager", "onnx")
        ]
        numbers = " | ".join(f"{file[key]:,}" for key in ("bytes", "gzip_bytes", "memory"))
        yield (
            f"| `{file['file']}` | {_percent(file['test_accuracy'])} | {file['greatest_difference']:.1e} "
            f"| {numbers} | {1e6 * speed['seconds']:.0f} | {' | '.join(ratios)} |"
        )
    yield (
        f"\nOne image at a time on one thread of {told['processor']}, from numpy and back, beside the "
        "same network in PyTorch and as float32 ONNX. Memory is that of weights and results, without the "
        "runtime; `model.c` keeps its weights in read-only memory, which is not counted.\n"
    )
    yield "## How to load it\n"
    for file in told["files"]:
        exporter = _formats.exporter(file["format"])
        yield f"`{file['file']}`:\n\n{exporter.LOADING.format(**told['image'])}\n"
    yield "Or, with the class names: `gnap-search predict FILE PICTURE`.\n"


def _rest(told: Mapping[str, Any]) -> Iterator[str]:
    yield "## How it was trained\n"
    method = f" by the method `{told['method']}`" if "method" in told else ""
    epochs = f" for {told['epochs']} epochs" if "epochs" in told else ""
    seed = f", seed {told['seed']}" if "seed" in told else ""
    yield f"With gnap-search{method}{epochs}{seed}. Widths: {_listed(told['widths'])}.\n"
    if told.get("config"):
        yield f"Settings: {_listed(told['config'])}.\n"
    if told.get("study_digest"):
        yield f"SHA-256 of the study's `study.toml`: `{told['study_digest']}`.\n"
    yield f"Versions: {_listed(told['versions'])}.\n"
    yield "## Limits\n"
    yield (
        f"It knows images like those of `{told['dataset']}` and will put anything else into one of its "
        "classes as well, often with a high probability, which is not calibrated. Nothing was tested but "
        "accuracy on the test images: not fairness, noise, other cameras or attacks.\n"
    )
    yield "## Licence\n"
    yield (
        "The code in `model.c` and `model.h` is gnap-search's, under Apache-2.0. The weights carry no "
        "licence of gnap-search's: whoever trained them decides, within the terms of the data."
    )


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {value if isinstance(value, str) else json.dumps(value)}" for name, value in values.items()
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f} %"


def _spread(told: Mapping[str, float | None]) -> str:
    mean, deviation = told["mean"], told["standard_deviation"]
    assert mean is not None, "a spread has a mean"
    return f"{100 * mean:.2f} %" if deviation is None else f"{100 * mean:.2f} ± {100 * deviation:.2f} %"

"""The networks of papers: their parameters at full width, as published, and blocks that are left out."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gnap_search import catalog
from gnap_search.networks._residual import Architecture, Block
from gnap_search.structure import cost

SHAPE = (3, 32, 32)
# Of CIFAR-10. Those of ResNet-20, 56, 110 and 164 are DHP's (https://github.com/ofsoundof/dhp), whose
# ResNet-110 has bottlenecks; with basic blocks it has 1.73 million. VGG-19 has 20.4 million on CIFAR-100.
PUBLISHED = {
    "resnet20": 272_474,
    "resnet32": 466_906,
    "resnet56": 855_770,
    "resnet110": 1_730_714,
    "resnet110-bottleneck": 1_147_738,
    "resnet164": 1_704_154,
    "vgg16": 14_991_946,
    "vgg19": 20_304_202,
    "wrn28-10": 36_479_194,
}


@pytest.mark.parametrize(("network", "parameters"), PUBLISHED.items())
def test_at_full_width_it_has_the_published_parameters(network: str, parameters: int) -> None:
    module = catalog.implementation("networks", network)
    with torch.device("meta"):  # their shapes are enough
        built = module.build(module.seed_widths(SHAPE, 1), SHAPE, 10)
    assert sum(parameter.numel() for parameter in built.parameters()) == parameters


def test_all_that_is_published_is_counted() -> None:
    module = catalog.implementation("networks", "resnet20")
    network = module.build(module.seed_widths(SHAPE, 1), SHAPE, 10)
    counted = cost.count(network, SHAPE)
    assert counted.parameters == counted.total == PUBLISHED["resnet20"]
    # A stem, eighteen convolutions of which two halve the image, and two projections: by hand.
    stages = 5 * 1024 * 9 * 16**2 + 256 * 9 * (16 * 32 + 5 * 32**2) + 64 * 9 * (32 * 64 + 5 * 64**2)
    assert counted.macs == 1024 * (27 * 16 + 9 * 16**2) + stages + 256 * 16 * 32 + 64 * 32 * 64 + 640


@pytest.mark.parametrize("gone", [["inner1_1_1"], ["inner1_1_2"], ["inner1_1_1", "inner1_1_2"]])
def test_a_bottleneck_vanishes_with_either_of_its_inner_groups(gone: list[str]) -> None:
    architecture = Architecture((8, 8), blocks=1, kernels=(1, 3, 1), expansion=4, stem=4)
    widths = architecture.seed_widths(SHAPE, 1)
    network = architecture.build({**widths, **dict.fromkeys(gone, 0)}, SHAPE, 10)
    block = network.get_submodule("blocks.block1_1")
    assert isinstance(block, Block)
    assert block.residual is None
    images = torch.rand(2, 4, 8, 8)
    assert block.shortcut is not None
    torch.testing.assert_close(block(images), block.shortcut(images).relu())


def test_a_bias_in_front_of_a_norm_changes_nothing_folded_or_not() -> None:
    module = catalog.implementation("networks", "vgg16")
    network = module.build(module.seed_widths(SHAPE, 0.05), SHAPE, 10)
    images = torch.rand(8, *SHAPE)
    plain = network(images)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.bias)
    torch.testing.assert_close(network(images), plain, rtol=1e-3, atol=1e-4)

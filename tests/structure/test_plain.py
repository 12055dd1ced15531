"""The plain network: the same function as the live one, without its method, epoch after epoch."""

from __future__ import annotations

import torch

from gnap_search.methods.gnap import GNAP
from gnap_search.structure import cost
from gnap_search.structure.model import Blueprint
from gnap_search.structure.plain import Plain

SHAPE = (1, 8, 8)
WIDTHS = {"conv1": 3, "conv2": 4, "conv3": 5, "conv4": 6, "conv5": 7}


def test_it_computes_and_costs_what_the_live_network_does_while_that_changes() -> None:
    blueprint, images = Blueprint("plain-cnn", SHAPE, 10), torch.rand(8, *SHAPE)
    plain = Plain(blueprint, 0.2, 0.5, "cpu")
    for widths in (WIDTHS, WIDTHS, {**WIDTHS, "conv2": 6}, {**WIDTHS, "conv2": 2, "conv5": 1}):
        model = blueprint.build(widths)
        GNAP().attach(model, blueprint)
        with torch.no_grad():
            model.get_parameter("units.conv3.linear.parametrizations.weight.0.score")[0] = -1.0
        classifier = plain.follow(model, widths)
        torch.testing.assert_close(classifier(images), model.eval()((images - 0.2) / 0.5))
        assert classifier.widths == widths
        assert classifier.network.get_submodule("units.conv2.linear").out_channels == widths["conv2"]
        assert plain.cost() == cost.count(classifier.network, SHAPE)


def test_it_makes_a_new_classifier_only_for_wider_networks() -> None:
    blueprint = Blueprint("plain-cnn", SHAPE, 10)
    plain = Plain(blueprint, 0.2, 0.5, "cpu")
    narrower, wider = {**WIDTHS, "conv5": 6}, {**WIDTHS, "conv5": 8}
    first, second, third = (
        plain.follow(blueprint.build(widths), widths) for widths in (WIDTHS, WIDTHS, narrower)
    )
    assert first is second is third
    assert plain.follow(blueprint.build(wider), wider) is not first

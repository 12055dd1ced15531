"""A file of trainings: what it amounts to, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gnap_search.errors import UserError
from gnap_search.training.configurations import read

WHOLE = """
dataset = "digits"
epochs = 3
seeds = [0, 1]
augmentation = ["affine"]
training_images = 500
validation_images = 50
[settings]
learning_rate = 1
growth_factor = 2
[[trial]]
pruning_strength = 1e-3
[[trial]]
growth_factor = 1.5
seeds = [7]
epochs = 5
"""
SHORT = 'dataset = "digits"\nepochs = 3\n'


def test_each_trial_is_trained_with_each_seed(tmp_path: Path) -> None:
    path = tmp_path / "asked.toml"
    path.write_text(WHOLE)
    asked = read(path)
    assert [(plan.trial, plan.seed) for plan in asked.plans] == [(0, 0), (1, 1), (2, 7)]
    first, _, last = asked.plans
    assert first.settings == {"learning_rate": 1.0, "growth_factor": 2.0, "pruning_strength": 1e-3}
    assert last.settings == {"learning_rate": 1.0, "growth_factor": 1.5}
    assert {(plan.method, plan.network) for plan in asked.plans} == {("gnap", "grid-cnn")}
    assert [plan.epochs for plan in asked.plans] == [3, 3, 5]
    assert {(plan.dataset, plan.image_size) for plan in asked.plans} == {("digits", None)}
    assert {(plan.training_images, plan.validation_images) for plan in asked.plans} == {(500, 50)}
    assert first.augmentation == ("affine",)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "asked.toml"
    path.write_text(WHOLE)
    asked = read(path)
    path.write_text(asked.to_toml())
    assert read(path) == asked
    assert path.read_text().count("[[trial]]") == 2, "seeds of the same settings stand together"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (SHORT, "at least one is needed"),
        (SHORT + "trial = 3", "each trial a [[trial]]"),
        ("epochs = 3\n[[trial]]", "dataset should be a name, and there is nothing."),
        (SHORT + "epoch = 3\n[[trial]]", "unknown key 'epoch'; did you mean 'epochs'?"),
        ('dataset = "digits"\nepochs = 0\n[[trial]]', "epochs should be a whole number above 0"),
        ('dataset = "digits"\nepochs = true\n[[trial]]', "epochs should be a whole number above 0"),
        (SHORT + "[[trial]]\nepochs = 1.5", "epochs should be a whole number above 0, and there is 1.5"),
        (SHORT + 'method = "gnp"\n[[trial]]', "Unknown method 'gnp'; did you mean 'gnap'?"),
        (SHORT + "seeds = 3\n[[trial]]", "seeds should be a list of whole numbers"),
        (SHORT + "[[trial]]\nseeds = [-1]", "seeds should be a list of whole numbers"),
        (SHORT + "seeds = [0, 1, 0]\n[[trial]]", "seeds has 0 twice, which would be the same training"),
        (SHORT + "[[trial]]\nseeds = [3, 3]", "seeds has 3 twice"),
        (
            SHORT + "seeds = [0, 1]\n[[trial]]\ngrowth_factor = 2\nlearning_rate = 1\n"
            "[[trial]]\nlearning_rate = 1.0\ngrowth_factor = 2.0\nseeds = [5, 1]",
            "trainings 1 and 3, counted from 0, are the same one with seed 1; leave out one [[trial]]",
        ),
        (SHORT + "image_size = 4\n[[trial]]", "image_size should be from 8 to 512 pixels"),
        (SHORT + "training_images = 1\n[[trial]]", "training_images should be a whole number from 2"),
        (SHORT + "training_images = 1e4\n[[trial]]", "training_images should be a whole number from 2"),
        (SHORT + "validation_images = 0\n[[trial]]", "validation_images should be a whole number from 2"),
        (SHORT + 'augmentation = "flip"\n[[trial]]', "augmentation should be a list of names"),
        (SHORT + 'augmentation = ["fip"]\n[[trial]]', "Unknown augmentation 'fip'"),
        (SHORT + "[[trial]]\npruning_strenth = 1", "did you mean 'pruning_strength'?"),
        (SHORT + "[[trial]]\ngrowth_factor = [1, 2]", "is not one value"),
        (SHORT + "[[trial]]\ngrowth_factor = 0.1", "below its least value"),
        (SHORT + "[[trial]]\nseed_depth = 0.5", "seed_depth counts only in a network with blocks"),
        ("dataset = ", "is not valid TOML"),
    ],
)
def test_what_is_wrong_is_told_with_the_file(tmp_path: Path, written: str, said: str) -> None:
    path = tmp_path / "asked.toml"
    path.write_text(written)
    with pytest.raises(UserError) as refused:
        read(path)
    assert said in str(refused.value) and str(path) in str(refused.value)
    assert "\n" not in str(refused.value)

"""A study of several methods: one space for all of them, and a draw that is one method's configuration."""

from __future__ import annotations

from pathlib import Path

import pytest
from optuna.trial import FixedTrial

from gnap_search import qualified, request, spec
from gnap_search.errors import UserError
from gnap_search.space import draw
from gnap_search.training import configurations


def a_study(**asked: object) -> spec.Study:
    return request.study({"dataset": "digits", "method": "gnap,rigl,dense", "trials": 6, **asked})


def test_each_method_brings_its_space_behind_its_name() -> None:
    parameters = a_study().parameters
    assert parameters["method"].choices == ("gnap", "rigl", "dense")
    assert parameters["gnap.growth_factor"].when == {"method": "gnap"}
    assert parameters["rigl.density"].low == spec.load_space("rigl").parameters["density"].low
    assert "growth_factor" not in parameters


def test_what_the_study_of_the_data_says_stays_its_methods_and_the_rest_is_shared() -> None:
    parameters = a_study().parameters
    assert parameters["gnap.pruning_strength"].high == spec.load("digits").parameters["pruning_strength"].high
    assert parameters["augmented_share"].value == 0.25 and not parameters["augmented_share"].when


def test_a_draw_is_the_configuration_of_one_method() -> None:
    study = a_study()
    fixed = FixedTrial({"method": "rigl", "rigl.density": 0.1, "rigl.seed_scale": 2.0})
    method, settings = qualified.configured(study.method, draw(study.parameters, fixed))
    assert method == "rigl"
    assert settings["density"] == 0.1 and settings["seed_scale"] == 2.0
    assert settings["augmented_share"] == 0.25
    assert "pruning_strength" not in settings and "method" not in settings


def test_a_plain_name_is_meant_for_every_method_that_has_it() -> None:
    own = {"density": 0.2, "rigl.drop_fraction": [0.1, 0.3]}
    parameters = a_study(method="rigl,magnitude,gnap", parameters=own).parameters
    assert parameters["rigl.density"].value == parameters["magnitude.density"].value == 0.2
    assert parameters["rigl.drop_fraction"].choices == (0.1, 0.3)


def test_conditions_within_a_method_are_its_own() -> None:
    own = {
        "growth_trigger": ["saturation", "periodic"],
        "growth_period": {"low": 2, "high": 5, "when": {"growth_trigger": "periodic"}},
    }
    period = a_study(parameters=own).parameters["gnap.growth_period"]
    assert period.when == {"method": "gnap", "gnap.growth_trigger": "periodic"}


def test_a_kept_study_is_read_back_and_may_be_started_from(tmp_path: Path) -> None:
    study, file = a_study(), tmp_path / "study.toml"
    file.write_text(study.to_toml())
    assert spec.Study.read(file) == study
    assert spec.load(str(file)).parameters == study.parameters


TWO = """
dataset = "digits"
method = ["gnap", "rigl"]
[parameters]
augmented_share = 0.5
seed_scale = [1.0, 2.0]
density = [0.1, 0.2]
"gnap.pruning_strength" = 1e-4
"""


@pytest.fixture
def two(tmp_path: Path) -> str:
    """A study's file that names two methods, and says something of both, of one and of the data."""
    (tmp_path / "two.toml").write_text(TWO)
    return str(tmp_path / "two.toml")


@pytest.mark.parametrize("methods", ["gnap,rigl", " gnap, rigl", "rigl,gnap", ["gnap", "rigl"]])
def test_the_same_methods_in_other_words_leave_a_study_as_it_is(two: str, methods: str | list[str]) -> None:
    parameters = request.study({"base": two, "method": methods}).parameters
    assert parameters["gnap.pruning_strength"].value == 1e-4
    assert parameters.keys() == request.study({"base": two}).parameters.keys()
    assert parameters["seed_scale"].choices == (1.0, 2.0) and "gnap.seed_scale" not in parameters


def test_what_a_study_says_of_a_method_stays_where_others_join_it(two: str) -> None:
    parameters = request.study({"base": two, "method": "gnap,rigl,magnitude"}).parameters
    assert parameters["gnap.pruning_strength"].value == 1e-4
    assert parameters["rigl.density"].choices == (0.1, 0.2)
    assert parameters["magnitude.density"] == a_study(method="gnap,magnitude").parameters["magnitude.density"]
    assert parameters["gnap.seed_scale"].choices == parameters["rigl.seed_scale"].choices == (1.0, 2.0)
    assert parameters["magnitude.seed_scale"].low and parameters["augmented_share"].value == 0.5


def test_of_several_methods_one_keeps_what_is_said_of_it_by_plain_names(two: str) -> None:
    parameters = request.study({"base": two, "method": "gnap"}).parameters
    assert parameters["pruning_strength"].value == 1e-4 and parameters["seed_scale"].choices == (1.0, 2.0)
    assert parameters["augmented_share"].value == 0.5
    other = request.study({"base": two, "method": "dense"}).parameters
    assert other["seed_scale"] == spec.load_space("dense").parameters["seed_scale"]


def test_one_method_of_a_complete_study_has_no_conditions_on_methods(tmp_path: Path) -> None:
    own = {
        "growth_trigger": ["saturation", "periodic"],
        "growth_period": {"low": 2, "high": 5, "when": {"growth_trigger": "periodic"}},
    }
    file = tmp_path / "study.toml"
    file.write_text(a_study(parameters=own).to_toml())
    parameters = request.study({"base": str(file), "method": "gnap"}).parameters
    assert parameters["growth_period"].when == {"growth_trigger": "periodic"}
    assert not any("." in name or name == "method" for name in parameters)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"method": "gnap,gnap"}, "names 'gnap' twice"),
        ({"method": "gnap,rigel"}, "'rigel'; did you mean 'rigl'"),
        ({"search_space": "gnap"}, "several each has the space of its own name"),
        ({"parameters": {"rigl.densty": 0.1}}, "rigl.densty"),
        ({"parameters": {"rigl.density": 7.0}}, "rigl.density = 7.0 is above"),
    ],
)
def test_what_is_wrong_is_told_by_its_name(asked: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        a_study(**asked)


def test_one_training_has_one_method() -> None:
    with pytest.raises(UserError, match="choose one"):
        request.plan({}, {"dataset": "digits", "method": "gnap,rigl"})


def test_given_trainings_may_have_methods_of_their_own(tmp_path: Path) -> None:
    file = tmp_path / "trials.toml"
    file.write_text(
        'dataset = "digits"\nepochs = 2\n[[trial]]\npruning_strength = 1e-3\n'
        '[[trial]]\nmethod = "magnitude"\ndensity = 0.1\nseeds = [1, 2]\n'
    )
    read = configurations.read(file)
    assert [(plan.method, plan.seed) for plan in read.plans] == [
        ("gnap", 0),
        ("magnitude", 1),
        ("magnitude", 2),
    ]
    file.write_text(read.to_toml())
    assert configurations.read(file) == read

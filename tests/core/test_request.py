"""From flags and files to the study that is meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from gnap_search import flags, request, spec
from gnap_search.errors import UserError
from gnap_search.flags import Asked


def test_without_a_word_the_digits_are_meant() -> None:
    assert request.study({}) == request.study({"dataset": "digits"})
    assert request.study({}).dataset == "digits"


def test_flags_lie_over_the_study_of_their_data_set() -> None:
    study, bundled = request.study({"dataset": "mnist", "trials": 3, "max_params": 5_000}), spec.load("mnist")
    assert study.trials == 3 and study.constraints.max_params == 5_000
    assert study.differences(bundled).keys() == {"trials", "constraints.max_params"}


def test_a_data_set_without_a_study_takes_the_defaults_of_its_search_space() -> None:
    study = request.study({"dataset": "kmnist"})
    assert study.parameters == spec.load_space("gnap").parameters


def test_a_study_may_be_the_base_of_another_data_set() -> None:
    study = request.study({"base": "mnist", "dataset": "kmnist"})
    assert study.dataset == "kmnist" and study.parameters == spec.load("mnist").parameters
    assert study.summary == ""


def test_a_setting_is_fixed_searched_or_chosen_by_a_flag() -> None:
    texts = ["growth_factor=1..3", "pruning-strength=1e-6..1e-3", "growth_trigger=saturation,periodic"]
    parameters = request.study({"parameters": flags.assignments([*texts, "learning_rate=1"])}).parameters
    assert (parameters["growth_factor"].low, parameters["growth_factor"].log) == (1.0, False)
    assert isinstance(parameters["growth_factor"].low, float), "an end takes its setting's type"
    assert parameters["pruning_strength"].log, "ends far apart mean orders of magnitude"
    assert parameters["growth_trigger"].choices == ("saturation", "periodic")
    assert parameters["learning_rate"].value == 1.0


@pytest.mark.parametrize("text", ["growth_factor", "=3", "growth_factor="])
def test_a_setting_without_key_or_value_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="should be key=value"):
        flags.assignments([text])


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"trials": 0}, "trials = 0: should be greater than 0."),
        ({"epochs": -3}, "epochs = -3: should be greater than 0."),
        (
            {"min_accuracy": 99.0},
            "constraints.min_accuracy = 99.0: should be less than or equal to 1; it goes from 0 to 1",
        ),
        ({"method": "gnp"}, "unknown method 'gnp'; did you mean 'gnap'?"),
        ({"base": "mnits"}, "Unknown study 'mnits'; did you mean 'mnist'?"),
        (
            {"parameters": {"growth_factr": 2}},
            "Unknown setting 'growth_factr'; did you mean 'growth_factor'?",
        ),
        ({"parameters": {"growth_factor": {"low": 3, "high": 2}}}, "low 3 is above high 2: swap them."),
        (
            {"parameters": {"growth_factor": {"low": 0.5, "high": 2}}},
            "growth_factor = 0.5 is below its least value 1.",
        ),
        ({"parameters": {"saturation_patience": {"low": 1, "high": 2.5}}}, "2.5 is not a whole number."),
        (
            {"parameters": {"growth_trigger": ["saturation", "sometimes"]}},
            "'sometimes' is not one of saturation",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_sentence(asked: Asked, said: str) -> None:
    with pytest.raises(UserError) as refusal:
        request.study(asked)
    assert said in str(refusal.value)


def test_a_fault_in_the_base_is_told_by_its_file(elsewhere: Path) -> None:
    (elsewhere / "mine.toml").write_text('dataset = "digits"\n[parameters]\ngrowth_factr = 2\n')
    with pytest.raises(UserError, match=r"mine\.toml: Unknown setting 'growth_factr'"):
        request.study({"base": "mine.toml"})


def test_a_folder_is_meant_from_anywhere(elsewhere: Path) -> None:
    (elsewhere / "photos").mkdir()
    assert request.study({"dataset": "./photos"}).dataset == str(elsewhere / "photos")
    (elsewhere / "photos.npz").touch()
    assert request.study({"dataset": "photos.npz"}).dataset == str(elsewhere / "photos.npz")


@pytest.mark.parametrize(
    ("dataset", "name"),
    [
        ("cifar10", "cifar10-gnap"),
        ("/data/my photos/", "my-photos-gnap"),
        ("/data/photos.npz", "photos-gnap"),
        ("package.module:function", "package.module-function-gnap"),
        ("/", "gnap"),
        ("/data/" + "x" * 300, "x" * 95 + "-gnap"),
    ],
)
def test_the_default_name_is_safe_as_a_folders(dataset: str, name: str) -> None:
    from gnap_search import runs

    runs.check_name(request.name(dataset, "gnap"))
    assert request.name(dataset, "gnap") == name


def test_a_study_is_found_again_by_its_name_and_where_it_lies(elsewhere: Path) -> None:
    from gnap_search import runs

    assert runs.found_by(Path("runs/one")) == runs.found_by(elsewhere / "runs" / "one") == "one"
    assert runs.found_by(Path("my runs/one")) == "one --runs 'my runs'"


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "..", ".hidden", "-x", "a b", "x" * 101, "a\n"])
def test_names_that_lead_elsewhere_are_refused(name: str) -> None:
    from gnap_search import runs

    with pytest.raises(UserError, match="cannot name a study"):
        runs.check_name(name)


@pytest.mark.parametrize(("text", "trials"), [(None, 20), ("+5", 25), ("30", 30), (30, 30)])
def test_a_study_is_extended(text: str | int | None, trials: int) -> None:
    assert request.extended(spec.Study(dataset="digits"), text).trials == trials


@pytest.mark.parametrize("text", ["0", "+0", "-3", "many", "1.5", "", "+"])
def test_no_other_number_of_trials_is_accepted(text: str) -> None:
    with pytest.raises(UserError, match="trials in all"):
        request.extended(spec.Study(dataset="digits"), text)


def test_a_plan_takes_what_the_study_of_its_data_set_says() -> None:
    plan = request.plan({"pruning_strength": "3e-4"}, {"epochs": 5})
    study = spec.load("digits")
    fixed = {name: one.value for name, one in study.parameters.items() if not one.searched}
    assert plan.settings == {**fixed, "pruning_strength": 3e-4} and plan.epochs == 5
    assert plan.network == study.network
    with pytest.raises(UserError, match="Unknown setting 'pruning_strenth'; did you mean 'pruning_strength'"):
        request.plan({"pruning_strenth": 1}, {})


def test_another_optimizer_does_not_take_steps_that_are_not_its_own() -> None:
    adamw: Asked = {"parameters": {"optimizer": "adamw"}}
    usual, other = request.study({}).parameters, request.study(adamw).parameters
    assert usual["optimizer"].value == "sgd" and usual["learning_rate"].value == 0.1
    assert other.keys() == usual.keys() - {"learning_rate", "weight_decay"}
    assert request.study({"parameters": {"optimizer": "sgd"}}).parameters == usual
    own = {"optimizer": "adamw", "learning_rate": 0.02}
    assert request.study({"parameters": own}).parameters["learning_rate"].value == 0.02
    plan = request.plan({"optimizer": "adamw"}, {})
    assert plan.settings.keys().isdisjoint({"learning_rate", "weight_decay"})


def test_steps_of_a_study_are_for_its_own_optimizer_too() -> None:
    asked: Asked = {"dataset": "mnist", "parameters": {"optimizer": "sgd"}}
    parameters = request.study(asked).parameters
    assert (parameters["learning_rate"].value, parameters["weight_decay"].value) == (0.1, 5e-4)
    same: Asked = {"dataset": "mnist", "parameters": {"optimizer": "adamw"}}
    assert request.study(same).parameters == spec.load("mnist").parameters


def test_of_several_methods_one_may_have_another_optimizer() -> None:
    asked: Asked = {"method": "gnap,dhp", "parameters": {"dhp.optimizer": "adamw"}}
    parameters = request.study(asked).parameters
    assert parameters["gnap.learning_rate"].value == 0.1 and "dhp.learning_rate" not in parameters


def test_another_method_gets_the_same_data() -> None:
    own, other = request.study({"dataset": "digits"}), request.study({"dataset": "digits", "method": "dense"})
    assert other.parameters["augmented_share"] == own.parameters["augmented_share"]
    assert "pruning_strength" not in other.parameters and "seed_scale" in other.parameters


def test_what_a_study_searches_is_its_own_method_s() -> None:
    own, space = spec.load("mnist").parameters, spec.load_space("dense").parameters
    other = request.study({"dataset": "mnist", "method": "dense"}).parameters
    both = request.study({"dataset": "mnist", "method": "gnap,dense"}).parameters
    assert own["seed_scale"].searched and other["seed_scale"] == space["seed_scale"]
    assert other["learning_rate"] == both["learning_rate"] == own["learning_rate"], "on equal terms"
    assert (both["gnap.seed_scale"].low, both["dense.seed_scale"].low) == (0.7, 0.1)


@pytest.mark.parametrize("kind", ["studies", "search_spaces"])
def test_bundled_files_are_without_faults(kind: str) -> None:
    from gnap_search import catalog

    for name in catalog.names(kind):
        request.read(catalog.file(kind, name))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('datset = "mnist"\ntrials = 3', "unknown key 'datset'; did you mean 'dataset'?"),
        ('dataset = "mnits"', "dataset = 'mnits' is no data set and no folder; did you mean 'mnist'?"),
        ('dataset = "mnits.npz"', "dataset = 'mnits.npz' is no data set and no file;"),
        ('method = "gnap"\n[parameters]\npruning_strenth = 1', "Unknown setting 'pruning_strenth'"),
        ('method = "gnap"', "the key 'parameters' is missing."),
        ("x = [", "is not valid TOML"),
    ],
)
def test_a_file_is_checked_whatever_it_is(elsewhere: Path, text: str, said: str) -> None:
    (elsewhere / "file.toml").write_text(text)
    with pytest.raises(UserError) as refusal:
        request.read(Path("file.toml"))
    assert str(refusal.value).startswith("file.toml") and said in str(refusal.value)

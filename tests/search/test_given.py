"""What a study is told of another one, and what it trains first: taken once, whatever becomes of drivers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from gnap_search import spec
from gnap_search.errors import UserError
from gnap_search.results import History, Point
from gnap_search.runs import Run
from gnap_search.search import coverage, enqueued, known, storage
from gnap_search.search.gathering import Gathering
from gnap_search.search.given import Given, Known, Sources
from gnap_search.search.ledger import Ledger
from gnap_search.search.marks import ENQUEUED, FROM_STUDY
from gnap_search.search.standing import Standing
from tests.search.conftest import PARAMETERS, Notes, a_point, small_study

DIGEST = "1234"
FITTING = {"pruning_strength": 1e-3, "growth_factor": 1.5, "saturation_patience": 2}
CONDITIONAL = {
    "growth_trigger": ["saturation", "periodic"],
    "growth_period": {"low": 2, "high": 5, "when": {"growth_trigger": "periodic"}},
}
MakeRun = Callable[..., Run]


@pytest.fixture(autouse=True)
def quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)


@pytest.fixture
def other(tmp_path: Path) -> MakeRun:
    """Trials' settings, and what the study has differently -> a study that has trained them."""

    def make(*settings: dict[str, Any], epochs: int = 3, digest: str = DIGEST, **changes: Any) -> Run:
        run = Run(tmp_path / "other")
        run.folder.mkdir()
        (run.folder / "study.toml").write_text(small_study(**changes).to_toml())
        (run.folder / "environment.json").write_text(json.dumps({"data_digest": digest}))
        for trial, chosen in enumerate(settings):
            folder = run.trial_folder(trial)
            folder.mkdir(parents=True)
            (folder / "plan.json").write_text(json.dumps({"settings": chosen}))
            History(folder / "history.jsonl").append(a_point(trial=trial, epoch=epochs))
        return run

    return make


@pytest.fixture
def held(tmp_path: Path) -> Any:
    held = storage.connect(tmp_path, None)
    yield held
    held.remove_session()
    held.engine.dispose()


def driver(held: BaseStorage, study: spec.Study, given: Given) -> Ledger:
    return Ledger(storage.study(held, "desk"), held, study, given)


def some_known(count: int) -> tuple[Known, ...]:
    return tuple(
        Known(
            "other",
            {**FITTING, "growth_factor": 1.2 + place / 100},
            a_point(trial=place, parameters=50 + place),
        )
        for place in range(count)
    )


def test_finished_trials_within_the_ranges_fit_and_the_others_are_counted_by_reason(other: MakeRun) -> None:
    run = other(
        FITTING,
        {**FITTING, "pruning_strength": 0.5},
        {**FITTING, "weight_decay": 0.5},
        {**FITTING, "weight_decay": 0.01},  # its default
    )
    folder = run.trial_folder(9)
    folder.mkdir()
    fitting, misfits = known.fitting(small_study(), DIGEST, run)
    assert [(one.settings, one.point.trial) for one in fitting] == [(FITTING, 0), (FITTING, 3)]
    assert known.told(misfits) == (
        "1 with pruning_strength outside 0.0001 to 0.003, logarithmic, "
        "1 with weight_decay 0.5 instead of 0.01, 1 not trained to the end"
    )


def test_a_setting_that_this_study_fixes_must_be_the_same(other: MakeRun) -> None:
    run = other(FITTING, {**FITTING, "saturation_patience": 3})
    study = small_study(parameters={**PARAMETERS, "saturation_patience": 3})
    fitting, misfits = known.fitting(study, DIGEST, run)
    assert [one.point.trial for one in fitting] == [1] and misfits.total() == 1
    assert "saturation_patience" not in fitting[0].settings


def test_a_conditional_setting_is_taken_where_its_condition_holds(other: MakeRun) -> None:
    run = other(
        {"growth_trigger": "saturation"},
        {"growth_trigger": "periodic", "growth_period": 5},
        {"growth_trigger": "periodic", "growth_period": 9},
    )
    fitting, misfits = known.fitting(small_study(parameters=CONDITIONAL), DIGEST, run)
    assert [one.settings for one in fitting] == [
        {"growth_trigger": "saturation"},
        {"growth_trigger": "periodic", "growth_period": 5},
    ]
    assert misfits.total() == 1


@pytest.mark.parametrize(
    ("mine", "words"),
    [
        ({"network": "resnet"}, "has network grid-cnn, and this study resnet"),
        ({"epochs": 9}, "has epochs 3, and this study 9"),
        ({"training_images": 500}, "has training_images nothing, and this study 500"),
        ({"validation_images": 50}, "has validation_images nothing, and this study 50"),
        (
            {"sampler": "random"},
            "sampler random learns from no trials; .* --sampler tpe, nsgaii or gp",
        ),
        (
            {"parameters": {"growth_factor": [1.2]}},
            r"No trial of other can be told .*1 with .*--from-study out",
        ),
    ],
)
def test_a_study_of_other_work_is_refused(other: MakeRun, mine: dict[str, Any], words: str) -> None:
    run = other(FITTING)
    with pytest.raises(UserError, match=words):
        known.fitting(small_study(**mine), DIGEST, run)


@pytest.mark.parametrize(
    "mine",
    [
        {"objectives": ("accuracy", "training_macs")},
        {"objectives": ("accuracy", "parameters", "training_macs")},
        {"constraints": {"max_training_macs": 10**9}},
    ],
)
def test_a_cost_that_nobody_counted_is_not_taken_for_none(other: MakeRun, mine: dict[str, Any]) -> None:
    run, counted = other(FITTING, FITTING), a_point(trial=1, epoch=3, training_macs=10**6)
    History(run.trial_folder(1) / "history.jsonl").rewrite([counted])
    fitting, misfits = known.fitting(small_study(**mine), DIGEST, run)
    assert [one.point for one in fitting] == [counted]
    assert known.told(misfits) == "1 without training_macs"
    assert len(known.fitting(small_study(), DIGEST, run)[0]) == 2


def test_given_trainings_are_as_good_as_searched_ones(other: MakeRun) -> None:
    run = other(FITTING)
    (run.folder / "environment.json").unlink()
    (run.folder / "results.json").write_text(json.dumps({"trials": [{"data_digest": DIGEST}]}))
    assert len(known.fitting(small_study(), DIGEST, run)[0]) == 1


def test_other_data_and_a_study_without_trials_are_refused(other: MakeRun) -> None:
    run = other()
    with pytest.raises(UserError, match="not on the data of this study"):
        known.fitting(small_study(), "5678", run)
    with pytest.raises(UserError, match="it has none"):
        known.fitting(small_study(), DIGEST, run)


@pytest.mark.parametrize("sampler", ["tpe", "nsgaii", "gp"])
def test_known_trials_are_told_once_and_are_no_trials_of_the_study(held: BaseStorage, sampler: str) -> None:
    study = small_study(trials=6, sampler=sampler, constraints={"max_params": 55})
    given = Given(known=some_known(8))
    for done in range(3):
        ledger = driver(held, study, given)
        assert (ledger.originals, ledger.completed, ledger.left) == (done, done, 6 - done)
        ask = ledger.ask()
        assert ask is not None and ask.number == 8 + done
        assert ledger.complete(ask.number, a_point(trial=ask.number, epoch=3)) is None
    trials = storage.study(held, "desk").get_trials()
    assert [trial.user_attrs.get(FROM_STUDY) for trial in trials] == ["other"] * 8 + [None] * 3
    assert trials[7].constraints["max_params"] > 0 and trials[7].values == [0.5, pytest.approx(1.755875)]


def test_what_is_known_stands_for_spread_out_proposals(held: BaseStorage) -> None:
    study = small_study(trials=12, sampler="tpe")
    spread_out = coverage.proposals(study)
    warm = driver(held, study, Given(known=some_known(coverage.size(study) - 1)))
    first, second = asks(warm, 2)
    assert first.settings in spread_out and second.settings not in spread_out


def test_a_search_at_one_size_learns_from_what_is_known(held: BaseStorage, tmp_path: Path) -> None:
    """Small growth factors are the good ones, as the other study has found out."""
    study = small_study(trials=40)
    (tmp_path / "study.toml").write_text(study.to_toml())
    factors = [1.2 + place / 25 for place in range(20)]
    theirs = tuple(
        Known("other", {**FITTING, "growth_factor": factor}, _by_factor(place, factor))
        for place, factor in enumerate(factors)
    )
    ledger = driver(held, study, Given(known=theirs))
    standing = Standing(Run(tmp_path), Notes())
    ledger.attend(standing)
    asked = []
    for ask in asks(ledger, 12):
        asked.append(float(ask.settings["growth_factor"]))
        point = _by_factor(ask.number, asked[-1])
        standing.report(ask.number, [point], None)
        ledger.complete(ask.number, point)
    assert sum(factor < 1.5 for factor in asked) >= 10


def _by_factor(trial: int, factor: float) -> Point:
    accuracy = 0.95 if factor < 1.4 else 0.5 + factor / 100
    return a_point(trial=trial, epoch=3, parameters=500 + trial, validation_accuracy=accuracy)


def test_nsgaii_breeds_from_what_is_known(held: BaseStorage) -> None:
    """Enough known trials are a generation: what is new of a child is mutated, and the rest inherited."""
    study = small_study(
        trials=12, sampler="nsgaii", parameters={f"setting_{i}": list("abcdefgh") for i in range(9)}
    )
    alike = {f"setting_{i}": "c" for i in range(9)}
    given = Given(known=tuple(Known("other", alike, a_point(trial=i)) for i in range(4)))
    ledger = driver(held, study, given)
    children = [ask.settings for ask in asks(ledger, 4)]
    assert all(sum(value == "c" for value in child.values()) > 4 for child in children)


def asks(ledger: Ledger, count: int):
    for _ in range(count):
        ask = ledger.ask()
        assert ask is not None
        yield ask


def test_a_discrete_space_does_not_train_again_what_is_known(held: BaseStorage) -> None:
    parameters = {"kind": ["a", "b", "c"], "count": {"low": 1, "high": 9}}
    study = small_study(trials=5, sampler="tpe", parameters=parameters)
    spread_out = coverage.proposals(study)
    given = Given(known=tuple(Known("other", settings, a_point()) for settings in spread_out[:2]))
    ledger, seen = driver(held, study, given), []
    for ask in asks(ledger, 5):
        seen.append(ask.settings)
        ledger.complete(ask.number, a_point(trial=ask.number, epoch=3))
    assert [settings for settings in seen if settings in spread_out] == seen[:2]
    assert not [settings for settings in seen if settings in spread_out[:2]]


def test_configurations_come_first_and_leave_the_rest_to_the_sampler(held: BaseStorage) -> None:
    study = small_study(trials=4)
    given = Given(enqueued=(FITTING, {"growth_factor": 1.9}))
    ledger = driver(held, study, given)
    assert (ledger.originals, ledger.left) == (2, 4)
    first, second, third, last = asks(ledger, 4)
    assert first.settings == FITTING and second.settings["growth_factor"] == 1.9
    assert set(second.settings) == set(PARAMETERS) and third.settings not in (first.settings, second.settings)
    assert ledger.ask() is None and last.number == 3


def test_a_driver_that_dies_before_it_asks_loses_no_configuration(held: BaseStorage) -> None:
    study = small_study(trials=3)
    given = Given(enqueued=(FITTING, {"growth_factor": 1.9}))
    first = driver(held, study, given).ask()
    assert first is not None and first.settings == FITTING
    ledger = driver(held, study, given)  # the second one was in the memory of the first driver alone
    assert ledger.adopt() == [first] and ledger.left == 3
    ledger.fail(first.number, "bad luck")
    assert [ask.settings.get("growth_factor") for ask in asks(ledger, 2)] == [1.9, 1.5]
    trials = storage.study(held, "desk").get_trials()
    assert [trial.user_attrs.get(ENQUEUED) for trial in trials] == [0, 1, None]
    assert trials[0].state == TrialState.FAIL


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "first.toml"
        path.write_text(text)
        return path

    return write


def test_a_file_of_trainings_is_a_file_of_configurations(file: Callable[[str], Path]) -> None:
    path = file(
        'dataset = "mnist"\nepochs = 99\nseeds = [1, 2]\n'
        "[settings]\nsaturation_patience = 2\nweight_decay = 0.01\n"
        "[[trial]]\npruning_strength = 1e-3\n"
        "[[trial]]\nseeds = [7]\npruning_strength = 2e-3\ngrowth_factor = 2\n"
        "[[trial]]\npruning_strength = 1e-3\n"
    )
    assert enqueued.read(path, small_study()) == [
        {"saturation_patience": 2, "pruning_strength": 1e-3},
        {"saturation_patience": 2, "pruning_strength": 2e-3, "growth_factor": 2.0},
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "at least one is needed"),
        ("[[trail]]\n", "unknown key 'trail'; did you mean 'trial'"),
        ('method = "rigl"\n[[trial]]\n', "for method 'rigl', not 'gnap'"),
        ("[[trial]]\ngrowth_factr = 2\n", "Unknown setting 'growth_factr'; did you mean 'growth_factor'"),
        (
            "[[trial]]\n[[trial]]\ngrowth_factor = 3\n",
            r"\[\[trial\]\] 2: growth_factor = 3.0 is outside 1.2 to 2.0",
        ),
        (
            "[[trial]]\nweight_decay = 0.5\n",
            "weight_decay = 0.5 is not what the study has fixed, which is 0.01",
        ),
        ("[[trial]]\ngrowth_factor = [1.5]\n", "is not one value"),
    ],
)
def test_a_file_that_does_not_suit_the_study_is_refused(
    file: Callable[[str], Path], text: str, words: str
) -> None:
    with pytest.raises(UserError, match=words) as refusal:
        enqueued.read(file(text), small_study())
    assert "first.toml" in str(refusal.value)


def test_a_setting_whose_condition_does_not_hold_is_refused(file: Callable[[str], Path]) -> None:
    study = small_study(parameters=CONDITIONAL)
    assert enqueued.read(file("[[trial]]\ngrowth_period = 4\n"), study) == [{"growth_period": 4}]
    with pytest.raises(UserError, match="counts only when growth_trigger is periodic"):
        enqueued.read(file('[[trial]]\ngrowth_trigger = "saturation"\ngrowth_period = 4\n'), study)


def test_what_is_gathered_is_said_and_kept(
    tmp_path: Path, other: MakeRun, file: Callable[[str], Path]
) -> None:
    run, notes, folder = other(FITTING, {}), Notes(), tmp_path / "one"
    sources = Sources(run, file("[[trial]]\ngrowth_factor = 1.5\n"))
    given = Gathering(small_study(), folder, notes).gather(sources, DIGEST)
    assert notes.messages == [
        "The sampler is told 1 of the 2 trials of other; left out: 1 with pruning_strength outside "
        "0.0001 to 0.003, logarithmic.",
        f"Of the configurations of {sources.file}, 1 come first.",
    ]
    folder.mkdir()
    given.keep(folder)
    assert Given.read(folder) == given == given.and_more(given)
    Gathering(small_study(), folder, notes).gather(sources, DIGEST)
    assert "1 of them from before" in notes.messages[2] and notes.messages[3].endswith(
        "0 come first; 1 were given before."
    )


def test_more_configurations_than_trials_and_the_study_itself_are_refused(
    tmp_path: Path, other: MakeRun, file: Callable[[str], Path]
) -> None:
    path = file("".join(f"[[trial]]\ngrowth_factor = 1.{i}\n" for i in range(2, 8)))
    gathering = Gathering(small_study(), tmp_path / "one", Notes())
    with pytest.raises(UserError, match=r"has 4 trials, 0 of them asked .* ask for --trials 6 or more"):
        gathering.gather(Sources(file=path), DIGEST)
    run = other(FITTING)
    with pytest.raises(UserError, match="is this study itself"):
        Gathering(small_study(), run.folder, Notes()).gather(Sources(run), DIGEST)


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "given.json").write_text("{")
    with pytest.raises(UserError, match=r"given\.json is damaged"):
        Given.read(tmp_path)

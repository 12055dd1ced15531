"""A trial in its folder: killed anywhere, it goes on; what cannot be read, it says."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import pytest
import torch

from gnap_search.contracts import Data
from gnap_search.errors import CorruptCheckpoint, TrialError, UserError
from gnap_search.front import dominates
from gnap_search.results import History, Point
from gnap_search.structure import model as models
from gnap_search.tasks import classification
from gnap_search.training import checkpoint, evaluate
from gnap_search.training import trial as trials
from gnap_search.training.plan import Plan, check_settings
from gnap_search.training.trainer import Trainer
from gnap_search.training.trial import Trial

PLAN = Plan(4, "digits", "gnap", "plain-cnn", "classification", 5, 7, ("affine",), {"pruning_strength": 1e-3})


def timeless(points: list[Point]) -> list[Point]:
    return [dataclasses.replace(point, seconds=0.0) for point in points]


def killed(*_: object) -> None:
    raise KeyboardInterrupt


def advance(trial: Trial, epochs: int) -> None:
    for _ in range(epochs):
        trial.advance()


def finished(trial: Trial) -> Trial:
    while not trial.finished:
        trial.advance()
    return trial


def check_same(trial: Trial, whole: Trial) -> None:
    """One history, and the networks of one front."""
    assert timeless(list(History(trial.folder / "history.jsonl"))) == timeless(whole.points)
    front = [p for p in whole.points if not any(dominates(other, p) for other in whole.points)]
    for point in front:
        name = f"models/{point.epoch}.safetensors"
        assert (trial.folder / name).read_bytes() == (whole.folder / name).read_bytes()


def written(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(autouse=True)
def rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    """No checkpoint by time, however slow the machine is; tests ask for those that they want."""
    monkeypatch.setattr(trials, "INTERVAL", 1000)


@pytest.fixture(scope="module")
def whole(small_digits: Data, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """A trial that nothing disturbed."""
    return finished(Trial(PLAN, small_digits, tmp_path_factory.mktemp("whole")))


def test_the_folder_tells_everything(whole: Trial) -> None:
    lines = (whole.folder / "history.jsonl").read_text().splitlines()
    asked = {"epoch", "parameters", "weights", "macs", "validation_accuracy", "seconds"}
    assert all(asked <= json.loads(line).keys() for line in lines)
    assert list(History(whole.folder / "history.jsonl")) == whole.points
    assert Plan.from_json((whole.folder / "plan.json").read_text()) == PLAN


def test_a_kept_network_scores_what_its_point_says(whole: Trial, small_digits: Data) -> None:
    kept = {int(path.stem): path for path in (whole.folder / "models").iterdir()}
    front = [p for p in whole.points if not any(dominates(other, p) for other in whole.points)]
    assert {point.epoch for point in front} <= kept.keys()
    for point in front:
        model, notes = models.load(kept[point.epoch])
        assert evaluate.accuracy(model, small_digits.validation, classification) == point.validation_accuracy
        assert notes["point"] == point.id


def test_the_networks_of_wanted_epochs_stay_whatever_they_are_worth(
    whole: Trial, small_digits: Data, tmp_path: Path
) -> None:
    every = range(1, PLAN.epochs + 1)
    trial = finished(Trial(PLAN, small_digits, tmp_path, kept=every))
    assert sorted(int(path.stem) for path in (tmp_path / "models").iterdir()) == list(every)
    for point in trial.points:
        model, _ = models.load(tmp_path / "models" / f"{point.epoch}.safetensors")
        assert evaluate.accuracy(model, small_digits.validation, classification) == point.validation_accuracy
    check_same(trial, whole)


@pytest.mark.parametrize("before", ["network", "history", "checkpoint", "nothing"])
@pytest.mark.parametrize("kept", [0, 2])
def test_killed_between_any_two_writes_it_goes_on_as_if_nothing_had_happened(
    whole: Trial,
    small_digits: Data,
    tmp_path: Path,
    before: str,
    kept: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trial = Trial(PLAN, small_digits, tmp_path)
    advance(trial, kept)
    if kept:
        trial.keep()
    advance(trial, 2)
    writers = {
        "network": (models.Snapshot, "save"),
        "history": (History, "append"),
        "checkpoint": (checkpoint, "save"),
        "nothing": (trial, "keep"),
    }
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(*writers[before], killed)
        trial.keep()
    again = Trial(PLAN, small_digits, tmp_path)
    assert again.notice is None
    assert (len(again.points), len(again.told)) == (kept, kept + 2 if before == "checkpoint" else kept)
    check_same(finished(again), whole)


def test_epochs_that_were_told_before_a_kill_are_trained_again_and_written_once(
    whole: Trial, small_digits: Data, tmp_path: Path
) -> None:
    trial = Trial(PLAN, small_digits, tmp_path)
    advance(trial, 3)
    trial.tell()
    files = written(tmp_path)
    again = Trial(PLAN, small_digits, tmp_path)
    advance(again, 3)
    again.tell()
    assert written(tmp_path) == files
    assert timeless(again.points) == timeless(again.told)
    check_same(finished(again), whole)


def test_a_cut_line_of_history_is_told_again(whole: Trial, small_digits: Data, tmp_path: Path) -> None:
    trial = Trial(PLAN, small_digits, tmp_path)
    advance(trial, 2)
    trial.tell()
    history = tmp_path / "history.jsonl"
    history.write_bytes(history.read_bytes()[:-9])
    again = Trial(PLAN, small_digits, tmp_path)
    assert [point.epoch for point in again.told] == [1]
    check_same(finished(again), whole)


def test_checkpoints_go_by_time(small_digits: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "checkpoint.safetensors"
    trial = Trial(PLAN, small_digits, tmp_path)
    advance(trial, 4)
    assert not path.exists()
    advance(trial, 1)
    assert trial.finished and path.exists()
    path.unlink()
    monkeypatch.setattr(trials, "INTERVAL", 0)
    advance(Trial(PLAN, small_digits, tmp_path), 1)
    assert path.exists()


def test_an_epoch_that_fails_takes_no_earlier_one_with_it(
    whole: Trial, small_digits: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = Trial(PLAN, small_digits, tmp_path)
    advance(trial, 3)
    monkeypatch.setattr(Trainer, "epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        trial.advance()
    assert timeless(list(History(tmp_path / "history.jsonl"))) == timeless(whole.points[:3])
    front = [p for p in trial.told if not any(dominates(other, p) for other in trial.told)]
    assert all((tmp_path / "models" / f"{point.epoch}.safetensors").exists() for point in front)


def test_a_corrupt_checkpoint_restarts_the_trial_and_says_so(
    whole: Trial, small_digits: Data, tmp_path: Path
) -> None:
    trial = Trial(PLAN, small_digits, tmp_path)
    trial.advance()
    trial.keep()
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    again = Trial(PLAN, small_digits, tmp_path)
    assert again.notice is not None
    assert "trial 4 starts again" in again.notice
    assert again.points == []
    again.advance()
    assert timeless(again.points) == timeless(whole.points[:1])


def test_a_training_on_other_data_is_not_gone_on_with(small_digits: Data, tmp_path: Path) -> None:
    trial = Trial(PLAN, small_digits, tmp_path)
    trial.advance()
    trial.keep()
    before = written(tmp_path)
    with pytest.raises(UserError, match=r"holds a training on other data \(digest .*, now 0123456789ab\)"):
        Trial(PLAN, dataclasses.replace(small_digits, digest="0123456789abcdef"), tmp_path)
    assert written(tmp_path) == before


def test_one_flipped_bit_is_found(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    checkpoint.save(path, {"a": torch.arange(1000.0)}, {"widths": {}})
    content = bytearray(path.read_bytes())
    content[-7] ^= 1
    path.write_bytes(content)
    with pytest.raises(CorruptCheckpoint, match="digest"):
        checkpoint.load(path)


def test_a_loss_that_is_no_number_ends_the_trial_with_its_reason(small_digits: Data, tmp_path: Path) -> None:
    plan = dataclasses.replace(PLAN, settings={"learning_rate": 100, "weight_decay": 10})
    trial = Trial(plan, small_digits, tmp_path)
    with pytest.raises(TrialError, match=r"the training loss became (nan|inf) in epoch"):
        finished(trial)


def test_a_network_that_has_overflowed_is_no_result(few_digits: Data) -> None:
    training = Trainer(PLAN, few_digits)
    statistics = [value for name, value in training.model.named_buffers() if name.endswith("running_var")]
    statistics[0][0] = math.inf  # which no loss in training shows, and none of the plain network's need to
    with pytest.raises(TrialError, match="the network has numbers that are not finite after epoch 1"):
        training.epoch()
    assert not training.points


def test_a_validation_loss_that_is_no_number_is_no_result(
    few_digits: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "measure", lambda *_: (0.1, math.nan))
    training = Trainer(PLAN, few_digits)
    with pytest.raises(TrialError, match="the validation loss became nan in epoch 1"):
        training.epoch()
    assert not training.points


def test_a_process_that_lost_the_study_writes_nothing(small_digits: Data, tmp_path: Path) -> None:
    owned = True
    trial = Trial(PLAN, small_digits, tmp_path, owned=lambda: owned)
    trial.advance()
    trial.keep()
    trial.advance()
    before = written(tmp_path)
    owned = False
    for write in (trial.tell, trial.keep):
        with pytest.raises(TrialError, match="another process"):
            write()
    assert written(tmp_path) == before


def test_training_threads_leave_the_global_random_state_alone(small_digits: Data) -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    Trainer(PLAN, small_digits).epoch()
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"prunning_strength": 1}, "did you mean 'pruning_strength'"),
        ({"growth_factor": 0.5}, "below its least value"),
        ({"saturation_patience": 1.5}, "not a whole number"),
        ({"growth_trigger": "sometimes"}, "not one of"),
        ({"learning_rate": "fast"}, "not a number"),
    ],
)
def test_settings_that_no_trial_could_use_are_refused(
    settings: dict[str, float | str], sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        check_settings("gnap", settings)

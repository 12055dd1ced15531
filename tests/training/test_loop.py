"""Given trainings without a search: killed and begun again, in processes, where little is installed."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from PIL import Image

import gnap_search
from gnap_search import datasets
from gnap_search.comparison import compare
from gnap_search.confirmation import Spread
from gnap_search.contracts import Data
from gnap_search.errors import UserError
from gnap_search.repeats import repeated
from gnap_search.results import History
from gnap_search.runs import Run
from gnap_search.training import loop, standalone, summary
from gnap_search.training.__main__ import main
from gnap_search.training.configurations import Configurations
from gnap_search.training.loop import Errand
from gnap_search.training.plan import Plan
from gnap_search.training.trial import Trial

PLAN = Plan(0, "digits", "gnap", "plain-cnn", "classification", 2, 0, None, {"pruning_strength": 1e-3})
ASKED = """
dataset = "digits"
epochs = {epochs}
seeds = [0, 1]
[[trial]]
pruning_strength = 1e-3
[[trial]]
{settings}
seeds = [0]
"""
MISSING = ("ray", "optuna", "pydantic", "tomli_w", "typer", "rich", "matplotlib", "scipy", "platformdirs")
BARE = f"""
import sys
from importlib.abc import MetaPathFinder

class Missing(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {MISSING}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
"""
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def errand(tmp_path: Path, small_digits: Data, monkeypatch: pytest.MonkeyPatch) -> Errand:
    """A training of a few digits, in this process."""
    monkeypatch.setattr(Errand, "load", lambda *_, **__: small_digits)
    return Errand(PLAN, tmp_path / "trials" / "0", tmp_path, "cpu")


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Words of its command line -> the program, on its way where only a few libraries can be imported."""
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "sitecustomize.py").write_text(BARE)

    def starts(*words: str) -> subprocess.Popen[str]:
        places = [str(tmp_path / "bare"), str(Path(gnap_search.__path__[0]).parent)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places), "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            [sys.executable, "-m", "gnap_search.training", *words],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return starts


def asked(folder: Path, epochs: int = 2, settings: str = "") -> str:
    (folder / "asked.toml").write_text(ASKED.format(epochs=epochs, settings=settings))
    return str(folder / "asked.toml")


def test_a_training_leaves_all_that_is_worth_knowing(errand: Errand, small_digits: Data) -> None:
    assert errand.result is None
    loop.train(errand)
    result = errand.result
    assert result is not None
    points = list(History(errand.folder / "history.jsonl"))
    assert result["history"] == [vars(point) for point in points]
    assert (result["point"], result["parameters"]) == ("0-2", points[-1].parameters)
    assert result["validation_accuracy"] == points[-1].validation_accuracy
    assert 0 < result["test_accuracy"] <= 1 and result["data_digest"] == small_digits.digest
    assert result["settings"] == PLAN.settings and result["versions"]["torch"]
    assert result["machine"]["processors"] >= 1 and result["device"] == result["machine"]["processor"]
    assert (errand.folder / "model.safetensors").is_file()


def test_it_may_be_on_a_part_of_the_images(tmp_path: Path) -> None:
    plan = dataclasses.replace(PLAN, epochs=1, training_images=100, validation_images=50)
    errand = Errand(plan, tmp_path / "trials" / "0", tmp_path, "cpu")
    loop.train(errand)
    summary.describe(Configurations((plan,)), tmp_path)
    study = Run(tmp_path).study
    assert errand.result is not None and (study.training_images, study.validation_images) == (100, 50)
    part = datasets.load("digits", training_images=100, validation_images=50)
    assert (errand.result["training_images"], errand.result["data_digest"]) == (100, part.digest)
    with pytest.raises(UserError, match="holds a training with training_images 100, not None"):
        standalone.refuse_other_plan(dataclasses.replace(plan, training_images=None), errand.folder)


def test_one_that_was_broken_off_goes_on(errand: Errand, small_digits: Data) -> None:
    trial = Trial(PLAN, small_digits, errand.folder)
    trial.advance()
    trial.keep()
    loop.train(errand)
    whole = dataclasses.replace(errand, folder=errand.folder.with_name("whole"))
    loop.train(whole)
    assert errand.result is not None and whole.result is not None
    for key in ("parameters", "validation_accuracy", "test_accuracy"):
        assert errand.result[key] == whole.result[key]


def test_one_that_has_finished_is_not_repeated(errand: Errand) -> None:
    loop.train(errand)
    assert list(loop.run([errand], workers=1)) == []


@pytest.mark.parametrize(
    ("problem", "told"),
    [(UserError("no data"), "no data"), (MemoryError("of 3 GiB\n(advice)"), "MemoryError: of 3 GiB")],
)
def test_why_a_process_failed_is_left_behind(
    errand: Errand, monkeypatch: pytest.MonkeyPatch, problem: Exception, told: str
) -> None:
    def fail(_: Errand) -> None:
        raise problem

    monkeypatch.setattr(loop, "train", fail)
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # Ctrl-C goes on ending the tests
    with pytest.raises((SystemExit, MemoryError)):
        loop._work(errand)
    assert errand.failure == told


@pytest.mark.parametrize("file", ["plan.json", "result.json"])
def test_a_full_disk_ends_a_training_in_a_sentence(
    errand: Errand, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    errand.folder.mkdir(parents=True)
    (errand.folder / f"{file}.draft").symlink_to("/dev/full")
    with pytest.raises(SystemExit):
        loop._work(errand)
    assert errand.failure == (
        f"Cannot write {errand.folder}: No space left on device; mend that, or name another --out."
    )
    (errand.folder / "error.txt").write_text("")  # what a disk leaves that is as full as that
    assert errand.failure == loop.NO_REASON


def test_one_folder_has_trainings_on_one_data_set(
    errand: Errand, small_digits: Data, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    loop.train(errand)
    out = errand.folder.parents[1]
    (out / "asked.toml").write_text(
        'dataset = "digits"\nnetwork = "plain-cnn"\nepochs = 2\n[[trial]]\npruning_strength = 1e-3\n'
    )
    changed = dataclasses.replace(small_digits, digest="0123456789abcdef")
    monkeypatch.setattr(Errand, "load", lambda *_, **__: changed)
    assert main([str(out / "asked.toml"), "--out", str(out)]) == 2
    assert "Trial 0 was trained on other data" in capsys.readouterr().err


def test_the_table_has_means_over_seeds() -> None:
    results = [
        {
            "trial": seed,
            "method": "gnap",
            "epochs": 7,
            "settings": {"growth_factor": 2.0},
            "validation_accuracy": 0.9,
            "test_accuracy": accuracy,
            "parameters": 1_000 + seed,
            "seconds": 60.0,
        }
        for seed, accuracy in enumerate((0.88, 0.90))
    ]
    heading, row = summary.table(results).splitlines()
    assert heading.split()[:2] == ["trials", "validation"]
    for word in ("0, 1", "90.00", "89.00 ± 1.41", "1,000", "1.0", "gnap, 7 epochs, growth_factor 2.0"):
        assert word in row
    assert summary.table([]).count("\n") == 1


def test_the_same_settings_are_one_configuration_wherever_they_stand() -> None:
    settings = [{"a": 1, "b": 2}, {"a": 2}, {"b": 2, "a": 1}]
    results = [
        {"trial": trial, "method": "gnap", "epochs": 3, "settings": chosen, "x": trial}
        for trial, chosen in enumerate(settings)
    ]
    first, second = repeated(results)
    assert (first.of_each("trial"), first.seeds, second.seeds) == ([0, 2], 2, 1)
    assert [one.epochs for one in repeated([results[0], {**results[2], "epochs": 4}])] == [3, 4]
    assert first.spread("x") == Spread(1.0, pytest.approx(2**0.5))
    assert second.spread("x") == Spread(1.0, None)


def test_it_trains_where_standard_output_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert main([asked(tmp_path, epochs=1), "--out", str(tmp_path / "out")]) == 0
    assert len(Run(tmp_path / "out").results) == 3


def test_a_pipe_that_nobody_reads_is_no_folder_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(BrokenPipeError), standalone.writing(tmp_path, loop.OTHERWISE):
        raise BrokenPipeError


def test_a_folder_has_one_loop_at_a_time(tmp_path: Path) -> None:
    with (
        loop.sole(tmp_path / "out"),
        pytest.raises(UserError, match="Another process trains"),
        loop.sole(tmp_path / "out"),
    ):
        pass
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Cannot write"), loop.sole(tmp_path / "file"):
        pass


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing.toml"], "Cannot read nothing.toml"),
        (["asked.toml", "--workers", "0"], "--workers 0 should be above 0."),
        (["asked.toml", "--device", "gpu"], "Unknown device 'gpu'"),
        (["photos.toml"], "There is no folder ./photos"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_nothing_is_written(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: Sequence[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    asked(tmp_path)
    Path("photos.toml").write_text('dataset = "./photos"\nepochs = 1\n[[trial]]\n')
    assert main([*words, "--out", "out"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("python -m gnap_search.training: ") and said in told and told.count("\n") == 1
    assert not Path("out").exists()


def test_what_was_read_is_told_and_nothing_is_written_among_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loop, "run", lambda *_: iter(()))
    for name in "ab":
        Path("photos", name).mkdir(parents=True)
        for number in range(9):
            Image.new("L", (8, 8), number).save(Path("photos", name, f"{number}.png"))
    Path("asked.toml").write_text('dataset = "./photos"\nepochs = 1\n[[trial]]\n')
    assert main(["asked.toml", "--out", "photos/out"]) == 2
    assert "would be read as a class; name another place with --out." in capsys.readouterr().err
    assert not Path("photos/out").exists()
    assert main(["asked.toml", "--out", "out"]) == 0
    assert capsys.readouterr().out.startswith("./photos: 2 classes, 12/3/3 images of 1 x 8 x 8 for training")


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_it_runs_where_little_is_installed_and_a_study_s_folder_is_left(tmp_path: Path, start: Start) -> None:
    command = (asked(tmp_path), "--out", "runs/given", "--workers", "2")
    program = start(*command)
    output, errors = program.communicate()
    assert (program.returncode, errors) == (0, "")
    assert "3 of 3 trainings finished" in output and "0, 1" in output
    results = json.loads((tmp_path / "runs" / "given" / "results.json").read_text())
    assert [trial["trial"] for trial in results["trials"]] == [0, 1, 2] and not results["failures"]

    run = Run(tmp_path / "runs" / "given")
    assert run.test_accuracies == {trial["point"]: trial["test_accuracy"] for trial in results["trials"]}
    assert len(list(run.points())) == 6 and run.front().points
    (tmp_path / "runs" / "other").symlink_to(run.folder)
    assert compare([run, Run(tmp_path / "runs" / "other")]).stretches()

    again = start(*command)
    assert "seed" not in again.communicate()[0], "nothing is trained again"
    other = start(asked(tmp_path, epochs=3), *command[1:])
    assert "holds a training with epochs 2, not 3" in other.communicate()[1] and other.returncode == 2


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_ended_from_outside_it_goes_on_and_a_failure_is_told(tmp_path: Path, start: Start) -> None:
    diverging = "learning_rate = 100\nweight_decay = 10"
    command = (asked(tmp_path, 10, diverging), "--out", "out")
    program = start(*command)
    history = tmp_path / "out" / "trials" / "0" / "history.jsonl"
    while not (history.is_file() and history.read_text()):
        assert program.poll() is None
        time.sleep(0.1)
    program.send_signal(signal.SIGTERM)
    assert "interrupted; the same command goes on" in program.communicate()[1]
    assert program.returncode == 130
    told = history.read_text().splitlines()

    program = start(*command, "--workers", "2")
    output, _ = program.communicate()
    assert history.read_text().splitlines()[: len(told)] == told, "no epoch is trained anew"
    assert "trial 2 failed: the training loss became" in output and "2 of 3 trainings finished" in output
    assert program.returncode == 1
    assert list(json.loads((tmp_path / "out" / "results.json").read_text())["failures"]) == ["2"]

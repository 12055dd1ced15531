"""Bad input: one sentence, exit code 2, nothing written."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from typer.testing import Result

from gnap_search import spec
from tests import names

Run = Callable[..., Result]

REFUSED = [
    (["pareto", "--dataset", "mnits"], "Unknown data set 'mnits'; did you mean 'mnist'?"),
    (["pareto", "--dataset", "./photos"], "There is no folder ./photos"),
    (["pareto", "--dataset", "~nobody-here/x"], "There is no folder ~nobody-here/x"),
    (["pareto", "--dataset", "x" * 300], "Unknown data set 'xxx"),
    (["pareto", "--method", "gnp"], "unknown method 'gnp'; did you mean 'gnap'?"),
    (["pareto", "--method", ","], "method should be a method's name, or several with a comma between"),
    (["pareto", "--objectives", "accuracy,foo"], "'foo'; known: macs, parameters, training_macs.\n"),
    (["pareto", "--network", "plain-cn"], "unknown network 'plain-cn'; did you mean 'plain-cnn'?"),
    (["pareto", "--search-space", "gnp"], "Unknown search space 'gnp'; did you mean 'gnap'?"),
    (["pareto", "--from", "mnits"], "Unknown study 'mnits'; did you mean 'mnist'?"),
    (
        ["pareto", "--sampler", "tp"],
        "sampler = 'tp': should be 'tpe', 'nsgaii', 'gp', 'random' or 'qmc'.",
    ),
    (["pareto", "--trials", "0"], "trials = 0: should be greater than 0."),
    (["pareto", "--epochs", "0"], "epochs = 0: should be greater than 0."),
    (["pareto", "--seed", "-1"], "seed = -1: should be greater than or equal to 0."),
    (["pareto", "--max-params", "0"], "constraints.max_params = 0: should be greater than 0."),
    (
        ["pareto", "--min-accuracy", "95"],
        "constraints.min_accuracy = 95.0: should be less than or equal to 1; it goes from 0 to 1, 0.98 for",
    ),
    (
        ["pareto", "--min-accuracy", "-0.1"],
        "constraints.min_accuracy = -0.1: should be greater than or equal",
    ),
    (["pareto", "--augmentation", "crop,fip"], "fip"),
    (["pareto", "--image-size", "4"], "image_size = 4: should be greater than or equal to 8."),
    (["pareto", "--image-size", "16"], "only a folder's images are resized"),
    (["pareto", "--training-images", "1"], "training_images = 1: should be greater than or equal to 2."),
    (["pareto", "--training-images", "1078"], "training_images = 1078 should be from 10, one for each class"),
    (["train", "--training-images", "1078"], "to 1077, all that there are to train on."),
    (
        ["pareto", "--validation-images", "361"],
        "validation_images = 361 should be from 10, one for each class",
    ),
    (["train", "--validation-images", "9"], "to 360, all that are set aside to choose by."),
    (["pareto", "--trails", "3"], "`pareto` has no flag '--trails'; did you mean '--trials'?"),
    (["pareto", "--workers=2"], "`pareto` has no flag '--workers'; did you mean '--cpus-per-trial'?"),
    (["list", "--workers=2"], "`list` has no flag '--workers'; `gnap-search list --help` lists all."),
    (["pareto", "--pruning-strength", "1e-6"], "it is a setting, which `--set pruning_strength=VALUE` fixes"),
    (["compare", "~nobody-of-that-name/x", "y"], "'~nobody-of-that-name/x' cannot name a study"),
    (["front", "mine", "--mean"], "`front` has no flag '--mean'"),
    (["pareto", "--set", "growth_factor"], "--set 'growth_factor' should be key=value"),
    (["pareto", "--set", "growth_factr=2"], "Unknown setting 'growth_factr'; did you mean 'growth_factor'?"),
    (["pareto", "--set", "growth_factor=3..2"], "low 3 is above high 2: swap them."),
    (["pareto", "--set", "growth_factor=a..b"], "should be a finite number"),
    (["pareto", "--set", "growth_factor=0.1..2"], "growth_factor = 0.1 is below its least value 1."),
    (["pareto", "--set", "seed_depth=0.5"], "seed_depth counts only in a network with blocks"),
    (["pareto", "--method", "gnap,rigl", "--set", "depth_growth=always"], "gnap.depth_growth counts only"),
    (["train", "--depth-growth", "always"], "depth_growth counts only in a network with blocks"),
    (["pareto", "--study", "../x"], "'../x' cannot name a study"),
    (["pareto", "--study", "a/b"], "'a/b' cannot name a study"),
    (["pareto", "--timeout", "soon"], "timeout = 'soon' should be a number of seconds, or a time like 90s"),
    (["pareto", "--patience-trials", "-1"], "patience_trials = -1: should be greater than or equal to 0."),
    (["pareto", "--cpus-per-trial", "0"], "cpus_per_trial = 0.0: should be greater than 0."),
    (["pareto", "--cpus-per-trial", "inf"], "cpus_per_trial = inf: should be a finite number."),
    (["pareto", "--gpus-per-trial", "inf"], "gpus_per_trial = inf: should be a finite number."),
    (["pareto", "--timeout", "9" * 400 + "h"], "timeout = 'inf' should be a number of seconds"),
    (["pareto", "--set", "growth_factor=1.." + "9" * 400], ": should have at most 308 digits."),
    (
        ["pareto", "--set", "growth_factor=" + "9" * 400],
        "growth_factor is too large: a number has at most 308",
    ),
    (["pareto", "--cpus-per-trial", "1.5"], "should be a whole number, or a share of one"),
    (["pareto", "--cpus-per-trial", "1e-320"], "should be a whole number, or a share of one"),
    (["pareto", "--cpus-per-trial", "4096"], "--cpus-per-trial 4096 is too much"),
    (["pareto", "--gpus-per-trial", "99"], "--gpus-per-trial 99 is too much"),
    (["pareto", "--storage", "nonsense://x"], "--storage nonsense://x cannot be used"),
    (
        ["pareto", "--storage", "postgresql+psycopg://me:p@ss:word@host/db"],
        "--storage postgresql+psycopg://me@host/db cannot be used (its port is no number)",
    ),
    (["pareto", "--dataset", "mnist", "--data-root", "nowhere", "--no-download"], "nowhere"),
    (["pareto", "--address", "ray://host:10001"], "call gnap-search on a node of the cluster"),
    (["pareto", "--from-study", "nothing"], "There is no study 'nothing' in runs"),
    (["pareto", "--from-study", "some/where"], "There is no study in some/where; name one of runs"),
    (["pareto", "--enqueue", "nothing.toml"], "Cannot read nothing.toml: No such file or directory."),
    (["resume", "nothing"], "There is no study 'nothing' in runs"),
    (["resume", "../x"], "'../x' cannot name a study"),
    (["front", "x" * 300], "cannot name a study"),
    (["pareto", "--from-study", "x" * 300], "cannot name a study"),
    (
        ["show", "mnits"],
        "There is no study in runs and nothing in the catalog named 'mnits'; did you mean 'mnist'?",
    ),
    (["front", "nothing"], "There is no study 'nothing'"),
    (["front", "nothing", "--configurations", "new.toml"], "There is no study 'nothing'"),
    (["export", "nothing"], "There is no study 'nothing'"),
    (["confirm", "nothing"], "There is no study 'nothing'"),
    (["publish", "nothing", "-o", "new"], "There is no study 'nothing'"),
    (["evaluate", "nothing.onnx"], "There is no model file nothing.onnx."),
    (["evaluate", "file.toml"], "no model format has"),
    (["evaluate", "x" * 300 + ".onnx"], "There is no model file xxx"),
    (["check", "x" * 300 + ".toml"], "x.toml: File name too long."),
    (["copy", "mnist", "x" * 300], "its name is too long for a file's; choose another."),
    (["pareto", "--from", "x" * 300], "its name is too long for a file's; choose another."),
    (["studies", "--runs", "x" * 300], "its name is too long for a file's; choose another."),
    (["evaluate", "x.onnx", "--split", "tset"], "Unknown split 'tset'"),
    (["evaluate", "x.onnx", "--image-size", "0"], "image_size = 0: should be greater than or equal to 8."),
    (["evaluate", "x.onnx", "--image-size", "-3"], "image_size = -3: should be greater than or equal to 8."),
    (["evaluate", "x.onnx", "--image-size", "513"], "image_size = 513: should be less than or equal to 512."),
    (["train", "--image-size", "-3"], "image_size = -3: should be greater than or equal to 8."),
    (
        ["train", "--pruning-strenth", "3"],
        "Unknown setting 'pruning_strenth'; did you mean 'pruning_strength'?",
    ),
    (["train", "--pruning-strength", "-1"], "pruning_strength = -1 is below its least value 0."),
    (["train", "--pruning-strength"], "--pruning-strength needs a value."),
    (["train", "--set", "pruning-strength=-1"], "pruning_strength = -1 is below its least value 0."),
    (["train", "--set=pruning_strength=-1"], "pruning_strength = -1 is below its least value 0."),
    (["train", "--set", "pruning_strength"], "--set should be followed by key=value."),
    (["train", "--epoch", "3"], "Unknown flag '--epoch'; did you mean '--epochs'?"),
    (["train", "mnist"], "Unknown flag 'mnist'"),
    (["train", "--device", "gpu"], "Unknown device 'gpu': it should be cpu or cuda; CUDA_VISIBLE_DEVICES"),
    (["train", "--network", "resnt"], "unknown network 'resnt'; did you mean 'resnet'?"),
    (["train", "-o", "file.toml/x"], "Cannot write file.toml/x: Not a directory"),
    (["copy", "mnits"], "Unknown study or search space 'mnits'; did you mean 'mnist'?"),
    (["copy", "mnist", "file.toml"], "file.toml exists"),
    (["check", "file.toml"], "file.toml: unknown key 'trails'; did you mean 'trials'?"),
    (["check", "nothing.toml"], "Cannot read nothing.toml: No such file or directory."),
]


@pytest.mark.parametrize(("words", "said"), REFUSED, ids=[" ".join(words) for words, _ in REFUSED])
def test_one_sentence_and_nothing_written(run: Run, elsewhere: Path, words: Sequence[str], said: str) -> None:
    (elsewhere / "file.toml").write_text('dataset = "mnist"\ntrails = 3\n')
    result = run(*words, exit_code=2)
    assert result.stderr.startswith("gnap-search: ") and said in result.stderr
    assert result.stderr.count("\n") == 1, "one line"
    assert [path.name for path in elsewhere.rglob("*")] == ["file.toml"]


@pytest.mark.parametrize(
    ("words", "flag"),
    [
        (["pareto", "--dataset", "."], "--runs"),
        (["pareto", "--dataset", ".", "--runs", "a/runs"], "--runs"),
        (["train", "--dataset", "."], "--runs"),
        (["train", "--dataset", ".", "-o", "out", "--runs", "../runs"], "--directory"),
    ],
)
def test_a_study_does_not_become_a_class_of_its_data(
    run: Run, elsewhere: Path, words: Sequence[str], flag: str
) -> None:
    (elsewhere / "a").mkdir()
    (elsewhere / "b").mkdir()
    result = run(*words, exit_code=2)
    assert f"would be read as a class; name another place with {flag}." in result.stderr
    assert result.stderr.count("\n") == 1
    assert sorted(path.name for path in elsewhere.rglob("*")) == ["a", "b"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["pareto", "--trials", "many"], "--trials"),
        (["pareto", "--trails", "3"], "--trials"),
        (["paretto"], "pareto"),
        (["resume"], "NAME"),
    ],
)
def test_words_that_are_no_command_are_refused(
    run: Run, elsewhere: Path, words: Sequence[str], said: str
) -> None:
    assert said in run(*words, exit_code=2).stderr
    assert not list(elsewhere.iterdir())


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        (
            ("--min-accuracy", "98"),
            "min_accuracy = 98.0: should be less than or equal to 1; it goes from 0 to 1",
        ),
        (("--max-params", "0"), "max_params = 0: should be greater than 0."),
        (("--max-macs", "-1"), "max_macs = -1: should be greater than 0."),
    ],
)
@pytest.mark.parametrize("verb", ["front", "export", "publish", "report", "confirm"])
def test_limits_of_a_finished_study_are_refused_in_one_sentence(
    run: Run, elsewhere: Path, verb: str, limit: tuple[str, str], said: str
) -> None:
    folder = elsewhere / "runs" / "done"
    folder.mkdir(parents=True)
    (folder / "study.toml").write_text('dataset = "mnist"\n')
    (folder / "launch.toml").write_text("")
    result = run(verb, "done", *limit, exit_code=2)
    assert said in result.stderr and result.stderr.count("\n") == 1


@names.takes_any_bytes
def test_a_folder_whose_name_is_not_utf8_is_refused_before_the_search(run: Run, elsewhere: Path) -> None:
    place = elsewhere / os.fsdecode(b"caf\xe9")
    place.mkdir()
    for flag in ("--dataset", "--data-root"):
        result = run("pareto", flag, place, exit_code=2)
        assert "is not UTF-8, and a study's files are; rename the folder." in result.stderr
    assert not (elsewhere / "runs").exists()


def test_runs_may_not_be_a_file(run: Run, elsewhere: Path) -> None:
    (elsewhere / "runs").write_text("")
    assert "is not a folder; choose another place with --runs" in run("pareto", exit_code=2).stderr


def test_a_run_folder_that_is_damaged_is_told(run: Run, elsewhere: Path) -> None:
    (elsewhere / "runs" / "broken").mkdir(parents=True)
    for file in ("study.toml", "launch.toml"):
        (elsewhere / "runs" / "broken" / file).write_text("trials = [")
    for words in (["show", "broken"], ["front", "broken"], ["resume", "broken"]):
        assert ".toml is not valid TOML" in run(*words, exit_code=2).stderr


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("study.toml", "", "the key 'dataset' is missing"),
        ("launch.toml", None, "Cannot read"),
        ("launch.toml", 'storage = "postgresql+psycopg://u@127.0.0.1:1/x"', "cannot be opened"),
        ("study.db", "no database", "cannot be opened"),
        ("trials/0/history.jsonl", "no point\n", "history.jsonl, line 1, is damaged"),
    ],
)
def test_a_study_that_cannot_be_read_hides_no_other(
    run: Run, elsewhere: Path, file: str, content: str | None, said: str
) -> None:
    for name in ("broken", "sound"):
        folder = elsewhere / "runs" / name
        (folder / "trials" / "0").mkdir(parents=True)
        (folder / "study.toml").write_text(spec.load("digits").to_toml())
        (folder / "launch.toml").write_text("")
    damaged = elsewhere / "runs" / "broken" / file
    damaged.unlink() if content is None else damaged.write_text(content)
    words = run("studies").stdout.split()
    assert words[words.index("sound") + 1] == "stopped" and words[words.index("broken") + 1] == "unreadable"
    assert said in " ".join(words)

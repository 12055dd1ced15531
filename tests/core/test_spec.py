"""Studies, launches and search spaces as TOML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gnap_search import catalog, spec
from gnap_search.errors import UserError
from gnap_search.space import Parameter

ranges = st.tuples(st.floats(1e-6, 1e3), st.floats(1e-6, 1e3), st.booleans()).map(
    lambda drawn: Parameter(low=min(drawn[:2]), high=max(drawn[:2]), log=drawn[2])
)
fixed = (
    st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | st.text(max_size=9)
).map(lambda value: Parameter(value=value))
choices = st.lists(st.text(max_size=5), min_size=1, max_size=4, unique=True).map(
    lambda words: Parameter(choices=tuple(words))
)
studies = st.builds(
    spec.Study,
    summary=st.text(max_size=20),
    dataset=st.text(min_size=1, max_size=20),
    trials=st.integers(1, 99),
    image_size=st.none() | st.integers(8, 512),
    training_images=st.none() | st.integers(2, 10**6),
    validation_images=st.none() | st.integers(2, 10**4),
    augmentation=st.none() | st.lists(st.text(max_size=4), max_size=3).map(tuple),
    constraints=st.builds(
        spec.Constraints,
        max_params=st.none() | st.integers(1, 10**9),
        min_accuracy=st.none() | st.floats(0, 1),
    ),
    parameters=st.dictionaries(
        st.from_regex(r"[a-z_]{1,9}", fullmatch=True), ranges | fixed | choices, max_size=4
    ),
)


@given(study=studies)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_study_is_read_back_as_it_was_written(tmp_path: Path, study: spec.Study) -> None:
    path = tmp_path / "study.toml"
    path.write_text(study.to_toml(), encoding="utf-8")
    assert spec.Study.read(path) == study
    assert not study.differences(spec.Study.read(path))


def test_a_launch_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    launch = spec.Launch(data_root=Path("/data"), cpus_per_trial=0.5, download=False)
    (tmp_path / "launch.toml").write_text(launch.to_toml())
    assert spec.Launch.read(tmp_path / "launch.toml") == launch


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql+psycopg://me:secret@host/db", "postgresql+psycopg://me@host/db"),
        ("--storage=postgresql://me:s3:c@r\net@host:5432/db", "--storage=postgresql://me@host:5432/db"),
        ("postgresql://me@home:secret@host/db", "postgresql://me@home@host/db"),
        ("postgresql://home/me:secret@host/db", "postgresql://home/me@host/db"),
        ("postgresql://me@host:5432/db", "postgresql://me@host:5432/db"),
        ("sqlite:////there/a:b@c/x.db", "sqlite:////there/a:b@c/x.db"),
    ],
)
def test_no_password_is_shown(text: str, shown: str) -> None:
    assert spec.without_password(text) == shown


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ("sqlite:///x.db", "sqlite:///{}/x.db"),
        ("sqlite+pysqlite:///a b/x%23.db?timeout=3", "sqlite+pysqlite:///{}/a b/x%23.db?timeout=3"),
        ("sqlite:////there/x.db", "sqlite:////there/x.db"),
        ("sqlite://", "sqlite://"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("sqlite:nonsense", "sqlite:nonsense"),
        ("postgresql+psycopg://me:secret@host/x.db", "postgresql+psycopg://me:secret@host/x.db"),
    ],
)
def test_a_storage_means_the_same_from_any_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str, kept: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert spec.launch({"storage": asked}).storage == kept.format(tmp_path)


def test_data_lie_in_the_same_place_from_any_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    roots = [spec.launch({"data_root": root}).data_root for root in ("data", "~/data", "/data")]
    assert roots == [tmp_path / "data", Path("/home/me/data"), Path("/data")]
    assert spec.launch({}) == spec.Launch()


@pytest.mark.parametrize("name", catalog.names("studies"))
def test_bundled_studies_load(name: str) -> None:
    study = spec.load(name)
    assert name in (study.dataset, f"{study.dataset}-gpu") and study.summary
    assert {"pruning_strength", "growth_factor", "saturation_patience"} <= study.parameters.keys()


@pytest.mark.parametrize(
    ("images", "epochs"), [(300, 90), (1_000, 90), (2_500, 60), (10_000, 30), (60_000, 30)]
)
def test_few_images_have_more_epochs_where_nobody_asks_for_any(images: int, epochs: int) -> None:
    fitted = spec.resolve({"dataset": "photos"}).fitted(images)
    assert fitted.epochs == epochs
    assert fitted.fitted(10 * images).epochs == epochs
    assert spec.resolve({"dataset": "photos", "epochs": 30}).fitted(images).epochs == 30


def test_differences_are_told_by_key() -> None:
    one = spec.Study(dataset="mnist", parameters={"x": Parameter(low=1, high=2)})
    other = spec.Study(dataset="mnist", summary="s", trials=7, parameters={"x": Parameter(low=1, high=3)})
    assert one.differences(other) == {"trials": (20, 7), "parameters.x.high": (2, 3)}
    fixed = other.model_copy(update={"parameters": {**other.parameters, "y": Parameter(value="z")}})
    assert other.differences(fixed) == {"parameters.y.value": (None, "z")}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"dataset": "mnist", "trails": 3}, "a.toml: unknown key 'trails'; did you mean 'trials'?"),
        ({"datset": "mnist"}, "a.toml: unknown key 'datset'; did you mean 'dataset'?"),
        ({}, "a.toml: the key 'dataset' is missing."),
        ({"dataset": "mnist", "trials": 0}, "a.toml: trials = 0: should be greater than 0."),
        ({"dataset": "mnist", "epochs": "many"}, "a.toml: epochs = 'many': should be a valid integer"),
        ({"dataset": "mnist", "sampler": "tpee"}, "a.toml: sampler = 'tpee': should be 'tpe'"),
        ({"dataset": "mnist", "method": "gnp"}, "a.toml: unknown method 'gnp'; did you mean 'gnap'?"),
        ({"dataset": "mnist", "network": "plain"}, "a.toml: unknown network 'plain'"),
        (
            {"dataset": "mnist", "search_space": "gnap", "parameters": 3},
            "parameters = 3: should be a valid dict",
        ),
        (
            {"dataset": "mnist", "parameters": {"x": {"low": 1, "high": 10**400}}},
            "should have at most 308 digits",
        ),
        ({"dataset": "mnist", "search_space": "gnp"}, "Unknown search space 'gnp'; did you mean 'gnap'?"),
        (
            {"dataset": "mnist", "constraints": {"max_param": 3}},
            "'constraints.max_param'; did you mean 'max_params'?",
        ),
        ({"dataset": "mnist", "parameters": {"x": {"hihg": 1}}}, "'parameters.x.hihg'; did you mean 'high'?"),
        (
            {"dataset": "mnist", "parameters": {"x": {"low": 2, "high": 1}}},
            "parameters.x: low 2 is above high 1",
        ),
        ({"dataset": "mnist", "parameters": 5}, "a.toml: parameters = 5"),
    ],
)
def test_a_fault_is_told_with_file_and_key(written: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as refusal:
        spec.resolve(written, "a.toml")
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [("a = ", "is not valid TOML"), (b"\xff\xfe", "is not valid TOML"), (None, "Cannot read")],
)
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, content: str | bytes | None, said: str) -> None:
    path = tmp_path / "a.toml"
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(UserError, match=said):
        spec.Study.read(path)


def test_a_space_of_another_method_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text('method = "gnap"\n[parameters]\nx = 1\n')
    space = spec.load_space(str(tmp_path / "other.toml"))
    assert space.parameters["x"].value == 1
    (tmp_path / "other.toml").write_text('method = "gnp"\n[parameters]\nx = 1\n')
    with pytest.raises(UserError, match="unknown method 'gnp'"):
        spec.load_space(str(tmp_path / "other.toml"))

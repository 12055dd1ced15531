"""What becomes of a study on a folder of images: its data must be found, and be the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import gnap_search
from gnap_search import datasets, spec, verbs
from gnap_search.contracts import Data
from gnap_search.errors import UserError
from gnap_search.runs import Run
from gnap_search.training.plan import Plan
from gnap_search.training.trial import Trial

SIDE = 12
Verb = Callable[..., Any]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of two classes."""
    random = np.random.default_rng(0)
    for place in (tmp_path / "pictures" / name for name in ("cat", "dog")):
        place.mkdir(parents=True)
        for number in range(10):
            pixels = random.integers(0, 256, (20, 20), np.uint8)
            Image.fromarray(pixels).save(place / f"{number}.png")
    return tmp_path / "pictures"


@pytest.fixture
def run(tmp_path: Path, pictures: Path) -> Run:
    """A study on it, as a search leaves it that had other data sets in another folder."""
    study = spec.Study(dataset=str(pictures), network="mlp", epochs=1, image_size=SIDE)
    data = datasets.load(study.dataset, image_size=SIDE)
    folder = tmp_path / "runs" / "pictures"
    Trial(Plan(0, seed=7, settings={}, **study.for_each_trial()), data, folder / "trials" / "0").advance()
    (folder / "study.toml").write_text(study.to_toml())
    (folder / "launch.toml").write_text(spec.Launch().to_toml())
    (folder / "environment.json").write_text(json.dumps({"data_digest": data.digest}))
    return Run(folder)


def export(run: Run, directory: Path, **wanted: Any) -> dict[str, Any]:
    """What the model card's manifest tells."""
    gnap_search.export(run.name, runs=run.folder.parent, directory=directory, **wanted)
    told: dict[str, Any] = json.loads((directory / "model.json").read_text())
    return told


def test_other_data_are_refused(run: Run, pictures: Path, tmp_path: Path) -> None:
    (pictures / "cat").rename(pictures / "zebra")
    with pytest.raises(UserError, match=r"trained on other data .* where they lie now with --data-root\."):
        export(run, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_folder_that_was_moved_is_taken_where_it_lies_now(run: Run, pictures: Path, tmp_path: Path) -> None:
    moved = pictures.rename(tmp_path / "moved")
    for verb in (gnap_search.export, gnap_search.publish, gnap_search.resume, gnap_search.confirm):
        with pytest.raises(UserError, match=r"There is no folder .*pictures any more, .* with --data-root\."):
            call(verb, run)
    told = export(run, tmp_path / "new", data_root=moved)
    assert told["dataset"] == str(pictures), "a study's data keep their name"
    (file,) = gnap_search.publish(
        run.name, runs=run.folder.parent, directory=tmp_path / "published", data_root=moved
    )
    assert file.notes["dataset"] == str(pictures)
    with pytest.raises(UserError, match="There is no folder nowhere"):
        export(run, tmp_path / "new", data_root=Path("nowhere"))


def call(verb: Verb, run: Run, **wanted: Any) -> None:
    verb(run.name, runs=run.folder.parent, **wanted)


@pytest.mark.parametrize(
    ("verb", "driver"),
    [
        (gnap_search.resume, "gnap_search.search.launch.run"),
        (gnap_search.confirm, "gnap_search.search.confirm.run"),
    ],
)
def test_so_do_those_that_train_on(
    run: Run, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: Verb, driver: str
) -> None:
    class Loaded(Exception):
        pass

    def loading(*given: Any, **_rest: Any) -> None:
        launch = next(one for one in given if isinstance(one, spec.Launch))
        load = next(one for one in given if callable(one))
        data: Data = load(run.study, launch)
        raise Loaded(data.digest)

    monkeypatch.setattr(driver, loading)
    moved = pictures.rename(tmp_path / "moved")
    with pytest.raises(Loaded, match=next(iter(run.data_digests))):
        call(verb, run, data_root=moved)


def test_where_the_last_launch_had_its_data_counts_only_for_a_folder_that_is_gone(
    run: Run, pictures: Path, tmp_path: Path
) -> None:
    (run.folder / "launch.toml").write_text(spec.Launch(data_root=tmp_path / "moved").to_toml())
    export(run, tmp_path / "before")
    pictures.rename(tmp_path / "moved")
    assert export(Run(run.folder), tmp_path / "after")["dataset"] == str(pictures)


def test_a_folder_is_evaluated_at_the_size_that_a_file_takes(
    run: Run, pictures: Path, tmp_path: Path
) -> None:
    export(run, tmp_path / "new")
    file = tmp_path / "new" / "model.safetensors"
    assert verbs.evaluate(file, dataset=str(pictures)).images == 3
    with pytest.raises(UserError, match=f"takes images of 1 x {SIDE} x {SIDE}"):
        verbs.evaluate(file, dataset=str(pictures), image_size=20)


def test_all_pictures_of_a_folder_of_new_ones_are_scored(run: Run, pictures: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "new")
    file, labels = tmp_path / "new" / "model.safetensors", sorted(one.name for one in pictures.iterdir())
    fresh = tmp_path / "fresh" / "test" / labels[0]  # one class, one split, two pictures of another size
    fresh.mkdir(parents=True)
    for number in range(2):
        Image.new("RGB", (90, 70), (9 * number, 0, 0)).save(fresh / f"{number}.png")
    found = verbs.evaluate(file, dataset=str(tmp_path / "fresh"), split="all")
    assert (found.images, found.split, found.doubt) == (2, "all", "")
    fresh.rename(fresh.with_name("gnu"))
    with pytest.raises(UserError, match=f"has a class 'gnu'; known are {', '.join(labels)}"):
        verbs.evaluate(file, dataset=str(tmp_path / "fresh"), split="all")

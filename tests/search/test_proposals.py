"""As many trials are handed out as there is room for by now, and none fails because its node has gone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import InMemoryStorage
from ray.tune.search import Searcher

from gnap_search.runs import Run
from gnap_search.search import storage
from gnap_search.search.ledger import Ledger
from gnap_search.search.lock import Lease
from gnap_search.search.nodes import Room
from gnap_search.search.proposals import DEATHS, Proposals
from gnap_search.search.resources import Resources
from gnap_search.search.standing import Standing
from tests.search.conftest import Notes, a_point, small_study

ONE = Resources(cpus=1, gpus=0)
MakeProposals = Callable[..., Proposals]


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def make(tmp_path: Path, notes: Notes) -> MakeProposals:
    """Proposals of a study of four trials, on nodes that the test may change."""
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    held, study = InMemoryStorage(), small_study(trials=4)
    (tmp_path / "study.toml").write_text(study.to_toml())

    def proposals(nodes: Sequence[Resources]) -> Proposals:
        ledger = Ledger(storage.study(held, "one"), held, study)
        standing = Standing(Run(tmp_path), notes)
        room = Room(lambda: nodes, ONE, notes)
        return Proposals(ledger, standing, notes, lambda ask: {"n": ask.number}, room, Lease.grant(tmp_path))

    return proposals


def result(**changes: Any) -> dict[str, Any]:
    nothing = {"points": [], "notice": None, "failure": None, "halt": None, "ending": False}
    return {**nothing, **changes}


def test_trials_follow_the_nodes_and_who_listens_is_told(make: MakeProposals, notes: Notes):
    nodes = [ONE]
    proposals = make(nodes)
    assert [proposals.suggest(name) for name in "ab"] == [{"n": 0}, None]
    nodes.append(Resources(cpus=2, gpus=0))
    assert [proposals.suggest(name) for name in "bcd"] == [{"n": 1}, {"n": 2}, None]
    nodes.clear()
    assert proposals.suggest("d") is None
    assert notes.messages == [
        "Nodes came or went: 3 at a time, 1 before.",
        "Nodes came or went: 0 at a time, 3 before, so they wait for a node.",
    ]


def test_a_trial_that_gets_on_outlives_any_number_of_nodes(make: MakeProposals, notes: Notes):
    proposals = make([ONE])
    for life in range(3 * DEATHS):
        assert proposals.suggest(str(life)) == {"n": 0}
        proposals.worth_going_on(str(life), result(points=[a_point(epoch=life + 1).to_json()]))
        proposals.broken(str(life), "its node has gone")
    assert notes.ended == {}


def test_a_trial_whose_workers_die_at_one_epoch_fails_and_is_retried(make: MakeProposals, notes: Notes):
    proposals = make([ONE])
    for life in range(DEATHS):
        assert proposals.suggest(str(life)) == {"n": 0}
        proposals.broken(str(life), "out of memory")
    assert notes.ended == {0: "out of memory"} and notes.repeated == [0]
    for life in range(DEATHS):
        assert proposals.suggest(f"retry {life}") == {"n": 1}
        proposals.broken(f"retry {life}", "out of memory")
    assert set(notes.ended) == {0, 1} and notes.repeated == [0], "nobody waits for what failed twice"


def test_what_no_worker_can_mend_stops_the_whole_study_at_once(make: MakeProposals, tmp_path: Path):
    proposals = make([ONE, ONE])
    assert [proposals.suggest(name) for name in "ab"] == [{"n": 0}, {"n": 1}]
    proposals.on_trial_complete("a", result(halt="node7 does not see the folder"))
    assert proposals.halt == "node7 does not see the folder"
    assert proposals.suggest("c") == Searcher.FINISHED
    assert (tmp_path / "driver.lease").read_text().endswith(" ending")

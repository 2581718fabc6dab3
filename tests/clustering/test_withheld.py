"""Episodes a list of licences does not let through: set aside before anything is counted, each with its finding."""

from dataclasses import dataclass

from clustering.withheld import refused_episodes, withheld_findings, without
from schemas.finding import Verdict
from schemas.source_card import Redistribution
from tests.clustering.made import assignment
from tests.pipeline.shards.corpus import episode

MODES = {"bench": Redistribution.ALLOWED, "web": Redistribution.NON_COMMERCIAL}
BENCH, WEB = episode(0), episode(2, actions=False)


@dataclass(frozen=True)
class Of:
    episode_id: str


def test_an_episode_is_judged_by_its_own_licence_and_its_sources_mode() -> None:
    assert refused_episodes([[BENCH], [WEB]], ["allowed", "CC-BY-NC-4.0"], MODES) == {}
    (name, refusal), *rest = refused_episodes([[BENCH, WEB]], ["CC-BY-4.0"], MODES).items()
    assert (name, refusal.source, refusal.licence, rest) == (WEB.episode_id, "web", "CC-BY-NC-4.0", [])


def test_its_records_are_left_out_and_no_others() -> None:
    refused = refused_episodes([[WEB]], ["MIT"], MODES)
    batches = [[Of(WEB.episode_id), Of("ep-x")], [Of(WEB.episode_id)]]
    assert list(without(batches, refused)) == [[Of("ep-x")], []]
    assert list(without(batches, {})) == batches


def test_one_finding_says_what_licence_which_list_and_how_many_events() -> None:
    refused = refused_episodes([[WEB]], ["MIT", "allowed"], MODES)
    items = [
        assignment("ev-0", of=WEB.episode_id),
        assignment("ev-1", of=WEB.episode_id),
        assignment("ev-2", of="ep-x"),
    ]
    (finding,) = withheld_findings(refused, [items[:1], items[1:]], ["MIT", "allowed"])
    assert (finding.subject, finding.source, finding.check) == (WEB.episode_id, "web", "licence_not_allowed")
    assert (finding.verdict, finding.value) == (Verdict.DROP, 2.0)
    assert finding.message == (
        "episode_index=2: its licence 'CC-BY-NC-4.0' (redistribution: non_commercial) is not on shard.allow "
        "(MIT, allowed); 2 events are left out of the shard set"
    )
    assert list(withheld_findings({}, [items], ["MIT"])) == []

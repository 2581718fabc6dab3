"""What people and machines get to see of a search."""

import io
import json

import pytest
from rich.console import Console

from annotators.search.ranking import Hit
from clustering.similar import Similar
from jobs.search import Found, SearchResult
from jobs.show_search import found

HIT = Hit("ev-1", "ep-1", "lab", "l/0", "action", "grasp", "grasp the cup", 1.0, 2.5, 3.25)


def printed(result: SearchResult) -> str:
    out = io.StringIO()
    found(Console(file=out, width=200), result, as_json=False)
    return out.getvalue()


def test_a_line_says_which_event_when_and_what() -> None:
    text = printed(SearchResult("grasp", "", (Found(HIT),)))
    for part in ("3.25", "ev-1", "1.00–2.50", "lab", "l/0", "grasp the cup"):
        assert part in text


def test_likeness_stands_where_the_score_of_words_would() -> None:
    similar = Similar("ev-1", 0.8, float("nan"))
    assert "0.80" in printed(SearchResult("", "ev-0", (Found(HIT, similar),)))


def test_what_is_not_shown_is_counted() -> None:
    assert "1 of 1,200 that fit" in printed(SearchResult("grasp", "", (Found(HIT),), 1200))
    assert "that fit" not in printed(SearchResult("grasp", "", (Found(HIT),), 1))


def test_nothing_found_is_said() -> None:
    assert "nothing fits" in printed(SearchResult("kettle", "", ()))


def test_json_leaves_out_what_is_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    found(Console(), SearchResult("", "ev-0", (Found(HIT, Similar("ev-1", 0.8, float("nan"))),)), as_json=True)
    (line,) = json.loads(capsys.readouterr().out)["found"]
    assert line["similarity"] == {"vision_language": 0.8}
    assert line["event_id"] == "ev-1"

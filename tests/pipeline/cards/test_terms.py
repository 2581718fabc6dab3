"""The strictest of many terms, and who brings it."""

from pipeline.cards.terms import Holding, Term, strictest


def test_each_term_names_who_brings_it() -> None:
    found = strictest(
        [
            Holding("a", "CC-BY-4.0", "allowed", "none"),
            Holding("b", "CC-BY-NC-SA-4.0", "non_commercial", "present"),
            Holding("c", "MIT", "not_stated", "possible"),
        ]
    )
    assert found == [
        Term("name the authors", "yes", ("a", "b")),
        Term("no commercial use", "yes", ("b",)),
        Term("no altered copies", "no", ()),
        Term("pass on under the same licence", "yes", ("b",)),
        Term("redistribution", "not_stated", ("c",)),
        Term("personal data", "present", ("b",)),
    ]
    assert strictest([]) == []


def test_a_ban_outweighs_what_is_not_stated() -> None:
    banned = [Holding("a", "x", "forbidden", "none"), Holding("b", "x", "not_stated", "not_stated")]
    assert [(term.answer, term.because_of) for term in strictest(banned)[-2:]] == [
        ("forbidden", ("a",)),
        ("not_stated", ("b",)),
    ]

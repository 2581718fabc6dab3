"""A query's words as captions and vocabularies spell them."""

import pytest

from annotators.search.terms import Term, spelt, terms_of


@pytest.mark.parametrize(
    ("query", "stems"),
    [
        ("re-grasp after slip", ["regrasp", "slip"]),
        ("Grasping the CUPS", ["grasp", "cups"]),
        ("places", ["plac"]),
        ("cup cup", ["cup"]),
        ("from the", ["from", "the"]),
        ("", []),
        ("抓取 杯子", ["抓取", "杯子"]),
    ],
)
def test_terms_are_stems_of_telling_words(query: str, stems: list[str]) -> None:
    assert [term.stem for term in terms_of(query)] == stems


def test_short_words_match_whole() -> None:
    assert terms_of("cup grasps") == (Term("cup", whole=True), Term("grasp", whole=False))


def test_text_is_spelt_with_single_spaces_at_both_ends() -> None:
    assert spelt("Re-grasp, the\tcup's lid!") == " regrasp the cups lid "
    assert spelt("ＡＢＣ snake_case") == " abc snake case "

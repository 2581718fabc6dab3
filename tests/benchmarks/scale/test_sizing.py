"""The scaling page says what was measured, and follows from it."""

from dataclasses import replace

from benchmarks.scale.sizing import BEGIN, PAGE, Assumed, page_tables, per_hour, with_tables


def test_the_page_has_the_tables_that_follow_from_the_results() -> None:
    page = PAGE.read_text()
    assert page.count(BEGIN) == 1
    assert page == with_tables(page, page_tables(Assumed()))


def test_pixels_cost_by_the_view_and_nothing_else_does() -> None:
    one, two = per_hour(replace(Assumed(), views=1)), per_hour(Assumed())
    assert two.cpu_s["cut"] == 2 * one.cpu_s["cut"]
    assert two.cpu_s["segment"] == one.cpu_s["segment"]
    assert two.source == 2 * one.source


def test_a_price_changes_the_bill_alone() -> None:
    dear = page_tables(replace(Assumed(), core_hour=0.4)).splitlines()
    changed = [line for line, usual in zip(dear, page_tables(Assumed()).splitlines(), strict=True) if line != usual]
    assert [line.split("|")[1].strip() for line in changed] == ["compute, $"]

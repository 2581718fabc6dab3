"""Strings are data until somebody says otherwise."""

from jobs.report.html import Html, missing, safe, slug, table, tag


def test_data_is_escaped_and_markup_is_not() -> None:
    assert safe("<b>'\"&") == "&lt;b&gt;&#x27;&quot;&amp;"
    assert (
        tag("p", "<i>", tag("b", "x"), title="'><script>")
        == "<p title='&#x27;&gt;&lt;script&gt;'>&lt;i&gt;<b>x</b></p>"
    )
    assert safe(Html("<b>")) == "<b>"


def test_cells_and_headings_of_a_table_are_data_too() -> None:
    drawn = table(("<h>", "n"), [("<td>", "1")])
    assert "<th scope='col' class='w'>&lt;h&gt;</th>" in drawn
    assert "<td class='w'>&lt;td&gt;</td><td>1</td>" in drawn


def test_a_part_that_is_missing_names_its_command() -> None:
    assert (
        missing("No plan.", "joinery run a&b.yaml")
        == "<p class='missing'>No plan. <code>joinery run a&amp;b.yaml</code></p>"
    )


def test_an_anchor_is_letters() -> None:
    assert slug("ingest: Source_Error (listed)") == "ingest--source-error--listed"

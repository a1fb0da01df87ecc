"""How findings are shown to people and to programs."""

from __future__ import annotations

import json

import pytest

from sma_flows.flow.diagnostics import (
    Diagnostic,
    did_you_mean,
    in_order,
    nearest,
    render_github,
    render_json,
    render_text,
    report,
)
from sma_flows.flow.nodes import Span

SOURCE = """\
sma_flow: 1
name: support
states:
  ask:
    menu: welcome
    keys:
      1: billing
      02: billing
    next: goodby



  goodbye:
    hangup: normal
"""


def one(line: int, col: int, length: int, **more: object) -> Diagnostic:
    fields: dict[str, object] = {
        "code": "SF999",
        "name": "house-rule",
        "severity": "error",
        "message": "a message",
        **more,
    }
    return Diagnostic(span=Span("flows/a.yaml", line, col, line, col + length), **fields)  # type: ignore[arg-type]


def shown(*found: Diagnostic, source: str = SOURCE) -> str:
    return render_text(found, {"flows/a.yaml": source})


def test_a_finding_shows_its_line_and_what_to_type() -> None:
    found = one(8, 7, 2, message="YAML reads 02 as 2", label="unquoted digits", help='write "02" in quotes')
    assert shown(found) == (
        "flows/a.yaml:8:7: error[SF999] YAML reads 02 as 2 (house-rule)\n"
        "  |\n"
        "8 |       02: billing\n"
        "  |       ^^ unquoted digits\n"
        '  = help: write "02" in quotes\n'
    )


def test_a_finding_with_a_related_place_shows_both_in_the_order_of_the_file() -> None:
    related = ((Span("flows/a.yaml", 13, 3, 13, 10), "a state with a similar name is defined here"),)
    found = one(
        9,
        11,
        6,
        message="state 'goodby' is not defined in this flow",
        label="transition goes nowhere",
        help="did you mean 'goodbye'?",
        related=related,
    )
    assert shown(found) == (
        "flows/a.yaml:9:11: error[SF999] state 'goodby' is not defined in this flow (house-rule)\n"
        "   |\n"
        " 9 |     next: goodby\n"
        "   |           ^^^^^^ transition goes nowhere\n"
        "   :\n"
        "13 |   goodbye:\n"
        "   |   ------- a state with a similar name is defined here\n"
        "   = help: did you mean 'goodbye'?\n"
    )


def test_a_related_place_in_another_file_names_it() -> None:
    related = ((Span("flows/b.yaml", 1, 1, 1, 3), "the other one"),)
    text = render_text([one(2, 7, 7, related=related)], {"flows/a.yaml": SOURCE, "flows/b.yaml": "ab: c\n"})
    assert text == (
        "flows/a.yaml:2:7: error[SF999] a message (house-rule)\n"
        "  |\n"
        "2 | name: support\n"
        "  |       ^^^^^^^\n"
        "  ::: flows/b.yaml:1:1\n"
        "  |\n"
        "1 | ab: c\n"
        "  | -- the other one\n"
    )


def test_a_finding_in_a_file_that_cannot_be_shown_keeps_its_words() -> None:
    text = render_text([one(1, 1, 1, label="a label", help="a help")], {})
    assert text == "flows/a.yaml:1:1: error[SF999] a message (house-rule)\n  = note: a label\n  = help: a help\n"


def test_findings_are_shown_in_the_order_of_the_file_with_a_line_between_them() -> None:
    text = shown(one(9, 5, 4), one(2, 7, 7), one(2, 7, 7))
    assert [line.split(":")[1] for line in text.splitlines() if line.startswith("flows")] == ["2", "9"]
    assert "\n\nflows/a.yaml:9" in text


def test_a_place_on_several_lines_is_underlined_on_its_first() -> None:
    found = Diagnostic("SF999", "x", "error", Span("flows/a.yaml", 4, 3, 6, 4), "m")
    assert "4 |   ask:\n  |   ^^^^\n" in shown(found)


def test_tabs_and_wide_letters_do_not_move_the_underline() -> None:
    text = shown(one(1, 4, 2), source="\t電x: y\n")
    assert text.splitlines()[2:] == ["1 |     電x: y", "  |        ^^"]


def test_a_very_long_line_is_cut_around_the_place() -> None:
    text = shown(one(1, 5_001, 4), source="a" * 5_000 + "here" + "b" * 5_000)
    assert max(map(len, text.splitlines())) < 160
    line, under = text.splitlines()[2:4]
    assert line[under.index("^") : under.rindex("^") + 1] == "here"


def test_control_characters_never_reach_a_terminal() -> None:
    assert "\x1b" not in shown(one(1, 1, 1), source="a\x1b[31mb\n")


def test_colour_adds_nothing_but_colour() -> None:
    found = one(8, 7, 2, label="unquoted digits", help="quote it")
    coloured = render_text([found], {"flows/a.yaml": SOURCE}, colour=True)
    assert "\x1b[31" in coloured
    plain = coloured
    for code in ("31;1", "31", "1", "2", "32", "0"):
        plain = plain.replace(f"\x1b[{code}m", "")
    assert plain == shown(found)


def test_json_has_one_object_for_each_finding() -> None:
    related = ((Span("flows/a.yaml", 13, 3, 13, 10), "similar"),)
    (found,) = json.loads(render_json([one(9, 11, 6, label="here", related=related)], {}))
    assert found == {
        "code": "SF999",
        "name": "house-rule",
        "severity": "error",
        "file": "flows/a.yaml",
        "line": 9,
        "column": 11,
        "end_line": 9,
        "end_column": 17,
        "message": "a message",
        "label": "here",
        "help": "",
        "related": [
            {"file": "flows/a.yaml", "line": 13, "column": 3, "end_line": 13, "end_column": 10, "label": "similar"}
        ],
    }


def test_no_findings_are_an_empty_list_or_nothing() -> None:
    assert json.loads(render_json([], {})) == []
    assert render_text([], {}) == ""
    assert render_github([], {}) == ""


@pytest.mark.parametrize(("severity", "command"), [("error", "error"), ("warning", "warning"), ("note", "notice")])
def test_github_gets_a_command_that_cannot_be_broken_by_words(severity: str, command: str) -> None:
    found = one(9, 11, 6, severity=severity, message="100%: a,\nb", help="quote it")
    assert render_github([found], {}) == (
        f"::{command} file=flows/a.yaml,line=9,endLine=9,col=11,endColumn=17,title=SF999 house-rule"
        "::100%25: a,%0Ab%0Ahelp: quote it\n"
    )


def test_github_gets_no_columns_for_several_lines() -> None:
    found = Diagnostic("SF999", "x", "error", Span("a,b.yaml", 4, 3, 6, 4), "m")
    assert render_github([found], {}) == "::error file=a%2Cb.yaml,line=4,endLine=6,title=SF999 x::m\n"


def test_equal_findings_are_told_once() -> None:
    assert in_order([one(2, 1, 1), one(1, 1, 1), one(2, 1, 1)]) == (one(1, 1, 1), one(2, 1, 1))


def test_a_report_takes_name_and_severity_from_the_catalogue() -> None:
    found = report("SF010", Span("a", 1, 1, 1, 2), "m")
    assert (found.name, found.severity) == ("duplicate-key", "error")
    with pytest.raises(KeyError):
        report("SF000", Span("a", 1, 1, 1, 2), "m")


def test_the_nearest_word_is_suggested_and_a_far_one_is_not() -> None:
    assert nearest("goodby", ["goodbye", "hello"]) == "goodbye"
    assert nearest("xyz", ["goodbye", "hello"]) == ""
    assert did_you_mean("goodby", ["goodbye"]) == "did you mean 'goodbye'?"
    assert nearest("x" * 100_000, ["x" * 99]) == ""


def test_a_message_of_a_page_is_cut() -> None:
    assert len(report("SF010", Span("a", 1, 1, 1, 2), "m" * 100_000).message) == 400

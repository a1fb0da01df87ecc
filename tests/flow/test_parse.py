"""All faults of a file at once, each told once."""

from __future__ import annotations

from sma_flows.flow.diagnostics import MAX_FINDINGS

from .reading import codes, read

MANY = """\
sma_flow: 1
name: my line
entry: inbond
vars:
  pin: digits
  Kind: text
strat: welcome
states:
  welcome:
    say: welcome
    next: ask-pin
  ask_pin:
    gather: pin
    timeout: 5
    ring_for: 20s
    next: [check]
  check:
    run: verify(pin
    limit: {wrong: [3, 10 per caller]}
  lost:
    prompt: ask
  both:
    run: verify
    hangup: normal
"""


def test_independent_faults_are_reported_all_at_once_in_the_order_of_the_file() -> None:
    model, found = read(MANY)
    assert model is None
    assert [(one.span.line, one.code) for one in found] == [
        (2, "SF108"),
        (3, "SF118"),
        (5, "SF111"),
        (6, "SF108"),
        (7, "SF101"),
        (11, "SF108"),
        (12, "SF102"),
        (14, "SF109"),
        (15, "SF107"),
        (16, "SF103"),
        (18, "SF114"),
        (19, "SF121"),
        (19, "SF121"),
        (20, "SF105"),
        (24, "SF106"),
    ]


def test_faults_of_yaml_and_of_values_are_reported_together() -> None:
    _, found = read("sma_flow: 1\nname: x\nname: y\nentry: inbound\nstart: it\nstates:\n  it: {wait: 5}\n")
    assert codes(found) == ["SF010", "SF109"]


def test_a_misspelt_required_key_is_told_once() -> None:
    _, found = read("sma_flow: 1\nname: x\nentri: inbound\nstart: it\nstates:\n  it: {hangup: normal}\n")
    assert [(one.code, one.help) for one in found] == [("SF101", "did you mean 'entry'?")]


def test_a_misspelt_first_line_is_told_once() -> None:
    _, found = read("sma_flows: 1\nname: x\nentry: inbound\nstart: it\nstates:\n  it: {hangup: normal}\n")
    assert [(one.code, one.help) for one in found] == [("SF101", "did you mean 'sma_flow'?")]


def test_two_misspelt_keys_are_two_findings() -> None:
    _, found = read("sma_flow: 1\nname: x\nentri: inbound\nstrat: it\nstates:\n  it: {hangup: normal}\n")
    assert [one.help for one in found] == ["did you mean 'entry'?", "did you mean 'start'?"]


def test_after_many_findings_the_rest_is_counted() -> None:
    text = "sma_flow: 1\nname: x\nentry: inbound\nstart: it\nstates:\n  it: {hangup: normal}\n"
    _, found = read(text + "".join(f"key{n}: x\n" for n in range(MAX_FINDINGS + 100)))
    assert len(found) == MAX_FINDINGS + 1
    assert (found[-1].code, found[-1].message) == ("SF020", "there are 100 more findings in case.yaml")


def test_no_word_of_python_or_of_the_libraries_reaches_an_author() -> None:
    _, found = read(MANY)
    words = " ".join(one.message + one.label + one.help for one in found)
    for foreign in ("pydantic", "dict", "str ", "Scalar", "None", "valid", "input_", "type_error", "extra", "Expr"):
        assert foreign not in words


def test_a_column_inside_of_a_text_is_exact() -> None:
    _, (found,) = read(
        "sma_flow: 1\nname: x\nentry: inbound\nstart: it\nstates:\n  it:\n"
        "    run: verify(meeting, call.form)\n    next: it\n"
    )
    assert (found.span.line, found.span.col, found.span.end_col) == (7, 26, 35)


def test_a_text_with_escapes_is_shown_whole() -> None:
    _, (found,) = read(
        'sma_flow: 1\nname: x\nentry: inbound\nstart: it\nstates:\n  it:\n    say: "\\ta {b"\n    hangup: normal\n'
    )
    assert (found.code, found.span.col, found.span.end_col) == ("SF115", 10, 18)


def test_a_file_without_its_first_line_is_told_so() -> None:
    _, found = read("name: x\nentry: inbound\nstart: it\nstates:\n  it: {hangup: normal}\n")
    assert [(one.code, one.message) for one in found] == [("SF017", "the file does not say that it is a flow")]


def test_a_file_of_another_kind_is_told_so_and_nothing_else() -> None:
    _, found = read("sma_prompts: 1\ndefault: en-US\n")
    assert [(one.code, one.message) for one in found] == [("SF017", "this file is a prompt catalogue, not a flow")]

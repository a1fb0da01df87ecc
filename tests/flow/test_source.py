"""The loader: twelve traps of YAML, bad files, and the same places from both parsers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from sma_flows.flow.nodes import Document, Mapping_, Scalar, Seq
from sma_flows.flow.source import MAX_BYTES, PureParser, fast_parser, load_document, load_text

from .reading import DIAL_IN, PROMPTS, codes


def load(text: str) -> Document:
    document, found = load_text(text, "t.yaml")
    assert found == []
    assert document is not None
    return document


def plain(node: Any) -> Any:
    """Nodes as Python values, for comparison."""
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Seq):
        return [plain(item) for item in node.items]
    return {key.text: plain(value) for key, value in node.entries}


def found_in(text: str) -> list[str]:
    _, found = load_text(text, "t.yaml")
    return codes(found)


# the traps that cannot happen


@pytest.mark.parametrize("word", ["on", "off", "yes", "no", "Yes", "NO", "true", "null", "~", "y", "n"])
def test_words_that_yaml_reads_as_truth_stay_words(word: str) -> None:
    assert plain(load(f"{word}: {word}\n").root) == {word: word}


def test_on_and_yes_are_two_keys() -> None:
    assert plain(load("on: a\nyes: b\ntrue: c\n").root) == {"on": "a", "yes": "b", "true": "c"}


def test_the_country_code_of_norway_stays_text() -> None:
    assert plain(load("countries: [NO, SE]\n").root) == {"countries": ["NO", "SE"]}


def test_a_leading_plus_is_kept() -> None:
    assert plain(load("to: +12065550150\n").root) == {"to": "+12065550150"}


def test_leading_zeros_are_kept_in_keys_and_values() -> None:
    assert plain(load("0123: 0042\n1: a\n01: b\n").root) == {"0123": "0042", "1": "a", "01": "b"}


def test_a_time_of_day_is_no_number_of_base_sixty() -> None:
    assert plain(load("open: 17:30\n").root) == {"open": "17:30"}


def test_a_date_stays_text() -> None:
    assert plain(load("closed: [2026-12-25]\n").root) == {"closed": ["2026-12-25"]}


def test_sizes_and_octal_numbers_stay_text() -> None:
    assert plain(load("a: 1_000\nb: 0x1F\nc: 1e3\nd: .5\n").root) == {"a": "1_000", "b": "0x1F", "c": "1e3", "d": ".5"}


# the traps that are said


@pytest.mark.parametrize("text", ["keys:\n  #: x\n", "keys: {1: a, #: x}\n", "finish_on: #\n", "finish_on:\n  - #\n"])
def test_a_bare_hash_is_said(text: str) -> None:
    assert found_in(text) == ["SF014"]


@pytest.mark.parametrize(
    "text", ["a: b # note\n", "#: a note about keys\na: b\n", "# a: b\na: b\n", 'a: "#"\n', "a: b#c\n"]
)
def test_comments_and_hashes_in_words_are_none_of_our_business(text: str) -> None:
    assert found_in(text) == []


def test_a_hash_line_inside_of_a_text_is_text() -> None:
    assert plain(load("a: |\n  one\n  #: two\n").root) == {"a": "one\n#: two\n"}


@pytest.mark.parametrize("text", ["*: x\n", "a: *\n", "a: [*, 1]\n", "a: {*: x}\n", "*6: x\n", "a: *6\n"])
def test_a_bare_star_is_said(text: str) -> None:
    assert found_in(text) == ["SF012"]


def test_a_star_that_is_read_as_reference_leaves_the_rest_of_the_file_readable() -> None:
    document, found = load_text("keys: {*6: mute}\nb: 1\nb: 2\n", "t.yaml")
    assert codes(found) == ["SF012", "SF010"]
    assert document is not None
    assert plain(document.root) == {"keys": {"*6": "mute"}, "b": "1"}


def test_of_two_equal_keys_both_places_are_shown_and_the_first_is_kept() -> None:
    document, (found,) = load_text("a: 1\nb: 2\na: 3\n", "t.yaml")
    assert (found.code, found.span.line, found.related[0][0].line) == ("SF010", 3, 1)
    assert document is not None
    assert plain(document.root) == {"a": "1", "b": "2"}


@pytest.mark.parametrize("text", ["a: !x y\n", "a: !!python/object:os.system [x]\n", "a: !<tag:x> y\n", "a: !u!x y\n"])
def test_a_tag_is_said(text: str) -> None:
    assert found_in(text) == ["SF011"]


def test_an_anchor_that_contains_itself_is_said() -> None:
    assert found_in("a: &a [b, *a]\n") == ["SF013"]


def test_an_alias_bomb_is_said_before_it_unfolds() -> None:
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 40))
    assert found_in("a0: &a0 [x]\n" + levels) == ["SF013"]


def test_a_shared_value_is_possible() -> None:
    assert plain(load("a: &x {b: c}\nd: *x\n").root) == {"a": {"b": "c"}, "d": {"b": "c"}}


@pytest.mark.parametrize("text", ["a:\n\tb: c\n", "a:\n  b: c\n\td: e\n", "a: {\n\tb: c}\n", "a: b\n\t# note\n"])
def test_a_tab_in_the_indentation_is_said_by_both_parsers(text: str) -> None:
    for parser in (fast_parser(), PureParser):
        _, found = load_text(text, "t.yaml", parser)
        assert codes(found) == ["SF015"]


def test_a_tab_inside_of_a_text_is_text() -> None:
    assert plain(load("a: |\n  one\n  \ttwo\n").root) == {"a": "one\n\ttwo\n"}


def test_a_call_in_braces_is_said_and_put_together_again() -> None:
    document, (found,) = load_text("a: {run: f(x, y, 1), b: c}\n", "t.yaml")
    assert (found.code, found.span.col, found.span.end_col) == ("SF016", 10, 20)
    assert document is not None
    assert plain(document.root) == {"a": {"run": "f(x, y, 1)", "b": "c"}}


def test_two_calls_in_braces_are_not_said_to_be_equal_keys() -> None:
    assert found_in("a: {b: f(x, y), c: g(x, y)}\n") == ["SF016", "SF016"]


# bad files


def test_a_missing_file_gets_the_name_of_a_similar_one(tmp_path: Path) -> None:
    (tmp_path / "dial-in.yaml").write_text(DIAL_IN)
    document, (found,) = load_document(tmp_path / "dialin.yaml")
    assert document is None
    assert (found.code, found.help) == ("SF001", "did you mean 'dial-in.yaml'?")


def test_a_file_in_a_missing_folder_is_missing(tmp_path: Path) -> None:
    assert codes(load_document(tmp_path / "nowhere" / "a.yaml")[1]) == ["SF001"]


@pytest.mark.parametrize("name", ["a\0b.yaml", "x" * 5000])
def test_a_name_that_no_file_can_have_is_missing(tmp_path: Path, name: str) -> None:
    assert codes(load_document(str(tmp_path / name))[1]) == ["SF001"]


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert codes(load_document(tmp_path)[1]) == ["SF002"]


def test_a_pipe_is_no_file_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    assert codes(load_document(tmp_path / "pipe.yaml")[1]) == ["SF002"]


def test_a_file_of_five_megabytes_is_too_large(tmp_path: Path) -> None:
    (tmp_path / "big.yaml").write_bytes(b"a: b\n" * 1_000_000)
    assert codes(load_document(tmp_path / "big.yaml")[1]) == ["SF003"]


def test_a_file_of_the_largest_size_is_read(tmp_path: Path) -> None:
    (tmp_path / "big.yaml").write_bytes(b"a: b\n#" + b"x" * (MAX_BYTES - 6))
    assert load_document(tmp_path / "big.yaml")[1] == []


def test_bytes_that_are_no_text_are_shown_at_their_place(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes("a: b\nname: Zoë\n".encode("latin-1"))
    document, (found,) = load_document(tmp_path / "latin.yaml")
    assert document is None
    assert (found.code, found.span.line, found.span.col) == ("SF004", 2, 9)


def test_utf_16_is_named(tmp_path: Path) -> None:
    (tmp_path / "wide.yaml").write_bytes("a: b\n".encode("utf-16"))
    (found,) = load_document(tmp_path / "wide.yaml")[1]
    assert (found.code, found.help) == ("SF004", "save the file as UTF-8 instead of UTF-16")


def test_a_byte_order_mark_is_accepted_and_not_counted(tmp_path: Path) -> None:
    (tmp_path / "bom.yaml").write_bytes(b"\xef\xbb\xbfa: b\n")
    document, found = load_document(tmp_path / "bom.yaml")
    assert found == []
    assert document is not None
    assert document.span(("a",), key=True).col == 1


@pytest.mark.parametrize(
    "text", ["a: b\x00c\n", "a: b\nc: \x07\n", "a: \ufeffb\n", "a: \ud800\n", 'a: "\\0"\n', 'a: "\\x07"\n']
)
def test_characters_that_nobody_sees_are_said(text: str) -> None:
    assert found_in(text) == ["SF005"]


def test_a_nul_byte_is_shown_at_its_place() -> None:
    _, (found,) = load_text("a: b\nc: d\0\n", "t.yaml")
    assert (found.message, found.span.line, found.span.col) == ("a NUL byte stands in the text", 2, 5)


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "---\n", "--- \n...\n", "\ufeff"])
def test_an_empty_file_is_said(text: str) -> None:
    assert found_in(text) == ["SF006"]


@pytest.mark.parametrize(
    ("name", "line"),
    [("x.calls.yaml", "flow: dial-in.yaml"), ("x.calls.yml", "flow: dial-in.yaml"), ("x.yaml", "sma_flow: 1")],
)
@pytest.mark.parametrize("text", ["", "- a\n"])
def test_a_file_without_keys_is_told_how_files_of_its_name_begin(text: str, name: str, line: str) -> None:
    _, (found,) = load_text(text, f"folder/{name}")
    assert f"`{line}`" in found.help


@pytest.mark.parametrize("text", ["- a\n", "hello\n", '"a: b"\n', "[a, b]\n", "|\n  a: b\n"])
def test_a_file_that_is_no_map_is_said(text: str) -> None:
    assert found_in(text) == ["SF009"]


def test_a_second_document_is_said() -> None:
    assert found_in("a: b\n---\nc: d\n") == ["SF008"]


@pytest.mark.parametrize("sign", ["[", "{a: ", "- "])
def test_deep_nesting_is_said(sign: str) -> None:
    assert found_in("a:\n  " + sign * 5_000 + "\n") == ["SF018"]


@pytest.mark.parametrize("text", ["? [a, b]\n: c\n", "<<: {a: b}\n", "? {a: b}\n: c\nd: e\n"])
def test_a_key_that_is_no_word_is_said(text: str) -> None:
    assert found_in(text) == ["SF019"]


BROKEN = [
    "say: hello: world\n",
    'say: "hello\nnext: b\n',
    "say: 'hello\n",
    "say: {name} is\n",
    "a:\n    b: 1\n  c: 2\n",
    "a:\n  b: 1\n   c: 2\n",
    "a: 1\nhello\nb: 2\n",
    "a: @b\n",
    "a: `b`\n",
    "a: % b\n",
    "a: & b\n",
    'a: "\\q"\n',
    "a: [b}\n",
    "a: {b: c\nd: e\n",
    "a: [",
    "- a\nb: c\n",
    'a: "x" y\n',
    "%YAML 3.0\n---\na: b\n",
    "a: |\n  x\n y\n",
    "a: >9x\n",
    ": b\n",
    "a: , b\n",
    "a: b\n}\n",
]


@pytest.mark.parametrize("text", BROKEN)
def test_broken_yaml_gives_one_finding_inside_of_the_file_that_says_what_to_do(text: str) -> None:
    document, (found,) = load_text(text, "t.yaml")
    assert document is None
    assert found.code == "SF007"
    assert found.help
    assert 1 <= found.span.line <= text.count("\n") + 1


@pytest.mark.parametrize("text", BROKEN)
def test_both_parsers_say_the_same_about_broken_yaml(text: str) -> None:
    assert load_text(text, "t.yaml")[1] == load_text(text, "t.yaml", PureParser)[1]


def test_an_escape_beyond_unicode_is_no_traceback_in_either_parser() -> None:
    for parser in (fast_parser(), PureParser):
        assert codes(load_text('a: "\\UFFFFFFFF"\n', "t.yaml", parser)[1]) == ["SF007"]


# places

WELL_FORMED = [
    DIAL_IN,
    PROMPTS,
    "a: b\n",
    "a:\n- b\n- c\n",
    "a:\n  - b: c\n    d: e\n  - f\n",
    "a: {b: [c, d], e: {f: g}}\nh: i\n",
    "a: 'it''s'\nb: \"x\\ty\"\n",
    "a: one\n  two\nb: c\n",
    "a: |\n  one\n  two\n\n\nb: >-\n  three\n  four\nc: d\n",
    "a: |\n  one\n",
    "a: &x [b]\nc: *x\nd: &y text\n",
    "a:\nb:\n  c:\nd: {e: , f: }\n",
    "a: b\r\nc: d\r\n",
    "é: ü # ö\n\N{BLACK TELEPHONE}: \N{GRINNING FACE} x\n",
    "---\na: b\n...\n",
    "? a\n: b\n",
    "a: b\u2028c: d\n",
]


@pytest.mark.parametrize("text", WELL_FORMED)
def test_both_parsers_give_the_same_nodes_at_the_same_places(text: str) -> None:
    fast, slow = load_text(text, "t.yaml"), load_text(text, "t.yaml", PureParser)
    assert fast[0] is not None
    assert slow[0] is not None
    assert (fast[0].root, fast[1]) == (slow[0].root, slow[1])


def scalars(node: Any) -> list[Scalar]:
    if isinstance(node, Scalar):
        return [node]
    if isinstance(node, Mapping_):
        return [each for key, value in node.entries for each in (key, *scalars(value))]
    return [each for item in node.items for each in scalars(item)]


@pytest.mark.parametrize("text", [DIAL_IN, PROMPTS])
def test_what_stands_at_a_place_is_what_was_read(text: str) -> None:
    document = load(text)
    for scalar in scalars(document.root):
        line = document.lines[scalar.span.line - 1]
        shown = line[scalar.span.col - 1 : scalar.span.end_col - 1]
        assert shown == (f'"{scalar.text}"' if scalar.quoted else scalar.text)
        if scalar.inset is not None and scalar.text:
            first = scalar.part(0)
            assert line[first.col - 1] == scalar.text[0]


def test_after_many_findings_the_rest_is_counted() -> None:
    _, found = load_text("a: b\n" * 1_000, "t.yaml")
    assert len(found) == 201
    assert (found[-1].code, found[-1].message) == ("SF020", "there are 799 more findings in t.yaml")

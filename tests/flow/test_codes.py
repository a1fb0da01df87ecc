"""The catalogue of diagnostics."""

from __future__ import annotations

import re

import pytest

from sma_flows.flow.codes import CODES, Code, explain


@pytest.mark.parametrize("code", CODES.values(), ids=list(CODES))
def test_an_entry_says_everything(code: Code) -> None:
    assert re.fullmatch(r"SF[0-6][0-9]{2}", code.code)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code.name)
    assert code.severity in ("error", "warning", "note")
    assert code.title.endswith(".")
    assert code.why.endswith(".")
    assert code.bad.strip() != code.good.strip() != ""


def test_a_page_is_found_by_code_and_by_name() -> None:
    page = explain("SF109")
    assert page == explain("sf109") == explain("bad-duration")
    assert page.startswith("SF109 bad-duration (error)\n\n")
    assert "    timeout: 5\n" in page
    assert "    timeout: 5s\n" in page


def test_an_unknown_code_has_no_page() -> None:
    with pytest.raises(KeyError):
        explain("SF999")


def test_names_are_unique() -> None:
    names = [code.name for code in CODES.values()]
    assert len(names) == len(set(names))


def test_files_and_values_have_families_of_their_own() -> None:
    assert len([code for code in CODES if code < "SF2"]) >= 16

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from sma_flows.errors import PlanError
from sma_flows.hooks.load import PRIVATE, find_hook, load_hooks
from sma_flows.plan import Plan

HOOK = """
from sma_flows.hooks import Call, Reply, hook
from . import rooms
from .deeper.helpers import shout

@hook
def verify_pin(call, meeting, pin):
    return Reply(rooms.OUTCOME, text=shout("hello"))

@hook
def second(call):
    return None

def not_marked(call):
    return None

number = 7
"""


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "flows" / "hooks"
    (folder / "deeper").mkdir(parents=True)
    (folder / "meetings.py").write_text(HOOK)
    (folder / "rooms.py").write_text("OUTCOME = 'ok'\n")
    (folder / "deeper" / "helpers.py").write_text("from ..rooms import OUTCOME\ndef shout(text): return text.upper()\n")
    yield tmp_path / "flows"
    for name in [name for name in sys.modules if name.startswith(PRIVATE)]:
        del sys.modules[name]


def plan(current: Mapping[str, str], old: Mapping[str, str] | None = None) -> Plan:
    def flow(hooks: Mapping[str, str]) -> dict[str, Any]:
        return {"name": "dial-in", "start": "a", "states": {}, "hooks": {n: {"python": p} for n, p in hooks.items()}}

    revisions = {"new": flow(current), **({"old": flow(old)} if old is not None else {})}
    return Plan("dial-in", (), {"dial-in": "new"}, revisions)


GOOD = "hooks.meetings:verify_pin"
GONE = "hooks.meetings:gone"


def test_a_hook_is_found_below_its_root_with_its_relative_imports(root: Path) -> None:
    reply = find_hook(GOOD, [root])(None, "1001", "482913")
    assert (reply.outcome, reply.values) == ("ok", {"text": "HELLO"})  # type: ignore[attr-defined]


def test_an_installed_package_of_the_same_name_is_neither_used_nor_replaced(root: Path) -> None:
    installed = sys.modules.get("hooks")
    find_hook(GOOD, [root])
    assert sys.modules.get("hooks") is installed
    assert "hooks.meetings" not in sys.modules
    assert str(root) not in sys.path


def test_two_roots_have_modules_of_their_own(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "hooks"
    other.mkdir(parents=True)
    (other / "meetings.py").write_text(
        "from sma_flows.hooks import hook\n@hook\ndef verify_pin(call): return 'other'\n"
    )
    assert find_hook(GOOD, [other.parent])(None) == "other"
    assert find_hook(GOOD, [root]) is not find_hook(GOOD, [other.parent])


def test_the_first_root_that_has_the_file_is_taken(root: Path, tmp_path: Path) -> None:
    assert find_hook(GOOD, [tmp_path / "nothing", root]) is find_hook(GOOD, [root, tmp_path / "nothing"])


def test_a_module_is_loaded_once(root: Path) -> None:
    first, second = find_hook(GOOD, [root]), find_hook("hooks.meetings:second", [root])
    assert first.__globals__ is second.__globals__  # type: ignore[attr-defined]
    assert find_hook(GOOD, [root]) is first


def test_another_thread_may_import_something_while_a_hook_is_looked_for(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Meanwhile(str):
        """A place at which a look is taken while another thread imports something from a new one."""

        def startswith(self, *_: object) -> bool:
            sys.path_importer_cache[f"{self}/{len(sys.path_importer_cache)}"] = None
            return False

    monkeypatch.setattr(sys, "path_importer_cache", {**sys.path_importer_cache, Meanwhile("/somewhere"): None})
    assert find_hook(GOOD, [root])


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ("hooks.nothing:verify_pin", "there is no file hooks/nothing.py below"),
        (GONE, "meetings.py has no function 'gone'"),
        ("hooks.meetings:number", "has no function 'number'"),
        ("hooks.meetings:not_marked", "not marked as a hook: write @hook above it"),
        ("hooks.meetings", "not written as package.module:function"),
        ("hooks/meetings:verify_pin", "not written as package.module:function"),
        ("hooks..meetings:verify_pin", "not written as package.module:function"),
        ("hooks.meetings:verify_pin()", "not written as package.module:function"),
    ],
)
def test_a_hook_that_cannot_be_found_is_named_with_the_reason(root: Path, declared: str, message: str) -> None:
    with pytest.raises(PlanError, match=message.replace("(", r"\(").replace(")", r"\)")):
        find_hook(declared, [root])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import nowhere_at_all", "ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("def broken(:", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError"),
        ("from .nothing import x", "No module named 'hooks.nothing'"),
    ],
)
def test_a_file_that_cannot_be_imported_is_named_with_the_reason(root: Path, text: str, reason: str) -> None:
    (root / "hooks" / "meetings.py").write_text(text)
    with pytest.raises(PlanError, match=f"hooks/meetings.py cannot be imported .*{reason}"):
        find_hook(GOOD, [root])


def test_the_hooks_of_every_revision_are_loaded(root: Path) -> None:
    loaded = load_hooks(plan({"check": GOOD}, {"check": "hooks.meetings:second"}), [root])
    assert {key: f.__name__ for key, f in loaded.functions.items()} == {
        ("new", "check"): "verify_pin",
        ("old", "check"): "second",
    }
    assert loaded.disabled == ()


def test_a_hook_that_the_current_revision_lacks_fails_the_load(root: Path) -> None:
    with pytest.raises(PlanError, match=r"flow 'dial-in', hook 'check': .*no function 'gone'"):
        load_hooks(plan({"check": GONE, "other": GOOD}), [root])


def test_a_hook_that_an_old_revision_lacks_disables_that_revision_only(root: Path) -> None:
    loaded = load_hooks(plan({"check": GOOD}, {"check": GONE, "other": GOOD}), [root])
    assert loaded.disabled == ("old",)
    assert set(loaded.plan.revisions) == {"new"}
    assert set(loaded.functions) == {("new", "check")}


def test_built_ins_are_nothing_to_find() -> None:
    made = plan({})
    made.revisions["new"]["hooks"] = {"look": {"builtin": "directory.find"}}
    assert load_hooks(made, []).functions == {}

"""Find the functions that a plan's hooks name.

``hooks.meetings:verify_pin`` is the function ``verify_pin`` of the file ``hooks/meetings.py`` below a hook root: the
folder that ``SMA_FLOWS_HOOKS`` names, or the plan's own folder, or ``flows`` in the working directory. The files are
loaded under a private name, so that an installed top-level package ``hooks`` is neither used nor replaced; relative
imports between them work.

A hook that the current revision of a flow names must be there, otherwise the plan does not load: it would only be
missed in a call. One that only an old revision names takes that revision out of the plan, and nothing else.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sma_flows.errors import PlanError
from sma_flows.hooks import MARK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sma_flows.plan import Plan

HookKey = tuple[str, str]
"""Revision and name of a hook in the plan."""

PRIVATE: Final = "_sma_flows_root_"
"""Start of the private package names, one for each hook root."""

_packages: Final[dict[str, str]] = {}


class LoadedHooks(NamedTuple):
    """The functions by (revision, hook name), the plan without the revisions that lack one, and these revisions."""

    functions: Mapping[HookKey, Callable[..., object]]
    plan: Plan
    disabled: tuple[str, ...] = ()


def load_hooks(plan: Plan, roots: Sequence[Path]) -> LoadedHooks:
    """Find every Python hook of *plan* below one of *roots*; the first root that has the file is taken.

    Raises:
        PlanError: a revision that new calls can get names a function that is not there.
    """
    current = plan.in_use
    functions: dict[HookKey, Callable[..., object]] = {}
    disabled: list[str] = []
    for revision, flow in plan.revisions.items():
        found: dict[HookKey, Callable[..., object]] = {}
        try:
            for name, declared in python_hooks(flow).items():
                found[revision, name] = find_hook(declared, roots)
        except PlanError as error:
            if revision in current:
                raise PlanError(f"flow '{current[revision]}', hook '{name}': {error}") from error
            disabled.append(revision)
        else:
            functions.update(found)
    if disabled:
        kept = {revision: flow for revision, flow in plan.revisions.items() if revision not in disabled}
        plan = plan._replace(revisions=kept)
    return LoadedHooks(functions, plan, tuple(disabled))


def python_hooks(flow: Mapping[str, Any]) -> dict[str, str]:
    """The Python hooks of a compiled flow: name to ``module:function``."""
    return {name: hook["python"] for name, hook in sorted(flow.get("hooks", {}).items()) if "python" in hook}


def find_hook(declared: str, roots: Sequence[Path]) -> Callable[..., object]:
    """The function that ``package.module:function`` names below the first root that has the module's file.

    Raises:
        PlanError: no such file, the file cannot be imported, no such function, or it is not marked with ``@hook``.
    """
    module_name, _, function_name = declared.partition(":")
    parts = module_name.split(".")
    if not function_name.isidentifier() or not all(part.isidentifier() for part in parts):
        raise PlanError(f"'{declared}' is not written as package.module:function")
    root = next((root for root in roots if _file(root, parts) is not None), None)
    if root is None:
        looked = ", ".join(str(root) for root in roots) or "no folder at all"
        raise PlanError(f"there is no file {'/'.join(parts)}.py below {looked}; name its folder in SMA_FLOWS_HOOKS")
    function = getattr(_module(root, module_name), function_name, None)
    if not callable(function):
        raise PlanError(f"{_file(root, parts)} has no function '{function_name}'")
    if not getattr(function, MARK, False):
        raise PlanError(f"'{function_name}' in {_file(root, parts)} is not marked as a hook: write @hook above it")
    return function  # type: ignore[no-any-return]  # a module holds anything


def _file(root: Path, parts: Sequence[str]) -> Path | None:
    """The file of a module below *root*, if it is there."""
    base = root.joinpath(*parts)
    for file in (base.with_suffix(".py"), base / "__init__.py"):
        if file.is_file():
            return file
    return None


def _look_again(root: str) -> None:
    """Forget which files were below *root*: some may have been written just now.

    As :func:`importlib.invalidate_caches` for one place. That one also loads ``importlib.metadata`` (Python 3.12 and
    later), which takes as long as a third of our own modules.
    """
    for place in list(sys.path_importer_cache):  # a copy: another thread may import something meanwhile
        if place == root or place.startswith(root + os.sep):
            sys.path_importer_cache.pop(place, None)


def _module(root: Path, name: str) -> ModuleType:
    """Import a module below *root* under a private name; the second time it is the same module."""
    root = root.resolve()
    package = _packages.setdefault(str(root), f"{PRIVATE}{len(_packages)}")
    if package not in sys.modules:
        top = ModuleType(package)
        top.__path__ = [str(root)]
        sys.modules[package] = top
        _look_again(str(root))
    try:
        return importlib.import_module(f"{package}.{name}")
    except Exception as error:  # the file is the author's and may raise anything
        reason = str(error).replace(f"{package}.", "")
        raise PlanError(f"{name.replace('.', '/')}.py cannot be imported ({type(error).__name__}: {reason})") from error

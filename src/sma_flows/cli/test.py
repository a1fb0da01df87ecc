"""``sma-flows test``: play the calls of ``*.calls.yaml`` files."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.progress import track

from sma_flows.cli.console import WrongUsage, busy, err, exit_with, say_json
from sma_flows.cli.cover import Wanted, collector, covered, tell, with_coverage_options, write
from sma_flows.cli.simulated import switch_option, switches_of
from sma_flows.flow.diagnostics import nearest
from sma_flows.testing.reports import Told, junit

if TYPE_CHECKING:
    from sma_flows.testing.compared import Leak
    from sma_flows.testing.coverage import Coverage
    from sma_flows.testing.script import CallScript, CallsFile
    from sma_flows.testing.targets import Target
    from sma_flows.testing.visits import Visit

__all__ = ["command"]

EXAMPLES = """\b
Examples:
  sma-flows test flows/calls                            every *.calls.yaml below a folder
  sma-flows test flows/calls/dial-in.calls.yaml
  sma-flows test flows/calls --junit build/calls.xml    for a build server
  sma-flows test flows/calls --recordings build/recordings    what callers said, as WAV files
  sma-flows test flows/calls --json | jq
  sma-flows test flows/calls -k PIN                     the calls with PIN in their name
  sma-flows test flows/calls --coverage                 what no call has come by, and what to write
  sma-flows test flows/calls --coverage-html build/coverage    the same in colours, for a browser
  sma-flows test flows/calls --fail-under 100           for a build server, too
  sma-flows test flows/calls --strict-sources           lean on nothing that nobody has documented or seen
  sma-flows test flows/calls --switch hangup_during_action=observed    on a service that does it so
  sma-flows test flows/calls --every-switch             each call again on every service there may be
  sma-flows test flows/calls --twins                    each call with other PINs, too: nothing may differ
  sma-flows test flows/calls --fresh                    a new process for each event
  sma-flows test flows/calls --target http://127.0.0.1:9000    the function that answers there
  sma-flows test flows/calls --target lambda:my-function       a deployed one
  sma-flows test flows/calls --runtime                  the package that would be deployed, in Lambda's own runtime

\b
Calls are played in virtual time on a model of the telephone service: no network, no credentials, no waiting.

\b
What nobody knows about the service is a switch (sma-flows fidelity --switches). --switch wins over the calls files;
--every-switch plays each call again under each other value of each switch, and tells under which it does not go as
written. A call that is right under one value only says so itself: `switches: {hangup_order: hangup_first}`.
With --json such a call stands there once more, with its `switch`; `others` counts the values that were tried.


Exit codes: 0 all calls went as written, 1 a call failed (also under another value of a switch) or a secret came out
(--twins), a calls file has mistakes or coverage is too low, 2 wrong usage.
"""


@click.command("test", short_help="Play calls against their flows, offline.", epilog=EXAMPLES)
@click.argument("paths", nargs=-1, required=True, metavar="PATHS...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Write a JUnit XML report to this file.")
@click.option("--fresh", is_flag=True, help="Answer each event in a process that has never answered one.")
@click.option(
    "--recordings", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER", help="Write recordings here."
)
@click.option("--target", metavar="FUNCTION", help="Who answers: a Lambda invoke URL, lambda:NAME, or an ARN.")
@click.option("--runtime", is_flag=True, help="Build the package, and let it answer in the real Lambda runtime.")
@click.option("--twins", is_flag=True, help="Play each call with other secrets, too, and compare what both leave.")
@switch_option
@click.option("--every-switch", is_flag=True, help="Play each call under every other value of every switch, too.")
@click.option("--strict-sources", is_flag=True, help="Fail calls that lean on inferred or unknown behaviour.")
@click.option("-k", "--filter", "only", multiple=True, metavar="NAME", help="Only calls with this in their name.")
@with_coverage_options
def command(
    paths: tuple[str, ...],
    as_json: bool,
    junit: Path | None,
    fresh: bool,
    recordings: Path | None,
    target: str | None,
    runtime: bool,
    twins: bool,
    switches: tuple[str, ...],
    every_switch: bool,
    strict_sources: bool,
    only: tuple[str, ...],
    wanted: Wanted,
) -> None:
    """Play the calls of *.calls.yaml files, or of all such files below folders, and tell which did not go as written.

    A failing call is shown with its transcript up to the first difference and the file:line of the step. Coverage is
    of states, transitions, outcomes and attempts at questions; with --json it stands beside the calls in one object.
    With --twins each call that hides something is played again, with other secrets and the real handler: records,
    metrics, traces, answers, stores, files and reports must be the same byte for byte.
    """
    begin = time.perf_counter()
    if (target or runtime) and (fresh or wanted or twins):
        option = "--fresh" if fresh else "--twins" if twins else "coverage"
        raise WrongUsage(f"{option} is for flows that answer here: leave it out, or --target or --runtime.")
    if target and runtime:
        raise WrongUsage("--target names who answers, and --runtime builds it: leave one of them out.")
    settled = switches_of(switches)
    told, calls = _read(_files(paths))
    calls = [(file, script.having(settled)) for file, script in calls]
    coverage = collector((file for file, _ in calls), map(Path, paths)) if wanted else None
    calls = [(file, _strict(script) if strict_sources else script) for file, script in _chosen(calls, only)]
    with ExitStack() as stack:
        built = _runtimes(calls, stack) if runtime else {}
        who = _Who(_target(target) if target else None, fresh, coverage, recordings, built, twins)
        for file, script in _with_progress(calls, quiet=as_json):
            told += _on_every_service(file, script, who) if every_switch else [_played(file, script, who)]
    failed = [one for one in told if one.problem]
    if junit is not None:
        _write(junit, told)
    if coverage is not None:
        write(coverage, wanted)
    if as_json:
        played = [one.as_object() for one in told]
        say_json(played if coverage is None else {"calls": played, "coverage": covered(coverage)})
    else:
        for one in failed:
            click.echo(f"{one.problem}\n")
        seconds = time.perf_counter() - begin
        for reason in dict.fromkeys(reason for one in told for reason in one.left_out):
            names = [one.call for one in told if reason in one.left_out]
            click.echo(f"Left out: {reason}: {', '.join(names)}")
        for note in dict.fromkeys(note for one in told for note in one.notes):
            click.echo(f"Note: {note}")
        if twins:
            both = [one for one in told if one.hidden]
            click.echo(f"{len(both)} calls hide something, and were played with other secrets, too")
        count = sum(one.played for one in told if one.call and not one.switch)
        went = f"{count} call{'s' if count != 1 else ''} played in {seconds:.1f} s"
        wrong = sum(not one.switch for one in failed)
        click.echo(f"{went}: {f'{wrong} failed' if wrong else 'all as written'}")
        if every_switch:
            _tell_services(told)
        if coverage is not None:
            tell(coverage, wanted)
    too_low = coverage is not None and coverage.too_low(wanted.fail_under)
    exit_with(1 if failed or too_low else 0)


def _files(paths: tuple[str, ...]) -> list[Path]:
    from sma_flows.testing.check import calls_files

    found: list[Path] = []
    for path in map(Path, paths):
        if not path.exists():
            raise WrongUsage(f"there is no file or folder '{path}': name a *.calls.yaml file.")
        below = calls_files(path) if path.is_dir() else [path]
        if not below:
            raise WrongUsage(f"there is no *.calls.yaml below '{path}': name a calls file or a folder that holds one.")
        found += [file for file in below if file not in found]
    return found


def _read(files: list[Path]) -> tuple[list[Told], list[tuple[CallsFile, CallScript]]]:
    from sma_flows.testing.check import checked_calls
    from sma_flows.testing.script import told as words_of

    told: list[Told] = []
    calls: list[tuple[CallsFile, CallScript]] = []
    for path in files:
        file, found = checked_calls(path)
        if file is None:
            line = found[0].span.line if found else 1
            told.append(Told(str(path), "", line, words_of(found), 0.0, played=False))
            continue
        calls += [(file, script) for script in file.calls]
        for one in found:
            words = f"{one.span.file}:{one.span.line}: {one.message} ({one.help})"
            told.append(Told(str(path), "", one.span.line, "", 0.0, played=False, notes=(words,)))
    return told, calls


def _strict(script: CallScript) -> CallScript:
    """The call, which may lean on nothing doubtful but what it names itself."""
    return replace(script, strict=script.strict or frozenset())


def _chosen(calls: list[tuple[CallsFile, CallScript]], only: tuple[str, ...]) -> list[tuple[CallsFile, CallScript]]:
    """The calls that ``--filter`` leaves."""
    words = [word.lower() for word in only]
    chosen = [each for each in calls if not words or any(word in each[1].name.lower() for word in words)]
    if calls and not chosen:
        names = [script.name for _, script in calls]
        near = nearest(only[0], names)
        raise WrongUsage(f"no call has '{only[0]}' in its name" + (f"; did you mean '{near}'?" if near else "."))
    return chosen


@dataclass(frozen=True, slots=True)
class _Who:
    """Who answers: a target, or the flow in process, in a fresh process per event or not. Who looks, what is kept."""

    target: Target | None
    fresh: bool
    coverage: Coverage | None
    recordings: Path | None
    built: Mapping[Path, Target]
    twins: bool = False

    def answering(self, file: CallsFile) -> Target | None:
        """Who answers the calls of a file; None: the flow, here."""
        return self.built.get(file.flow.parent.resolve(), self.target)

    def on_visits(self, file: CallsFile, script: CallScript) -> Callable[[frozenset[Visit]], None] | None:
        if self.coverage is None:
            return None
        return partial(self.coverage.add, file.flow, f"{file.path}: {script.name}")

    def folder(self, file: CallsFile, script: CallScript) -> Path | None:
        """Where the recordings of one call go: calls have the same keys, so each has a folder of its own."""
        if self.recordings is None:
            return None
        words = re.sub(r"[^a-z0-9]+", "-", script.name.lower()).strip("-")
        return self.recordings / file.path.name.partition(".")[0] / (words or f"line-{script.span.line}")


def _runtimes(calls: list[tuple[CallsFile, CallScript]], stack: ExitStack) -> dict[Path, Target]:
    """A package for each folder of flows, in a runtime of its own until *stack* ends."""
    from sma_flows.cli.load import load_plan
    from sma_flows.cli.values import gather_values
    from sma_flows.deploy.rehearse import rehearsal
    from sma_flows.errors import BuildError

    found: dict[Path, Target] = {}
    for folder in dict.fromkeys(file.flow.parent.resolve() for file, _ in calls):
        try:
            with busy(f"Building {folder.name}"):
                values = gather_values((), None, folder, process={})
                found[folder] = stack.enter_context(rehearsal(load_plan(str(folder)), folder, values))
        except BuildError as error:
            raise WrongUsage(f"--runtime: {error}.") from None
    return found


def _target(text: str) -> Target:
    from sma_flows.testing.targets import TargetError, target_of

    try:
        return target_of(text)
    except TargetError as error:
        raise WrongUsage(f"--target: {error}.") from None


def _played(file: CallsFile, script: CallScript, who: _Who, switch: str = "") -> Told:
    from sma_flows.errors import SmaFlowsError
    from sma_flows.testing.play import play_call, unplayable_at
    from sma_flows.testing.targets import TargetError

    target = who.answering(file)
    why_not = unplayable_at(target, script)
    if why_not:
        return Told(str(file.path), script.name, script.span.line, "", 0.0, (why_not,), played=False)
    begin, problem = time.perf_counter(), ""
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    try:
        played = play_call(
            file.flow,
            script,
            target=target,
            fresh=who.fresh,
            on_visits=who.on_visits(file, script),
            recordings=who.folder(file, script),
        )
        left_out, notes = played.left_out, played.notes
    except TargetError as error:
        raise WrongUsage(f"{error}.") from None
    except SmaFlowsError as error:
        problem = f"{script.name}{f' ({switch})' if switch else ''}\n{error}"
    leaks: tuple[Leak, ...] = ()
    hidden = 0
    if who.twins and not problem:
        problem, leaks, hidden, more = _twins(file, script)
        notes += more
    seconds = time.perf_counter() - begin
    where = (str(file.path), script.name, script.span.line)
    return Told(*where, problem, seconds, left_out, notes=notes, hidden=hidden, leaks=leaks, switch=switch)


def _on_every_service(file: CallsFile, script: CallScript, who: _Who) -> list[Told]:
    """A call as it is written, then what differs under each other value of a switch that nobody has settled.

    A call that fails as it is written is not played again: it would fail everywhere.
    """
    from sma_flows.simulator.switches import OTHERS

    first = _played(file, script, who)
    if first.problem or not first.played:
        return [first]
    who = replace(who, coverage=None, recordings=None, twins=False)
    others = [(name, value) for name, value in OTHERS if name not in script.settled]
    again = (_played(file, script.having({name: value}), who, f"{name}={value}") for name, value in others)
    return [replace(first, others=len(others)), *(one for one in again if one.problem)]


def _tell_services(told: list[Told]) -> None:
    by_switch: dict[str, list[str]] = {}
    for one in told:
        if one.switch:
            by_switch.setdefault(one.switch, []).append(one.call)
    for switch, names in sorted(by_switch.items()):
        click.echo(f"Not as written under {switch}: {', '.join(names)}")
    again = sum(one.others for one in told)
    went = f"{sum(map(len, by_switch.values()))} went otherwise" if by_switch else "all as written"
    click.echo(f"{again} calls played under other values of switches: {went}")


def _twins(file: CallsFile, script: CallScript) -> tuple[str, tuple[Leak, ...], int, tuple[str, ...]]:
    """What is wrong, what came out, how much was hidden, and what whoever reads this should know."""
    from sma_flows.testing.twins import twin_call

    found = twin_call(file.flow, script)
    problem, notes = found.told(f"{script.span.file}:{script.span.line}")
    return problem, tuple(found.leaks), found.hidden, tuple(notes)


def _with_progress(calls: list[tuple[CallsFile, CallScript]], *, quiet: bool) -> Iterator[tuple[CallsFile, CallScript]]:
    console = err()
    if quiet or not console.is_terminal:
        return iter(calls)
    return iter(track(calls, "Calling", console=console, transient=True))


def _write(path: Path, told: list[Told]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(junit(told))
    except OSError as error:
        raise WrongUsage(f"the report {path} cannot be written ({error.strerror}).") from None

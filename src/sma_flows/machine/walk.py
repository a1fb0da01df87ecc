"""The machine itself, and a call that walks through it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from transitions import EventData, Machine, State

from sma_flows.machine.expand import BACK, CONVERSATION, HANGUP, RINGING, Node, expand

if TYPE_CHECKING:
    from sma_flows.compiler.resolved import ResolvedFlow

__all__ = ["FlowCall", "FlowMachine", "machine"]


class FlowMachine(Machine):
    """A ``transitions`` machine whose states are the states of a flow.

    Triggers are not attached to models as methods: outcome names are chosen by authors and could hide anything, and
    attaching costs time for every state. Use :class:`FlowCall`, or ``machine.events[trigger].trigger(model)``.
    """

    nodes: dict[str, Node]

    def _add_trigger_to_model(self, trigger: str, model: object) -> None:
        pass

    def _add_model_to_state(self, state: State, model: object) -> None:
        pass


class FlowCall:
    """One call that walks through a machine.

    ``state`` is where it is, ``visited`` the names of all states that ran, in order; a state whose visits were used up
    did not run. ``talking`` tells whether a bridge or meeting is connected; ``base`` is the state behind an aside.
    """

    def __init__(self, flow: FlowMachine) -> None:
        self.machine = flow
        self.state = RINGING
        self.visited: list[str] = []
        self.counts: dict[str, int] = {}
        self.tries = 0
        self.stack: list[str] = []
        self.base = ""
        self.talking = False
        self.failing = False

    @property
    def node(self) -> Node | None:
        """The present state's node; None before the call and after it."""
        return self.machine.nodes.get(self.state)

    @property
    def over(self) -> bool:
        """Whether the call has ended, or ends with the present state."""
        node = self.node
        return self.state == HANGUP or (node is not None and node.last)

    def start(self) -> FlowCall:
        """Answer the call: enter the flow's first state."""
        return self.take("start")

    def take(self, outcome: str) -> FlowCall:
        """The present state ends with *outcome*; go on to where the next outcome is needed.

        For ``gather`` and ``menu`` this is the outcome of one attempt.

        Raises:
            transitions.MachineError: the state has no such outcome.
        """
        if self.talking and self.base != self.state and outcome in ("ended", "left"):
            self._fire("drop")
        node = self.node
        was_talking = self.talking
        if node is not None and node.verb in CONVERSATION:
            self.talking = self.talking and outcome not in node.edges
        if node is not None and node.frees and outcome == "done":
            self.talking = False
        tries = self.tries
        self._fire(outcome)
        if was_talking and not self.talking:
            self.base = ""
        if self.tries > tries:
            return self  # another attempt at the same question
        return self._arrive()

    def connect(self) -> FlowCall:
        """The bridge or meeting of the present state is connected."""
        self.talking, self.base = True, self.state
        node = self.node
        if node is not None and node.connected:
            self._fire("connected")
            return self._arrive()
        return self

    def press(self, key: str) -> FlowCall:
        """A background key of the present state, or of the conversation behind the present aside."""
        if self.base and self.base != self.state:
            self._fire("drop")
        self.base = self.state
        self._fire(f"key {key}")
        return self._arrive()

    def leave(self) -> FlowCall:
        """The caller hangs up."""
        self._fire("gone")
        return self

    def _fire(self, trigger: str) -> None:
        self.machine.events[trigger].trigger(self)

    def _arrive(self, *, counted: bool = True) -> FlowCall:
        while True:
            node = self.node
            if self.state == BACK:
                self._fire("return to base")
                if self.talking:
                    return self  # a conversation simply goes on
                counted = False
                continue
            if node is None:
                return self
            self.tries = 0
            if node.visits and counted:
                if self.counts.get(node.counter, 0) >= node.visits:
                    self._fire("exhausted")
                    continue
                self.counts[node.counter] = self.counts.get(node.counter, 0) + 1
            counted = True
            # Only a state that runs starts other counts again; otherwise two used-up states could feed each other.
            for counter in node.resets:
                self.counts.pop(counter, None)
            self.visited.append(node.name)
            if node.listens and not self.talking:
                self.base = node.name
            if node.enters:
                self.stack.append(node.name)
                self._fire("enter")
            elif node.returns:
                self._fire("return")
                self.stack.pop()
            elif any(self.counts.get(_limit(node, outcome), 0) >= most for outcome, most in node.limits.items()):
                self._fire("limited")
            else:
                return self


def _limit(node: Node, outcome: str) -> str:
    return f"{node.name}:{outcome}"


def machine(flow: ResolvedFlow) -> FlowMachine:
    """The machine of *flow*, sub-flows included. Automatic transitions are off: only what the flow says can happen."""
    nodes = {node.name: node for node in expand(flow)}
    built = FlowMachine(
        model=None,
        states=[RINGING, *nodes, BACK, State(HANGUP, final=True)],
        initial=RINGING,
        auto_transitions=False,
        send_event=True,
        name=flow.name,
    )
    built.nodes = nodes
    add = built.add_transition
    add("start", RINGING, flow.model.start)
    for node in nodes.values():
        for outcome, target in node.edges.items():
            _add_outcome(built, node, outcome, target, flow.model.defaults.next.get("failed", ""))
        for key, target in node.keys.items():
            if node.verb != "menu":
                add(f"key {key}", node.name, target)
        if node.connected:
            add("connected", node.name, node.connected)
        if node.enters:
            add("enter", node.name, node.enters)
        if node.returns:
            for user in nodes.values():
                if user.verb == "use" and user.enters.rpartition("/")[0] == node.name.rpartition("/")[0]:
                    target = user.edges[node.returns]
                    add("return", node.name, target, conditions=_when(lambda call, of=user.name: call.stack[-1] == of))
        if node.listens:
            add("return to base", BACK, node.name, conditions=_when(lambda call, of=node.name: call.base == of))
    for name in _asides(nodes):
        for node in nodes.values():
            if node.listens and node.name != name:
                add("drop", name, node.name, conditions=_when(lambda call, of=node.name: call.base == of))
    add("gone", [RINGING, *nodes, BACK], HANGUP)
    return built


def _add_outcome(built: FlowMachine, node: Node, outcome: str, target: str, errors: str) -> None:
    """One edge, with the conditions under which an outcome means something else.

    *errors* is the state that the flow's defaults name for failures: the error path, which is entered once.
    """
    add = built.add_transition
    if outcome in ("no_input", "no_match") and node.attempts > 1:

        def count_try(event: EventData) -> None:
            event.model.tries += 1  # type: ignore[attr-defined]

        more = _when(lambda call, most=node.attempts: call.tries + 1 < most)
        add(outcome, node.name, node.name, conditions=more, after=count_try)

        def forget_tries(event: EventData) -> None:
            event.model.tries = 0  # type: ignore[attr-defined]

        add(outcome, node.name, target, after=forget_tries)
        return
    if outcome in node.limits:
        counter = _limit(node, outcome)

        def count(event: EventData) -> None:
            counts = event.model.counts  # type: ignore[attr-defined]
            counts[counter] = counts.get(counter, 0) + 1

        full = _when(lambda call, most=node.limits[outcome]: call.counts.get(counter, 0) + 1 >= most)
        add(outcome, node.name, node.edges["limited"], conditions=full, after=count)
        add(outcome, node.name, target, after=count)
        return
    own = "failed" in node.own
    if outcome == "failed" and target != BACK and (not own or target == errors):

        def note(event: EventData) -> None:
            event.model.failing = True  # type: ignore[attr-defined]

        # In a conversation a failure that the state does not answer itself goes back.
        if not own and node.verb not in CONVERSATION:
            add(outcome, node.name, BACK, conditions=_when(lambda call: call.talking))
        add(outcome, node.name, target, unless=_when(lambda call: call.failing), after=note)
        add(outcome, node.name, HANGUP)
        return
    add(outcome, node.name, target)


def _when(test: Callable[..., bool]) -> Callable[[EventData], bool]:
    return lambda event: test(event.model)


def _asides(nodes: dict[str, Node]) -> set[str]:
    """States that can run while another one waits behind them."""
    todo = [target for node in nodes.values() if node.verb != "menu" for target in node.keys.values()]
    todo += [node.connected for node in nodes.values() if node.connected]
    found: set[str] = set()
    while todo:
        name = todo.pop()
        if name in nodes and name not in found:
            found.add(name)
            todo += nodes[name].edges.values()
    return found

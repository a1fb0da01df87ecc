"""A flow as a ``transitions`` machine: to walk through by hand, to draw, and to test the compiler against.

The machine is built from what the author wrote (the resolved source model), not from the compiled plan, and with its
own reading of defaults, retries and visits. So it can serve as an oracle: driven by the same outcomes, machine and plan
must visit the same states (decision 38). It does no live work; a call is answered from the plan.

>>> from pathlib import Path
>>> from sma_flows.compiler.load import load
>>> flow = load([Path("flows/dial-in.yaml")]).flows[0]
>>> call = FlowCall(machine(flow)).start()
>>> call.state
'language'
>>> call.take("2").take("done").state, call.visited
('ask_conference', ['language', 'spanish', 'ask_conference'])
>>> call.take("no_input").take("no_match").take("no_input").state     # two further attempts, then the default
'goodbye'

Triggers are the words of the language: an outcome (``done``, ``no_input``, a menu key, a hook's outcome), ``key *6``
for a key in the background, ``gone`` when the caller hangs up. Transitions that the language takes by itself (a state
whose visits are used up, entering and leaving a sub-flow, ``back``) are triggers too; :class:`FlowCall` pulls them.
"""

from sma_flows.machine.draw import dot, mermaid
from sma_flows.machine.expand import Node, expand
from sma_flows.machine.walk import FlowCall, FlowMachine, machine

__all__ = ["FlowCall", "FlowMachine", "Node", "dot", "expand", "machine", "mermaid"]

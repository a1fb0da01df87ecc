"""The PSTN Audio service as a program: a network whose state is a value, and a driver that plays calls on it.

* :mod:`sma_flows.simulator.network`: ``advance(network, input) -> (network, outputs)``, the whole service without I/O.
* :mod:`sma_flows.simulator.messages`: what goes in and what comes out.
* :mod:`sma_flows.simulator.driver`: a caller with a script, in virtual time, against any function that answers events.
* :mod:`sma_flows.simulator.switches`: what nobody knows about the service, each with a default.
* :mod:`sma_flows.simulator.fidelity`: where each of the 71 rules comes from, and which test holds it.
"""

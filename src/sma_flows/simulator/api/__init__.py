"""The control plane on localhost: the calls of an application to the service, answered by the simulator.

* :mod:`sma_flows.simulator.api.plane`: a request goes in, an answer comes out; no server.
* :mod:`sma_flows.simulator.api.server`: the same behind HTTP (uvicorn, extra ``serve``).
* :mod:`sma_flows.simulator.api.faults`: how it fails on demand.
* the ``*_model`` modules: the operations as the service models of the SDK describe them.
"""

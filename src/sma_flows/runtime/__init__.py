"""One invocation: a pure step between events and answers, and the loop that performs what it asks for."""

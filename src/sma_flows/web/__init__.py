"""Click-to-call: a page asks for a call, a telephone rings, and both meet in one meeting (docs/click-to-call.md)."""

"""Rules: one short function per finding. Its docstring says what is wrong and cites the source."""

"""The language an author writes: text, models, expressions, diagnostics."""

"""The safety gate: what passes, what waits, and what counts."""

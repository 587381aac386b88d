"""Several replicas divide the zones: what belongs together, who takes what, and what each of them gets to see."""

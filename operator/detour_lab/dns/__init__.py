"""Name servers: the lab's own, real ones as processes, and what samples their answers."""

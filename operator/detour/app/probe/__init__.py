"""`detour probe`: the same checks, made in another place, and reported through the Kubernetes API."""

"""What Detour does: facts come in, decisions are made, zones are made to show them.

Nothing here knows Kubernetes or a provider.
"""

"""A twin of the operator: the same engine over a copy of what there is, on a clock of its own. It reaches nothing.

It answers what would happen: what manifests would change, and who would go where if a region failed.
"""

"""Everything together: a lab, clusters, operators."""

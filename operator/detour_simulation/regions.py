"""The regions of every run."""

REGIONS = ("aws-us-east-1", "azure-westeurope", "gcp-europe-west3")

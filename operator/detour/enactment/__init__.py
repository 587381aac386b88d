"""The one writer of a zone: exact batches behind a ledger, within a budget, verified at the name servers."""

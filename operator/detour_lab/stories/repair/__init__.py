"""The repair suite: everything that can be damaged is damaged, everywhere, and must be put back without a person.

`damages` is the table: what is done, what must be true afterwards, and which event tells it. Each row meets each DNS
service twice, while the operator runs and while it is down; that is a cell, and each cell has a zone of its own.

    damages ─► cells ─► servers (six DNS services)      what there is
    survey ─► judging                                   what is seen, and what is wrong with it
    suite                                               publish, damage, measure, fail over, for all cells at once

The judge is not the product: what a ledger, a marker or a status must say is reckoned here from the design alone.
"""

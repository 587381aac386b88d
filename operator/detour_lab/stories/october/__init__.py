"""October 2025, step by step: once with a plain check-then-upsert writer, once with Detour.

On 19-20 October 2025 the DNS name of DynamoDB in us-east-1 answered nothing for 2 h 37 min. AWS has told why, in
public and in detail (https://aws.amazon.com/message/101925/), so that others can learn from it. This package is one
way of learning: the steps of that night, small enough to be read in one sitting and run on one machine.

    plans.py      the planner: numbered plans, each a set of addresses
    aliases.py    a zone whose name server follows aliases, as Route 53's does
    planzone.py   what an enactor does at Route 53: plans as records, names that point at a plan
    enactor.py    the plain writer, a process: checks once, then writes name by name, then cleans up
    writers.py    that process as a story sees it: it can be held at a point, stopped and woken
    standstill.py whether a stopped process has come to a stand
    plain.py      the story with the plain writer
    evidence.py   what a zone's history says about who wrote what under which ledger
    watch.py      who asks the name servers meanwhile, and counts what should not have been
    replicas.py   two replicas of the operator beside each other
    fenced.py     the same story with Detour

It is a model: docs/october-2025.md says what is public about the outage, and where this is simpler.
"""

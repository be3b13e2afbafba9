"""The facts that stay: buildings, cameras, passages, events, totals, and how far the aggregator has come.

Every room reaches the database through the repositories here: `sites` for what people set up, `ledger` for what the
aggregator finds out, `reports` for what people ask. They take and give `records`; rows and SQL stay inside. SQLite is
the embedded default, PostgreSQL serves more than one machine; both hold the same tables, in nanoseconds UTC.
"""

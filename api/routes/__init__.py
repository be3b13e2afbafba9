"""The routes under `/api/v1`, one module for each kind of thing. They hold no queries and no rules."""

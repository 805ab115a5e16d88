"""The only SQL: predictions, feedback, versions and runs, in an SQLite file or in PostgreSQL."""

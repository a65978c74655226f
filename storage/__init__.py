"""Durable state: one SQL database (SQLite or PostgreSQL) that every process and node of a deployment shares.

Each room declares its own tables on `storage.metadata.METADATA`; what runs against them is a plain function over a
`sqlalchemy.Connection`, handed to `Storage.read` or `Storage.write`. The same function works on both databases.
"""

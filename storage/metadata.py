"""The one `MetaData` on which every room declares its tables, and the table that describes the database itself."""

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, Text

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

# A primary key of this type is SQLite's row id; BIGINT there would cost a second tree.
BIGINT = BigInteger().with_variant(Integer(), "sqlite")

# One row. On PostgreSQL it is also the write lock: every writer takes it FOR UPDATE first.
STATE = Table(
    "storage_state",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    Column("moved_to", Text, nullable=True),
)

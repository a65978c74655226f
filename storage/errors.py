"""What can go wrong between the gateway and its database."""


class StorageError(Exception):
    """Something about the database that the operator has to know."""


class StorageUnavailable(StorageError):
    """The database did not do what was asked, now: disk full, input/output error, lock, lost connection."""


class CommitUnknown(StorageUnavailable):
    """The connection broke while COMMIT was on its way: the transaction may or may not be durable.

    Only PostgreSQL raises it. The next transaction that holds the write lock sees which of the two happened.
    """


class StorageMoved(StorageUnavailable):
    """The contents were copied to another database, which is the truth now; this one must not be written any more."""


class SchemaUnknown(StorageError):
    """The schema in the database is not the one this version of the gateway works with; the text names the command."""


class SchemaLost(SchemaUnknown):
    """The database is empty although a log was kept in it."""


class NotEmpty(StorageError):
    """The target of a copy or a restore already holds rows."""


class CopyDiffers(StorageError):
    """After copying, counts or roots of source and target differ; the target was not committed."""


class RollbackRefused(StorageError):
    """The backup does not contain everything that is known to have been committed."""

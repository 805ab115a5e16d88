"""The database's revisions, run by `storage.migration` with the package's own connection."""

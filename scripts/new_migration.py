"""Write a migration from the difference between the tables and the newest revision: `new_migration.py "Add x"`."""

import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config

from shared.storage import schema
from shared.storage.database import Database


def main(message: str) -> None:
    """Apply what exists to an empty database, then let alembic compare. The number is the next one."""
    revision = f"{int(schema.HEAD) + 1:04}"
    if any(schema.MIGRATIONS.glob(f"versions/{revision}_*.py")):
        sys.exit(f"error: there is a revision {revision} already; raise HEAD in shared/storage/schema.py first")
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'empty.sqlite3'}")
        if any(schema.MIGRATIONS.glob("versions/*.py")):
            schema.upgrade(database)
        config = Config()
        config.set_main_option("script_location", str(schema.MIGRATIONS))
        with database.engine.connect() as connection:
            connection.info["write"] = True
            with connection.begin():
                config.attributes["connection"] = connection
                command.revision(config, message, autogenerate=True, rev_id=revision)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])

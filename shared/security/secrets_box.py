"""Secrets at rest: sealed with Fernet, whose keys can be rotated."""

from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from shared.errors import Conflict, InvalidInput, Unavailable
from shared.security import secret_files
from shared.storage import sealed_rows
from shared.storage.database import Database

CHECK = "mcp-gateway"


class SecretsBox:
    """Seals with the newest key, opens with any.

    Keys in a file are rotated by `rotate`, which other processes of this machine notice by themselves. To rotate those of
    the settings: give every process `old,new`, then `new,old`; the first one started with the latter puts everything
    stored under the new key, after which `old` may go.
    """

    def __init__(self, keys: str, file: Path | None = None) -> None:
        """`keys` are Fernet keys, comma-separated, newest first; `file` is where they are kept. Raises InvalidInput."""
        self._file = file
        self._take(keys)

    def _take(self, keys: str) -> None:
        try:
            fernets = [Fernet(key.strip().encode()) for key in keys.split(",") if key.strip()]
            newest, every = fernets[0], MultiFernet(fernets)
        except (ValueError, IndexError):
            raise InvalidInput(
                "SECRETS_KEY must be Fernet keys (32 bytes in URL-safe base64), comma-separated, newest first.",
                code="bad_secrets_key",
            ) from None
        self._keys, self._newest, self._all = keys, newest, every

    @classmethod
    def from_setting(cls, setting: str, file: Path) -> "SecretsBox":
        """With the keys that were set, else the one kept in `file`, made at first use."""
        if setting:
            return cls(setting)
        return cls(secret_files.read_or_create(file, Fernet.generate_key).decode("ascii", "replace"), file)

    def seal(self, text: str) -> str:
        """The text, encrypted and authenticated. Where it is to be stored, under `exclusive.SEALED`: see `rotate`."""
        self._look()
        return self._all.encrypt(text.encode()).decode("ascii")

    def open(self, sealed: str) -> str:
        """The text that was sealed. Raises Unavailable when no key fits."""
        if not _fits(self._all, sealed):
            self._look()
        try:
            return self._all.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise Unavailable(
                "A stored secret cannot be opened with the present SECRETS_KEY; set the key it was sealed with, "
                "or store the secret again."
            ) from None

    async def verify_against(self, database: Database) -> None:
        """Refuse to start on a database whose secrets another key sealed; after a rotation, seal them anew.

        Raises InvalidInput, and changes nothing, when no key fits.
        """
        sealed = await database.run(lambda session: sealed_rows.check_value(session, lambda: self.seal(CHECK)))
        if not _fits(self._all, sealed):
            raise InvalidInput(
                "SECRETS_KEY is not the key that this database's secrets were sealed with; set that one (or bring "
                "back the file secrets.key of the data directory). Nothing was changed.",
                code="wrong_secrets_key",
            )
        if not _fits(self._newest, sealed):
            await database.run(lambda session: sealed_rows.reseal(session, self._renewed))

    async def rotate(self, database: Database) -> int:
        """A new key in place of those in the file; how many stored secrets are under it now.

        The file first holds both, so that a crash at any time leaves nothing that cannot be opened. Whoever stores
        something meanwhile does so under `exclusive.SEALED`: either before, and it is sealed anew, or after, and then
        the new key is in the file already. Raises Conflict, Unavailable.
        """
        file = self._file
        if file is None:
            raise Conflict(
                "The key comes from SECRETS_KEY, which only you can change: give every process 'SECRETS_KEY=old,new' with a "
                "key from `mcp-gateway secrets new-key`, then 'new,old', which puts everything under the new one, then 'new'.",
                code="secrets_key_from_settings",
            )
        with secret_files.alone(file):
            new, old = Fernet.generate_key(), secret_files.read(file)
            secret_files.replace(file, new + b"," + old)
            self._look()
            count = await database.run(lambda session: sealed_rows.reseal(session, self._renewed))
            secret_files.replace(file, new)
            self._look()
        return count

    def _look(self) -> None:
        """Take up the keys that are in the file now: another process may have rotated them."""
        if self._file is not None:
            keys = secret_files.read(self._file).decode("ascii", "replace")
            if keys != self._keys:
                self._take(keys)

    def _renewed(self, sealed: str) -> str:
        """Under the newest key; what no key opens is left as it is."""
        return self._all.rotate(sealed.encode()).decode("ascii") if _fits(self._all, sealed) else sealed


def new_key() -> str:
    """A key for SECRETS_KEY."""
    return Fernet.generate_key().decode("ascii")


def _fits(fernet: Fernet | MultiFernet, sealed: str) -> bool:
    try:
        fernet.decrypt(sealed.encode())
    except InvalidToken:
        return False
    return True

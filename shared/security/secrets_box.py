"""Secrets at rest: sealed with Fernet, whose keys can be rotated."""

from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from shared.errors import InvalidInput, Unavailable
from shared.security import secret_files
from shared.storage import sealed_rows
from shared.storage.database import Database

CHECK = "mcp-gateway"


class SecretsBox:
    """Seals with the newest key, opens with any.

    To rotate: give every process `old,new`, then `new,old`; the first one started with the latter puts everything
    stored under the new key, after which `old` may go.
    """

    def __init__(self, keys: str) -> None:
        """`keys` are Fernet keys, comma-separated, newest first. Raises InvalidInput."""
        try:
            fernets = [Fernet(key.strip().encode()) for key in keys.split(",") if key.strip()]
            self._newest = fernets[0]
            self._all = MultiFernet(fernets)
        except (ValueError, IndexError):
            raise InvalidInput(
                "SECRETS_KEY must be Fernet keys (32 bytes in URL-safe base64), comma-separated, newest first.",
                code="bad_secrets_key",
            ) from None

    @classmethod
    def from_setting(cls, setting: str, file: Path) -> "SecretsBox":
        """With the keys that were set, else the one kept in `file`, made at first use."""
        return cls(setting or secret_files.read_or_create(file, Fernet.generate_key).decode("ascii", "replace"))

    def seal(self, text: str) -> str:
        """The text, encrypted and authenticated."""
        return self._all.encrypt(text.encode()).decode("ascii")

    def open(self, sealed: str) -> str:
        """The text that was sealed. Raises Unavailable when no key fits."""
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

    def _renewed(self, sealed: str) -> str:
        """Under the newest key; what no key opens is left as it is."""
        return self._all.rotate(sealed.encode()).decode("ascii") if _fits(self._all, sealed) else sealed


def _fits(fernet: Fernet | MultiFernet, sealed: str) -> bool:
    try:
        fernet.decrypt(sealed.encode())
    except InvalidToken:
        return False
    return True

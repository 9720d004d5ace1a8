"""Files on the other side of a terminal session: what callers ask for and what they are told."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared.domain.targets import Path
from shared.domain.terminal import SessionRef, WithLeave
from shared.domain.wire import Timestamp, Wire

FileType = Literal["file", "directory", "symlink", "other"]
FileEncoding = Literal["text", "base64"]
Mode = Annotated[str, StringConstraints(pattern=r"^0?[0-7]{3}$")]
MAX_ENTRIES = 2000

PATH = "Relative ones start in the session's directory; `~` is the home directory."


class ListFiles(SessionRef, WithLeave):
    """Look at a directory or a file."""

    path: Path = Field(".", description=PATH)


class ReadFile(SessionRef, WithLeave):
    """Read a file, or a part of it."""

    path: Path = Field(description=PATH)
    offset: Annotated[int, Field(ge=0)] = Field(0, description="Byte to begin with.")
    limit: Annotated[int, Field(ge=1)] | None = Field(None, description="Most bytes to read; as many as are allowed.")
    encoding: FileEncoding | None = Field(
        None, description="Form of the content. Default: text where it is text in UTF-8, else base64."
    )


class WriteFile(SessionRef, WithLeave):
    """Write a whole file. It is there in full or not at all, whatever happens meanwhile."""

    path: Path = Field(description=PATH)
    content: str = Field(repr=False, description="Text, or bytes in base64.")
    encoding: FileEncoding = "text"
    mode: Mode | None = Field(
        None, description="Permissions in octal, such as 0644. Default: those of the file before, else by the umask."
    )
    overwrite: bool = Field(False, description="Replace a file that is there; otherwise that is refused.")


class FileInfo(Wire):
    """A file, directory, link or device. `target` is where a symlink leads."""

    name: str
    path: str
    type: FileType
    size: int
    mode: str
    modified_at: Timestamp | None
    target: str | None = Field(None, exclude_if=lambda value: value is None)


class FileList(Wire):
    """What is at a path; `entries`, by name, where that is a directory. `truncated` says that it has more of them."""

    file: FileInfo
    entries: list[FileInfo] | None = Field(None, exclude_if=lambda value: value is None)
    truncated: bool = False


class FileContent(Wire):
    """Bytes of a file, `bytes` of them from `offset`. `eof` says that there are none after them."""

    file: FileInfo
    offset: int
    bytes: int
    eof: bool
    encoding: FileEncoding
    content: str


class FileWritten(Wire):
    """A file as it was written; `created` says that there was none before."""

    file: FileInfo
    created: bool

"""Fetching the embedded model's weights, with a bar that shows how far it is."""

import importlib.util
from pathlib import Path

from mcp_gateway.commands.output import print_json

RUNTIME = "xllamacpp"


def pull_weights(data_dir: Path, *, as_json: bool) -> None:
    """Fetch them unless they are there. Raises Unavailable, before anything is fetched when nothing could run them."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from shared.providers.weights import pull

    _need_runtime()
    columns = TextColumn("SmolLM2-135M-Instruct"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("download", total=None)
        place = pull(data_dir, lambda done, total: progress.update(task, completed=done, total=total))
    if as_json:
        print_json({"path": str(place)})
    else:
        print(f"The weights are at {place}.")


def _need_runtime() -> None:
    if importlib.util.find_spec(RUNTIME) is None:
        from shared.errors import Unavailable
        from shared.providers.installation import extra_missing

        raise Unavailable(
            f"The embedded model's runtime is not installed, so nothing was fetched; {extra_missing('local')}",
            code="runtime_missing",
        )

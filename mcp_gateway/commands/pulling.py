"""Fetching the embedded model's weights, with a bar that shows how far it is."""

import importlib.util
from pathlib import Path

from mcp_gateway.commands.output import print_json

RUNTIME = "xllamacpp"


def pull_weights(data_dir: Path, *, as_json: bool) -> None:
    """Fetch them unless they are there, and say what is still missing. Raises Unavailable."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from shared.providers.weights import pull

    columns = TextColumn("SmolLM2-135M-Instruct"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("download", total=None)
        place = pull(data_dir, lambda done, total: progress.update(task, completed=done, total=total))
    runs = importlib.util.find_spec(RUNTIME) is not None
    if as_json:
        print_json({"path": str(place), "runtimeInstalled": runs})
        return
    print(f"The weights are at {place}.")
    if not runs:
        print("Its runtime is missing: pip install 'ai-mcp-gateway[local]'")

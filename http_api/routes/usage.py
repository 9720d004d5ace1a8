"""What was used."""

from http_api.binding import Row
from http_api.renderings import Rendering
from shared.operations import usage
from shared.operations.usage_csv import csv_of

CSV = Rendering(
    media="text/csv; charset=utf-8", filename="usage.csv", render=lambda report: csv_of(report).encode("utf-8")
)

ROWS = (
    Row(method="GET", path="/v1/usage", operation=usage.QUERY_USAGE, renderings={"csv": CSV}),
    Row(method="GET", path="/v1/stats", operation=usage.STATS),
)

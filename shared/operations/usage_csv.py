"""A usage report for spreadsheets: CSV as RFC 4180 has it, and no cell that a spreadsheet would run as a formula."""

import csv
import io
from decimal import Decimal

from shared.domain.money import plain
from shared.operations.usage import UsageGroup, UsageReport

RUN_BY_SPREADSHEETS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a cell may not begin with (OWASP, CSV injection)."""

FIELDS = tuple(UsageGroup.model_fields)
HEADER = tuple(field.alias or name for name, field in UsageGroup.model_fields.items())


def csv_of(report: UsageReport) -> str:
    """A header and one line a group; a cost that is not known is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text)  # its line ends are CRLF, as RFC 4180 wants them
    writer.writerow(HEADER)
    writer.writerows([_cell(getattr(group, name)) for name in FIELDS] for group in report.groups)
    return text.getvalue()


def _cell(value: str | int | Decimal | None) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return plain(value)
    text = str(value)
    return f"'{text}" if text.startswith(RUN_BY_SPREADSHEETS) else text

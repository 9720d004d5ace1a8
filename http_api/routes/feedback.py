"""What callers say of their answers."""

from http_api.binding import Row
from shared.operations import feedback

ROWS = (Row(method="POST", path="/v1/feedback", operation=feedback.GIVE_FEEDBACK),)

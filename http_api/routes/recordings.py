"""Recordings of terminal sessions."""

from http_api.binding import Row
from http_api.renderings import Rendering
from shared.operations import recordings

CAST = Rendering(media="application/x-asciicast", filename="session.cast", render=lambda result: result.content)

ROWS = (
    Row(method="GET", path="/v1/terminal/recordings", operation=recordings.LIST_RECORDINGS),
    Row(method="GET", path="/v1/terminal/{id}/recording", operation=recordings.GET_RECORDING, form=CAST),
    Row(method="DELETE", path="/v1/terminal/{id}/recording", operation=recordings.DELETE_RECORDING),
)

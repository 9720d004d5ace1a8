"""Logging in and out."""

from http_api.binding import Row
from shared.operations import auth

ROWS = (
    Row(method="POST", path="/v1/auth/login", operation=auth.LOGIN, public=True),
    Row(method="GET", path="/v1/auth/status", operation=auth.AUTH_STATUS),
    Row(method="POST", path="/v1/auth/verify", operation=auth.VERIFY_TOKEN),
    Row(method="POST", path="/v1/auth/logout", operation=auth.LOGOUT),
)

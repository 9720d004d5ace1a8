"""What logins take and give."""

from shared.domain.accounts import Credentials, Login, TokenText, User


def test_secrets_do_not_show_in_representations() -> None:
    user = User(id="user-1", username="anna", role="admin")
    for value in (
        Credentials(username="anna", password="hunter2"),
        Login(token="hunter2", user=user),
        TokenText(token="hunter2"),
    ):
        assert "hunter2" not in repr(value)
        assert "hunter2" in value.model_dump_json()

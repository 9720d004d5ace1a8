"""The parts of a gateway as the settings ask for them."""

from pathlib import Path

from shared import parts
from shared.setting_sources import load_settings


async def test_the_sandbox_hides_what_holds_secrets_and_protects_what_the_gateway_is_made_of(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("API_PORT=1")
    (tmp_path / "policy.toml").touch()
    (tmp_path / "link.toml").symlink_to(tmp_path / "policy.toml")
    environ = {
        "DATA_DIR": str(tmp_path / "data"),
        "TERMINAL_POLICY_FILE": str(tmp_path / "link.toml"),
        "TERMINAL_SANDBOX": "off",
    }
    rules = (await parts.sandbox(load_settings(environ, directory=tmp_path))).rules
    assert rules.hidden == (str(tmp_path / "data"), str(tmp_path / ".env"))
    assert str(tmp_path / "policy.toml") in rules.protected
    assert str(Path(parts.__file__).parents[1]) in rules.protected

"""How an agent is started, where no test can run it against the gateway."""

import tomllib

from mcp_gateway.installing.clients import Server
from mcp_gateway.installing.endpoint import Endpoint
from mcp_gateway.installing.launching import agents

SERVER = Server("/bin/mcp-gateway", ("stdio", "--connect"), {"DATA_DIR": '/a "b"'})


def test_codex_gets_options_that_are_toml_and_the_key_in_its_environment() -> None:
    launch = agents()["codex"].launch(Endpoint("http://127.0.0.1:3000", "mgw_secret"), SERVER, {})
    flags, settings = launch.arguments[::2], launch.arguments[1::2]
    assert set(flags) == {"-c"}
    read = tomllib.loads("\n".join(settings))
    provider = read["model_providers"][read["model_provider"]]
    assert (provider["base_url"], provider["wire_api"]) == ("http://127.0.0.1:3000/v1", "responses")
    assert launch.environ == {provider["env_key"]: "mgw_secret"}
    assert read["mcp_servers"]["ai-mcp-gateway"]["env"] == {"DATA_DIR": '/a "b"'}
    assert "mgw_secret" not in str(launch.arguments)

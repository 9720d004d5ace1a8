"""The agents: how each is led to the gateway, asked something, and what its tools are called."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tests.agents.stand import Done, Stand

Call = tuple[str, dict[str, Any]]


class Agent(Protocol):
    """An agent on a stand. `repairs` says that it asks again for an answer that broke off, `resumes` that it goes on with an
    earlier conversation without a terminal."""

    @property
    def repairs(self) -> bool: ...

    @property
    def resumes(self) -> bool: ...

    async def ask(self, prompt: str, *, model: str, again: bool = False) -> Done:
        """Ask it once, with leave for everything; `again` goes on with the last conversation."""

    def edit(self, name: str, old: str, new: str) -> list[Call]:
        """The calls that change a text in a file of the project, one after the other."""

    def command(self, line: str) -> Call:
        """The call that runs a command in the project."""


@dataclass(frozen=True)
class ClaudeCode:
    """Claude Code, over POST /v1/messages."""

    stand: Stand
    repairs: bool = True
    resumes: bool = True

    @property
    def env(self) -> Mapping[str, str]:
        """Its environment. `IS_SANDBOX` lets root skip its questions."""
        url = self.stand.gateway.url
        return {
            "ANTHROPIC_BASE_URL": url,
            "ANTHROPIC_AUTH_TOKEN": "local",
            "IS_SANDBOX": "1",
            "DISABLE_AUTOUPDATER": "1",
        }

    async def ask(self, prompt: str, *, model: str, again: bool = False) -> Done:
        options = ["--dangerously-skip-permissions", "--model", model, *(["--continue"] if again else [])]
        return await self.stand.run("claude", "-p", prompt, *options, env=self.env)

    def edit(self, name: str, old: str, new: str) -> list[Call]:
        path = str(self.stand.project / name)
        return [
            ("Read", {"file_path": path}),
            ("Edit", {"file_path": path, "old_string": old, "new_string": new}),
        ]

    def command(self, line: str) -> Call:
        return "Bash", {"command": line, "description": "Run it"}


@dataclass(frozen=True)
class OpenCode:
    """opencode, over POST /v1/chat/completions."""

    stand: Stand
    repairs: bool = True
    resumes: bool = True

    async def ask(self, prompt: str, *, model: str, again: bool = False) -> Done:
        options = {"baseURL": f"{self.stand.gateway.url}/v1", "apiKey": "local"}
        models = {model: {"limit": {"context": 200_000, "output": 32_000}}}
        provider = {"npm": "@ai-sdk/openai-compatible", "name": "Gateway", "options": options, "models": models}
        env = {
            "OPENCODE_CONFIG_CONTENT": json.dumps({"provider": {"gateway": provider}}),
            "OPENCODE_DISABLE_MODELS_FETCH": "1",
            "OPENCODE_DISABLE_AUTOUPDATE": "1",
        }
        arguments = ["run", prompt, "--auto", "--model", f"gateway/{model}", *(["--continue"] if again else [])]
        return await self.stand.run("opencode", *arguments, env=env)

    def edit(self, name: str, old: str, new: str) -> list[Call]:
        path = str(self.stand.project / name)
        return [("read", {"filePath": path}), ("edit", {"filePath": path, "oldString": old, "newString": new})]

    def command(self, line: str) -> Call:
        return "bash", {"command": line, "description": "Run it"}


@dataclass(frozen=True)
class Cline:
    """Cline's command line, over POST /v1/chat/completions."""

    stand: Stand
    repairs: bool = False
    resumes: bool = False

    async def ask(self, prompt: str, *, model: str, again: bool = False) -> Done:
        provider = ("-P", "openai-compatible", "-m", model)
        signed = ["auth", "-p", "openai-compatible", "-k", "local", "-m", model, "-b", f"{self.stand.gateway.url}/v1"]
        done = await self.stand.run("cline", *signed, env={})
        assert done.code == 0, done
        return await self.stand.run("cline", prompt, *provider, env={})

    def edit(self, name: str, old: str, new: str) -> list[Call]:
        path = str(self.stand.project / name)
        return [
            ("read_files", {"files": [{"path": path}]}),
            ("editor", {"path": path, "old_text": old, "new_text": new}),
        ]

    def command(self, line: str) -> Call:
        return "run_commands", {"commands": [line]}


@dataclass(frozen=True)
class Codex:
    """Codex, over POST /v1/responses. It edits with commands: unknown models get no tool for that."""

    stand: Stand
    repairs: bool = True
    resumes: bool = True

    async def ask(self, prompt: str, *, model: str, again: bool = False) -> Done:
        provider = (
            f'{{name="Gateway", base_url="{self.stand.gateway.url}/v1", wire_api="responses", env_key="GATEWAY_KEY"}}'
        )
        options = ["--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "-m", model]
        options += ["-c", "model_provider=gateway", "-c", f"model_providers.gateway={provider}"]
        command = ["exec", *options, *(["resume", "--last"] if again else []), prompt]
        return await self.stand.run("codex", *command, env={"GATEWAY_KEY": "local"})

    def edit(self, name: str, old: str, new: str) -> list[Call]:
        return [self.command(f"sed -i 's/{old}/{new}/' {name}")]

    def command(self, line: str) -> Call:
        return "exec_command", {"cmd": line}

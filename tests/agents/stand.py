"""A gateway in front of a scripted provider, and coding agents as processes in a project and a home of their own."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil

from shared.providers.scripted import ScriptedServer, Seen
from shared.providers.scripted_answers import Turn
from tests.support.serving import Serving, serving

ROOT = Path(__file__).parents[2]
SECONDS = 120
"""How long an agent may take to end; the slowest case takes 15 s, most of it an agent's own pauses before retries."""


@dataclass(frozen=True)
class Done:
    """The result of an agent's run."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """Everything that it printed."""
        return self.out + self.err


@dataclass(frozen=True)
class Stand:
    """Everything that a case needs. `programs` is the folder with the agents' programs."""

    programs: Path
    project: Path
    home: Path
    gateway: Serving
    provider: ScriptedServer

    async def add(self, name: str, **more: Any) -> str:
        """A model of the scripted provider by the words in its name; its id."""
        entry = {"id": name, "provider": "openai", "apiModelName": name, "layer": "L2", "contextWindow": 200_000}
        capable = {**entry, "capabilities": {"tools": True, "vision": True}, **more}
        made = await self.gateway.http.post("/v1/models", json=capable)
        assert made.status_code == 201, made.text
        return name

    async def add_alone(self, name: str) -> str:
        """A model that every name and `auto` lead to, since no other is left."""
        for model in (await self.gateway.http.get("/v1/models")).json()["data"]:
            if "layer" in model:
                await self.gateway.http.delete(f"/v1/models/{quote(model['id'], safe='')}")
        return await self.add(name, pricePer1kInputTokens=0.0001, pricePer1kOutputTokens=0.0001)

    def environ(self, env: Mapping[str, str]) -> dict[str, str]:
        """Nothing of our environment but the path, to which the agents are added."""
        path = os.pathsep.join((str(self.programs), os.environ["PATH"]))
        return {"PATH": path, "HOME": str(self.home), **env}

    async def gateway_command(self, *arguments: str, env: Mapping[str, str] | None = None) -> Done:
        """Run `mcp-gateway` in the project, as the user of the agents."""
        given = {"PYTHONPATH": str(ROOT), **(env or {})}
        return await self.run(sys.executable, "-m", "mcp_gateway", *arguments, env=given)

    async def start(self, program: str, *arguments: str, env: Mapping[str, str]) -> asyncio.subprocess.Process:
        """Start an agent in the project."""
        return await asyncio.create_subprocess_exec(
            str(self.programs / program),
            *arguments,
            cwd=self.project,
            env=self.environ(env),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, program: str, *arguments: str, env: Mapping[str, str]) -> Done:
        """Run an agent to its end. Raises TimeoutError."""
        process = await self.start(program, *arguments, env=env)
        async with asyncio.timeout(SECONDS):
            out, err = await process.communicate()
        assert process.returncode is not None
        return Done(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))

    @property
    def chats(self) -> Sequence[Seen]:
        """The chats with tools that reached the provider: an agent's own, without those for titles."""
        return [seen for seen in self.provider.seen if seen.body.get("tools")]

    def end_all(self) -> None:
        """End every process with the agents' home: some leave a daemon behind, others hang in a failed test."""
        for process in psutil.process_iter():
            try:
                if process.environ().get("HOME") == str(self.home):
                    process.kill()
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue


@asynccontextmanager
async def standing(programs: Path, folder: Path, **settings: str) -> AsyncIterator[Stand]:
    """A gateway, its provider, and empty folders for an agent."""
    project, home = folder / "project", folder / "home"
    project.mkdir()
    home.mkdir()
    provider = ScriptedServer()
    async with provider.listening():
        given = {"OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": provider.base_url, "SPEND_GUARD": "false", **settings}
        async with serving(folder / "data", **given) as gateway:
            stand = Stand(programs, project, home, gateway, provider)
            try:
                yield stand
            finally:
                stand.end_all()


def steps(*turns: str | Turn) -> Callable[[dict[str, Any]], str | Turn]:
    """The answers of a model, one after the other: the number of answers in a conversation says which is next."""

    def answer(body: dict[str, Any]) -> str | Turn:
        said = sum(message["role"] == "assistant" for message in body["messages"])
        return turns[min(said, len(turns) - 1)]

    return answer

"""Claude Code against POST /v1/messages: cases that no other agent has."""

import asyncio
import base64
import json
import signal
from pathlib import Path
from typing import Any

from shared.providers.scripted_answers import Turn
from tests.agents.agents import ClaudeCode
from tests.agents.stand import SECONDS, Stand, standing, steps
from tests.support.fake_anthropic import FakeAnthropic, Reply

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
FIXTURES = Path(__file__).parents[1] / "fixtures" / "anthropic"


def requests_to(stand: Stand, path: str) -> list[dict[str, Any]]:
    """The requests for a path in the gateway's log, which has a line that is no JSON."""
    lines = (stand.project.parent / "data" / "log").read_text("utf-8").splitlines()
    return [entry for line in lines if line.startswith("{") and (entry := json.loads(line)).get("path") == path]


async def test_an_exhausted_provider_is_named_after_one_request(stand: Stand) -> None:
    done = await ClaudeCode(stand).ask("Say something.", model=await stand.add("scripted-e529"))
    assert done.code == 1
    assert "openai answered 529" in done.out, done
    assert len(requests_to(stand, "/v1/messages")) == 1


async def test_a_prompt_over_the_window_of_every_model_is_too_long(stand: Stand) -> None:
    await stand.add("scripted", contextWindow=3000, layer="L0")
    done = await ClaudeCode(stand).ask("Say something.", model="L0")
    assert done.code == 1
    assert "Prompt is too long" in done.out, done
    assert stand.chats == []


async def test_counting_tokens_for_the_context_view_is_free_of_the_rate_limit(programs: Path, tmp_path: Path) -> None:
    async with standing(programs, tmp_path, RATE_LIMIT_PER_MINUTE="5") as stand:
        done = await ClaudeCode(stand).ask("/context", model=await stand.add("scripted"))
        counted = requests_to(stand, "/v1/messages/count_tokens")
    assert "Estimated usage by category" in done.out, done
    assert len(counted) > 5
    assert {request["status"] for request in counted} == {200}
    assert stand.chats == []


async def test_an_image_that_it_reads_reaches_a_model_of_another_vendor(stand: Stand) -> None:
    picture = stand.project / "pixel.png"
    picture.write_bytes(PIXEL)
    stand.provider.says["scripted"] = steps(Turn("", (("Read", {"file_path": str(picture)}),)), "All is done.")
    done = await ClaudeCode(stand).ask("What is in pixel.png?", model=await stand.add("scripted"))
    assert "All is done." in done.out, done
    assert "data:image/" in json.dumps(stand.chats[-1].body["messages"])


async def test_ending_it_closes_the_answer_at_the_provider(stand: Stand) -> None:
    claude = ClaudeCode(stand)
    model = await stand.add("scripted-n300-hang100")
    process = await stand.start("claude", "-p", "Say a lot.", "--model", model, env=claude.env)
    async with asyncio.timeout(SECONDS):
        await stand.provider.arrived.wait()
        process.send_signal(signal.SIGINT)
        await process.communicate()
        await stand.provider.left.wait()
    assert stand.provider.active == 0


async def test_anthropic_gets_what_it_wrote(programs: Path, tmp_path: Path) -> None:
    answer = Reply.stream((FIXTURES / "text.sse").read_bytes())
    async with (
        FakeAnthropic(answer, listed=Reply([b'{"data":[]}'])) as fake,
        standing(programs, tmp_path, ANTHROPIC_API_KEY="sk-ant-ours", ANTHROPIC_BASE_URL=fake.url) as stand,
    ):
        await stand.add("claude-opus-5", provider="anthropic")
        done = await ClaudeCode(stand).ask("Say something.", model="claude-opus-5")
        (request,) = [request for request in fake.requests if request.method == "POST"]
    assert done.code == 0, done
    assert "claude-code-" in request.headers["anthropic-beta"]
    assert request.headers["x-api-key"] == "sk-ant-ours"
    assert "authorization" not in request.headers
    assert request.body["system"][0]["text"].startswith("x-anthropic-billing-header:")
    assert request.body["thinking"]["type"] == "adaptive"

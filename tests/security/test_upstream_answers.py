"""An answer whose caller has left is nobody's: not a byte of it goes to the next one."""

import json

import pytest

from shared.providers.base import Timeouts
from shared.providers.http_client import HttpClient
from shared.providers.scripted import ScriptedServer
from tests.support.waiting import until

TIMEOUTS = Timeouts(connect=5, first_token=5, stall=5, total=10)
HEADERS = {"content-type": "application/json", "authorization": "Bearer sk-test"}
LEFT = "words of the one who left"


def asked(text: str, *, stream: bool = False) -> bytes:
    return json.dumps(
        {"model": "scripted-echo", "stream": stream, "messages": [{"role": "user", "content": text}]}
    ).encode()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_what_a_caller_left_unread_is_not_given_to_the_next(stream: bool) -> None:
    client, bystander = HttpClient(), HttpClient()
    async with ScriptedServer().listening() as server:
        url = f"{server.base_url}/chat/completions"
        async with client.post(url, headers=HEADERS, body=asked(LEFT, stream=stream), timeouts=TIMEOUTS):
            await until(lambda: server.requests == 1 and not server.active)
            async with bystander.post(url, headers=HEADERS, body=asked("x"), timeouts=TIMEOUTS) as other:
                await other.read()  # by now all of the first answer has come too
        async with client.post(url, headers=HEADERS, body=asked("the next"), timeouts=TIMEOUTS) as exchange:
            told = await exchange.read()
    for each in (client, bystander):
        await each.aclose()
    assert LEFT not in told.decode()
    assert json.loads(told)["choices"][0]["message"]["content"] == "the next"

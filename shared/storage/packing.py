"""JSON made small: digests as bytes, the rest deflated against a dictionary of what such JSON is made of.

The first byte names the form, so that what was written once stays readable when another form is added.
"""

import re
import zlib

FORM = b"\x01"
HEX = re.compile(rb"[0-9a-f]{16,}")
"""Digests and ids in hexadecimal, at twice the length that they need."""
MARKS = {64: b"\x01", 32: b"\x02", 24: b"\x03", 16: b"\x04"}
"""Stand for them by their length; JSON has no such characters."""
LENGTHS = {mark: length for length, mark in MARKS.items()}
ANY_MARK = re.compile(rb"[\x01-\x04]")

WINDOW = -12
"""Raw deflate, 4 KiB back: more than the dictionary and nearly all JSON that it is for."""

DICTIONARY = (
    b"no_model_available provider_failed provider_timeout provider_rate_limited provider_overloaded provider_auth_failed "
    b"provider_rejected_request budget_exceeded request_timeout cancelled escalation_needs_confirmation internal_error"
    b'"hedge""review""arbitration""self-check""agreement""crossCheck""selfCheck":"upheld""escalation":['
    b"it cannot call tools it cannot see images it cannot keep to a JSON schema its context window of tokens is too small"
    b"its layer L3 is outside L0 to L1it is cooling down for another it is over budget its price is not known is turned off"
    b"these credentials may not use it"
    b"anthropic/claude-fable-5-2 anthropic/claude-opus-5-5 anthropic/claude-sonnet-5-5 anthropic/claude-haiku-5-5 "
    b"openrouter/anthropic/claude-opus-5.5 openrouter/anthropic/claude-sonnet-5.5 openrouter/google/gemini-4-argon "
    b"openrouter/google/gemini-3.8-flash openrouter/z-ai/glm-5.3-flash openrouter/qwen/qwen3.8-flash "
    b"openrouter/deepseek/deepseek-v4.1-flash openai/gpt-6-astra openai/gpt-6.1-terra openai/gpt-6-luna "
    b"oss-local/smollm2-135m-instruct openrouter/thinkingmachines/inkling-small:free"
    b'"dropped":{"provider openai is not available (no key, or nothing is listening)":4,'
    b'"provider anthropic is not available (no key, or nothing is listening)":4,'
    b'"provider openrouter is not available (no key, or nothing is listening)":6,'
    b'"provider oss-local is not available (no key, or nothing is listening)":1},"firstDropped":['
    b'{"model":"openrouter/minimax/minimax-m3.1-flash:free","reason":"provider openrouter is not available (no key, or nothing'
    b' is listening)"},{"model":"openrouter/poolside/laguna-s-2.1:free","reason":"provider openrouter is not available (no key,'
    b' or nothing is listening)"},{"model":"openrouter/nvidia/nemotron-3-ultra-550b-a55b:free","reason":"provider openrouter is'
    b' not available (no key, or nothing is listening)"},{"model":"openrouter/nvidia/nemotron-3.5-super-vl:free","reason":'
    b'"provider openrouter is not available (no key, or nothing is listening)"},{"model":"openrouter/google/gemma-4-31b-it:free",'
    b'"reason":"provider openrouter is not available (no key, or nothing is listening)"}]},"calls":[],"away":["anthropic",'
    b'"openai","openrouter","oss-local"],"low":"L1","high":"L2","complexity":0.,"has_tools":true,"turn":1,"max_tokens":'
    b'"options":{"max_layer":"L3","allow_paid":true,"quality":"high","session":"","tags":{"team":"","env":"prod","user":"'
    b'"permit":{"left":"0.","maxLayer":"L1","models":[],"stay":""}'
    b'"causeBy":"toolCall"}}"causeBy":"session"}}"causeBy":"trace"}}"toolCalls":["call_"],"cache":"hit""cancelled""failed"'
    b'"operation":"scopes":["chat"],"name":"reason":"username":"sessionId":"did":"command":"workingDirectory":"host":"exitCode":0}}'
    b'{"h":"\x01","p":"\x01","d":{"asked":"auto","stream":true,"requestDigest":"\x01","answerDigest":"\x01","model":"'
    b'","layer":"L0","costUsd":0.0,"chatId":"\x04"}}{"h":"\x01","p":"\x01","d":{"asked":"","stream":false,"requestDigest":"\x01",'
    b'"answerDigest":"\x01","model":"openai/gpt-","layer":"L1","costUsd":0.000'
    b'{"r":"\x03","c":"local","t":"\x02","d":{"r":"\x03","c":"key-\x04","t":"\x02","d":{"version":1,"facts":{"model":"auto",'
    b'"prompt_tokens":1,"prompt_most":1,"conversation":"opening:\x03","options":{}},"permit":{},"policy":{"default_layer":"L0",'
    b'"auto_escalate":false,"max_escalation_layer":"L0","spend_guard":true,"auto_budget":true,"cross_check":true,"hedge":false},'
    b'"start":null,"plan":{"attempts":["openai/gpt-'
    b'"],"cooling":[],"away":[],"low":"L0","high":"L0","low":"L0","high":"L3","dropped":{},"firstDropped":[]},"calls":[{"model":"'
    b'","layer":"L0","purpose":"answer","outcome":"ok","cost":"0.0000","ms":1}],"outcome":"ok","model":"'
    b'","usage":{"prompt":1,"completion":1,"cached":1,"reasoning":1},"notes":{},"lesson":null}}'
)
"""Part of the form: changing it makes what was written unreadable."""


def packed(text: bytes) -> bytes:
    """JSON, made small."""
    digests: list[bytes] = []

    def short(found: re.Match[bytes]) -> bytes:
        mark = MARKS.get(len(found[0]))
        if mark is None:
            return found[0]
        digests.append(bytes.fromhex(found[0].decode()))
        return mark

    deflate = zlib.compressobj(9, zlib.DEFLATED, WINDOW, 5, zlib.Z_DEFAULT_STRATEGY, DICTIONARY)
    rest = deflate.compress(HEX.sub(short, text)) + deflate.flush()
    return b"".join((FORM, rest, *digests))


def unpacked(data: bytes) -> bytes:
    """The JSON that was packed. Raises ValueError for another form."""
    if data[:1] != FORM:
        raise ValueError(f"packed JSON of form {data[:1].hex() or 'none'} is of another version")
    inflate = zlib.decompressobj(WINDOW, DICTIONARY)
    text = inflate.decompress(data[1:]) + inflate.flush()
    digests, place = inflate.unused_data, 0

    def long(found: re.Match[bytes]) -> bytes:
        nonlocal place
        begun, place = place, place + LENGTHS[found[0]] // 2
        return digests[begun:place].hex().encode()

    return ANY_MARK.sub(long, text)

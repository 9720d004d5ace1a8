"""Content blocks of the Messages API as content parts of OpenAI's form. Pure.

Source: https://platform.claude.com/docs/en/api/messages (ContentBlockParam).
"""

from collections.abc import Iterable
from typing import Any

from shared.errors import invalid_field

Block = dict[str, Any]
Part = dict[str, Any]

IMAGES_FOLLOW = "[The images of this result follow in the next message.]"


def blocks_in(content: Any, where: str) -> list[Block]:
    """The blocks of a content, text being one block. Raises InvalidInput for what is neither."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    if not isinstance(content, list):
        raise invalid_field(where, "must be text or a list of content blocks")
    for index, block in enumerate(content):
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            raise invalid_field(f"{where}.{index}", "must be an object with 'type'")
    return content


def parts_of(blocks: Iterable[Block], where: str) -> list[Part]:
    """The parts of OpenAI's form that say the same; what only Anthropic's servers can read is left out."""
    parts: list[Part] = []
    for block in blocks:
        part = _part(block, where)
        if part is None:
            continue
        if isinstance(mark := block.get("cache_control"), dict):
            part["cache_control"] = mark
        parts.append(part)
    return parts


def simplest(parts: list[Part]) -> str | list[Part]:
    """Plain text where that says all: every server takes that, and some take nothing else."""
    if len(parts) == 1 and parts[0].keys() == {"type", "text"}:
        return str(parts[0]["text"])
    return parts


def result_of(block: Block, where: str) -> tuple[str | list[Part], list[Part]]:
    """What a tool gave back: its text, and the images and files in it, which a tool's message cannot carry."""
    content = block.get("content")
    parts = [] if content is None else parts_of(blocks_in(content, f"{where}.content"), where)
    texts = [part for part in parts if part["type"] == "text"]
    others = [part for part in parts if part["type"] != "text"]
    if others:
        texts.append({"type": "text", "text": IMAGES_FOLLOW})
    if block.get("is_error") is True:
        texts.insert(0, {"type": "text", "text": "[The tool reported an error.]"})
    if not any("cache_control" in part for part in texts):
        return "\n".join(str(part["text"]) for part in texts), others
    return texts, others


def _part(block: Block, where: str) -> Part | None:
    kind = block["type"]
    if kind == "text":
        if not isinstance(text := block.get("text"), str):
            raise invalid_field(f"{where}.text", "must be text")
        return {"type": "text", "text": text} if text else None
    if kind == "image":
        return _image(block, where)
    if kind == "document":
        return _document(block, where)
    if kind == "search_result":
        return {"type": "text", "text": _search_result(block)}
    if kind == "tool_reference":
        return {"type": "text", "text": f"[The tool {block.get('tool_name', '')} is available now.]"}
    if kind.endswith("_tool_result"):
        return {"type": "text", "text": _server_result(block)}
    return None


def _image(block: Block, where: str) -> Part:
    source = block.get("source")
    if not isinstance(source, dict):
        raise invalid_field(f"{where}.source", "must be an object")
    if source.get("type") == "url" and isinstance(url := source.get("url"), str):
        return {"type": "image_url", "image_url": {"url": url}}
    if source.get("type") == "base64" and isinstance(data := source.get("data"), str):
        return {
            "type": "image_url",
            "image_url": {"url": f"data:{source.get('media_type', 'image/png')};base64,{data}"},
        }
    return dict(block)  # a file at Anthropic, which no other vendor can read


def _document(block: Block, where: str) -> Part:
    source = block.get("source")
    if not isinstance(source, dict):
        raise invalid_field(f"{where}.source", "must be an object")
    kind, data = source.get("type"), source.get("data")
    title = block.get("title") if isinstance(block.get("title"), str) else ""
    if kind == "text" and isinstance(data, str):
        return {"type": "text", "text": f"{title}\n\n{data}" if title else data}
    if kind == "content":
        texts = parts_of(blocks_in(source.get("content"), f"{where}.source.content"), where)
        return {"type": "text", "text": "\n".join(str(part["text"]) for part in texts if part["type"] == "text")}
    if kind == "base64" and isinstance(data, str):
        address = f"data:{source.get('media_type', 'application/pdf')};base64,{data}"
        return {"type": "file", "file": {"filename": title or "document.pdf", "file_data": address}}
    return dict(block)


def _search_result(block: Block) -> str:
    content = block.get("content")
    texts = (
        [str(part.get("text") or "") for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    )
    return "\n".join([f"{block.get('title') or ''} ({block.get('source') or ''})", *texts])


def _server_result(block: Block) -> str:
    """The result of a tool that ran at Anthropic, as text: of a web search, its pages."""
    content = block.get("content")
    found = [item for item in content if isinstance(item, dict)] if isinstance(content, list) else []
    pages = [f"{item.get('title') or ''} {item.get('url') or ''}".strip() for item in found]
    return "\n".join(
        [f"[{block['type'].removesuffix('_tool_result').replace('_', ' ')} results]", *filter(None, pages)]
    )

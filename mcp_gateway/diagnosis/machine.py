"""This machine: Python, the data directory and the port."""

import errno
import os
import shutil
import socket
import stat
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx

from mcp_gateway.diagnosis.finding import Finding

OLDEST_PYTHON = (3, 11)
MEGABYTE = 1024 * 1024
LITTLE_SPACE = 300 * MEGABYTE
NO_SPACE = 20 * MEGABYTE
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def python() -> Finding:
    """The interpreter."""
    text = f"Python {sys.version.split()[0]} at {sys.executable}"
    if sys.version_info < OLDEST_PYTHON:
        return Finding(name="python", status="fail", text=text, advice="Use Python 3.11 or newer.")
    return Finding(name="python", status="ok", text=text)


def data_directory(path: Path) -> Finding:
    """Whether it can be used, is private, and has room."""

    def found(status: str, text: str, advice: str = "") -> Finding:
        return Finding.model_validate(
            {"name": "data directory", "status": status, "text": f"{path}: {text}", "advice": advice}
        )

    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path) as probe:
            probe.write(b"x")
        mode = stat.S_IMODE(path.stat().st_mode)
        free = shutil.disk_usage(path).free
    except OSError as error:
        return found("fail", error.strerror or str(error), "Set DATA_DIR to a directory that you can write.")
    if free < NO_SPACE:
        return found("fail", f"only {free // MEGABYTE} MB free", "Make room on this disk, or set DATA_DIR.")
    if os.name == "posix" and mode & 0o077:
        return found("warn", f"others can read it (mode {mode:o})", f"chmod 700 {path}")
    if free < LITTLE_SPACE:
        return found("warn", f"only {free // MEGABYTE} MB free", "Make room; the embedded model alone needs 100 MB.")
    return found("ok", f"private, writable, {free // MEGABYTE:,} MB free")


def address(host: str, port: int, auth_mode: str) -> Finding:
    """Whether `serve` could listen there now, or does already, and may."""
    if host not in LOOPBACK and auth_mode != "required":
        return Finding(
            name="address",
            status="fail",
            text=f"API_HOST={host} can be reached from other machines, and nobody is asked who they are",
            advice="Set AUTH_MODE=required, or API_HOST=127.0.0.1.",
        )
    place = f"{host} port {port}"
    problem = _binding(host, port)
    if problem is None:
        return Finding(name="address", status="ok", text=f"{place} is free")
    if problem.errno == errno.EADDRINUSE:
        running = gateway_at(host, port)
        if running:
            version = running.get("version", "")
            return Finding(
                name="address", status="ok", text=f"{place} is served by a gateway already (version {version})"
            )
        return Finding(
            name="address",
            status="fail",
            text=f"{place} is used by another program",
            advice="Stop that program, or set API_PORT (0 takes a free port).",
        )
    return Finding(
        name="address",
        status="fail",
        text=f"{place}: {problem.strerror or problem}",
        advice="Set API_HOST and API_PORT.",
    )


def _binding(host: str, port: int) -> OSError | None:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        return error
    return None


def gateway_at(host: str, port: int) -> dict[str, Any]:
    """What the gateway that answers there says of its health; empty when it is something else, or nothing."""
    try:
        answer = httpx.get(f"http://{f'[{host}]' if ':' in host else host}:{port}/health", timeout=2, trust_env=False)
        found = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return {}
    return found if isinstance(found, dict) and "uptimeSeconds" in found and "version" in found else {}

"""The embedded model's own process: a llama.cpp server on loopback that ends when its parent does.

Run by `embedded_child.py` as `python -m shared.providers.embedded_server …`. The API key is the first line of stdin,
one JSON line on stdout says {"address": …} or {"error": …}, and the end of stdin ends the process.
"""

import argparse
import json
import os
import signal
import sys
import threading
from typing import Any

PR_SET_PDEATHSIG = 1
TEMPERATURE = 0.0
REPEAT_PENALTY = 1.05
TOP_P = 0.9
FREQUENCY_PENALTY = 0.05
LOOKED_BACK = 256
DRY_MULTIPLIER = 0.8
DRY_LOOKED_BACK = 2048
"""Against going round in circles, which a model this small does at temperature 0: tokens that have come often lately, and longer and
longer sequences that were there before, become less likely. A request may name its own values."""
MAX_TOKENS = 1024
"""Tokens of an answer when the request names no limit: it may never find an end all the same."""

LOG_ERRORS_AND_WARNINGS = 2
PROMPT_CACHE_MIB = 64

CHAT_TEMPLATE = """\
{% if messages[0]['role'] not in ['system', 'developer'] %}{{ '<|im_start|>system
You are a helpful assistant.<|im_end|>
' }}{% endif %}{% for message in messages %}\
{{ '<|im_start|>' + ('system' if message['role'] == 'developer' else message['role']) + '
' + (message['content'] or '') + '<|im_end|>
' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}"""
"""The model's own template but for its default system message: with the shipped one ("named SmolLM, trained by …")
it answers plain questions in French. It also takes the role `developer` and messages without content."""


def main(arguments: list[str]) -> None:
    """Serve until stdin ends."""
    options = parser().parse_args(arguments)
    close_inherited()
    end_with_parent(options.parent)
    key = sys.stdin.buffer.readline().decode().strip()
    if not key:
        raise SystemExit("an API key is needed on the first line of stdin")
    watcher = threading.Thread(target=end_with_stdin, daemon=True)
    watcher.start()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        server = serve(options, key)
    except (ImportError, RuntimeError, OSError, ValueError) as error:
        print(json.dumps({"error": str(error) or type(error).__name__}), file=answers, flush=True)
        os._exit(1)
    print(json.dumps({"address": server.listening_address}), file=answers, flush=True)
    watcher.join()


def parser() -> argparse.ArgumentParser:
    """The arguments; all are given by the parent."""
    made = argparse.ArgumentParser(prog="embedded_server")
    made.add_argument("--model", required=True)
    made.add_argument("--alias", required=True)
    made.add_argument("--context", type=int, required=True)
    made.add_argument("--slots", type=int, required=True)
    made.add_argument("--threads", type=int, required=True)
    made.add_argument("--idle-seconds", type=int, required=True)
    made.add_argument("--parent", type=int, required=True)
    return made


def serve(options: argparse.Namespace, key: str) -> Any:
    """A llama.cpp server that answers already, on a free port of 127.0.0.1."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = options.model
    params.model_alias = {options.alias}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [key]
    params.n_parallel = options.slots
    params.n_ctx = options.context * options.slots
    params.n_predict = MAX_TOKENS
    params.cpuparams.n_threads = options.threads
    params.cpuparams_batch.n_threads = options.threads
    params.sleep_idle_seconds = options.idle_seconds
    params.cache_ram_mib = PROMPT_CACHE_MIB
    params.fit_params = False
    params.chat_template = CHAT_TEMPLATE
    params.sampling.temp = TEMPERATURE
    params.sampling.top_p = TOP_P
    params.sampling.penalty_repeat = REPEAT_PENALTY
    params.sampling.penalty_freq = FREQUENCY_PENALTY
    params.sampling.penalty_last_n = LOOKED_BACK
    params.sampling.dry_multiplier = DRY_MULTIPLIER
    params.sampling.dry_penalty_last_n = DRY_LOOKED_BACK
    params.ui = False
    params.endpoint_slots = False
    params.endpoint_props = False
    params.cors_origins = ""
    params.cors_credentials = False
    params.verbosity = LOG_ERRORS_AND_WARNINGS
    return xllamacpp.Server(params)


def close_inherited() -> None:
    """Close what the parent's event loop let through: uvloop passes every inheritable descriptor on."""
    for name in os.listdir("/dev/fd"):
        if int(name) > 2:
            try:
                os.close(int(name))
            except OSError:
                pass  # The one that listed them.


def end_with_stdin() -> None:
    """End the process at once when the other end of stdin is closed, which a dead parent's is."""
    while os.read(0, 4096):
        pass
    os._exit(0)


def end_with_parent(parent: int) -> None:
    """On Linux, have the kernel kill this process when its parent dies, even while weights are being loaded."""
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])

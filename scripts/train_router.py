"""Train the local complexity estimate and write its weights: the same bytes from the same data, on any machine."""

import argparse
from pathlib import Path

from scripts.router.rows import load
from scripts.router.training import Matrix, fit, train
from shared.routing.complexity.weights import FILE, encode

HARDNESS = ".hardness.bin"
WEIGHTS = Path(__file__).parents[1] / "shared" / "routing" / "complexity" / FILE


def main() -> None:
    """About half a minute. The data are read where they are; nothing of them but the weights is kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with pairs-train, models-train and tiers-train (.jsonl.gz)")
    parser.add_argument(
        "--out", type=Path, default=WEIGHTS, help="where the weights go; those of the hardness go beside them"
    )
    options = parser.parse_args()
    data = Matrix.of(load(options.data))
    for path, weights in ((options.out, train(data)), (options.out.with_suffix(HARDNESS), fit(data.hard))):
        path.write_bytes(encode(weights))
        print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()

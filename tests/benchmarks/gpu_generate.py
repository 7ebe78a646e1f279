"""How fast ``--device gpu`` writes headlines once all is compiled, as JSON.

python -m tests.benchmarks.gpu_generate MODEL_DIR FILE ARTICLES_AT_ONCE WORKERS
"""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from headline.bundle import load_bundle
from headline.evaluation.evaluate import read_pairs
from headline.formats.tables import CorpusFormat
from headline.generation.parallel import make_generator
from tests.benchmarks.gpu import watched

WARM_UP = 3  # so that each process compiles every shape


def main(model_dir: Path, file: Path, batch_size: int, workers: int) -> None:
    """Writes headlines for the articles of a file, some times to compile, and again."""
    texts = [pair.source for pair in read_pairs(file, CorpusFormat())]
    bundle, busy = load_bundle(model_dir), list[float]()
    decode = replace(bundle.decode, batch_size=batch_size)
    begin = time.perf_counter()
    generator = make_generator(bundle, decode, "gpu", workers)
    for _ in range(WARM_UP if workers > 1 else 1):
        generator.generate(texts)
    compiled = time.perf_counter()
    with watched(busy):
        generator.generate(texts)
        end = time.perf_counter()
    found = {
        "articles_per_second": len(texts) / (end - compiled),
        "compiled": compiled - begin,
        "busy": fmean(busy),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:]))

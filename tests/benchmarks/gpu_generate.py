"""How fast ``--device gpu`` writes headlines once all is compiled, as JSON.

python -m tests.benchmarks.gpu_generate MODEL_DIR FILE ARTICLES_AT_ONCE
"""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from headline.bundle import load_bundle
from headline.evaluation import read_pairs
from headline.generator import Generator
from headline.tables import CorpusFormat
from tests.benchmarks.gpu import watched


def main(model_dir: Path, file: Path, batch_size: int) -> None:
    """Writes headlines for the articles of a file, once to compile and once more."""
    texts = [pair.source for pair in read_pairs(file, CorpusFormat())]
    bundle, busy = load_bundle(model_dir), list[float]()
    decode = replace(bundle.decode, batch_size=batch_size)
    begin = time.perf_counter()
    generator = Generator.from_bundle(bundle, decode, "gpu")
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
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))

"""Lets atheris look for bytes that the readers of corpora choke on.

    pip install atheris
    python -m tests.stress.fuzz_readers -max_total_time=600

Whatever the bytes are, they give pairs and rejects, or a CorpusError of one line.
"""

import sys
import tempfile
from contextlib import closing
from pathlib import Path

import atheris

with atheris.instrument_imports():
    from headline.data.corpus import CorpusReader, Pair
    from headline.errors import CorpusError
    from headline.formats.tables import CorpusFormat
    from headline.generation.inputs import Shard, TableInput
    from headline.settings.search import DecodeConfig
    from headline.text.normalise import normalise
    from tests.reading import entries

FOLDER = Path(tempfile.mkdtemp())
ENCODINGS = "auto", "gb18030", "utf-16"
SUFFIXES = "csv", "tsv", "jsonl", "csv.gz"
HEADER = b"title,content\n"


def read(data: bytes) -> None:
    """Reads the bytes as a corpus, of a kind and an encoding that they say."""
    if not data:
        return
    choice, content = data[0], data[1:]
    suffix = SUFFIXES[choice % 4]
    path = FOLDER / f"corpus.{suffix}"
    path.write_bytes(HEADER + content if choice & 64 else content)
    form = CorpusFormat(encoding=ENCODINGS[choice // 4 % 3])
    reader = CorpusReader([path], form, min_source_length=1, min_target_length=1)
    try:
        for entry in entries(reader):
            if isinstance(entry, Pair):
                assert all(text and normalise(text) == text for text in entry)
            else:
                assert entry.excerpt.isprintable()
        with closing(TableInput(Shard(path), form, DecodeConfig())) as table:
            for article in table.entries():
                article.text.encode("utf-8", "replace")
    except CorpusError as error:
        assert "\n" not in str(error)


if __name__ == "__main__":
    atheris.Setup(sys.argv, read)
    atheris.Fuzz()

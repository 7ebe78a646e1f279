"""A folder that ``save_to_disk`` of Hugging Face ``datasets`` has written.

It is read with pyarrow alone: ``state.json`` names the files, each a stream of Arrow.
"""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from headline.errors import CorpusError
from headline.formats.arrow import (
    BATCH,
    ArrowFormat,
    ArrowTable,
    Batch,
    blame_arrow,
    import_arrow,
    layout_of,
)
from headline.formats.files import FolderReader, InputFile
from headline.formats.layout import Layout, Place
from headline.formats.options import CorpusFormat
from headline.formats.registry import register
from headline.system.files import read_json

STATE, SPLITS = "state.json", "dataset_dict.json"
# Each message of a stream begins with a mark, but not before Arrow 0.15; it ends with
# a message of no bytes.
_MARK, _END = b"\xff" * 4, bytes(4)


class DatasetFolder(ArrowFormat):
    """The rows of a saved ``Dataset``. ``generate`` writes Parquet.

    ``datasets`` reads Parquet, which one can write and replace as one file.
    """

    is_folder = True

    def holds(self, folder: Path) -> bool:
        return any((folder / name).is_file() for name in (STATE, SPLITS))

    def layout(self, file: InputFile, how: CorpusFormat) -> Layout:
        folder = file.path
        if not (folder / STATE).is_file():
            splits = read_json(folder / SPLITS, CorpusError).get("splits")
            names = [str(folder / str(name)) for name in splits or ()]
            raise CorpusError(
                f"{folder} is a DatasetDict; name one of its splits, such as "
                f"{' or '.join(names[:3]) or 'its folder train'}"
            )
        first, stream = _files(folder)[0], file.preview()
        assert isinstance(stream, FolderReader)
        ipc = import_arrow(folder, "pyarrow.ipc")
        with stream.open(first) as reader, blame_arrow(first):
            schema = ipc.open_stream(reader).schema
        return layout_of(folder, ArrowTable(schema))

    def batches(
        self,
        stream: io.BufferedReader,
        layout: Layout,
        columns: Sequence[str] | None,
        start: Place | None,
    ) -> Iterator[tuple[int, Batch]]:
        assert isinstance(stream, FolderReader)
        number, first = 1, 1 if start is None else start.number
        for path in _files(layout.path):
            with stream.open(path) as reader, blame_arrow(path):
                for batch in _batches(reader, path, columns):
                    skipped = min(max(0, first - number), batch.num_rows)
                    number += batch.num_rows
                    for at in range(skipped, batch.num_rows, BATCH):
                        yield number - batch.num_rows + at, batch.slice(at, BATCH)

    def places(
        self, stream: io.BufferedReader, layout: Layout, start: Place | None = None
    ) -> Iterator[Place]:
        for number, batch in self.batches(stream, layout, [], start):
            for place in range(batch.num_rows):
                yield Place(0, number + place)


def _files(folder: Path) -> list[Path]:
    """Returns the files of a saved dataset.

    Raises:
        CorpusError: there are none, or another file tells the order of their rows.
    """
    state = read_json(folder / STATE, CorpusError)
    if state.get("_indices_data_files") or state.get("_indices_files"):
        raise CorpusError(
            f"{folder} was saved with an order of its own: call flatten_indices() "
            "before save_to_disk()"
        )
    try:
        files = [folder / each["filename"] for each in state["_data_files"]]
    except (KeyError, TypeError):
        files = []
    if not files:
        raise CorpusError(f"{folder / STATE} names no files of a dataset")
    return files


def _batches(
    reader: BinaryIO, path: Path, columns: Sequence[str] | None
) -> Iterator[Batch]:
    """Yields the batches of a stream, with all columns or those that hold some.

    Raises:
        CorpusError: the stream ends without its last mark.
    """
    ipc = import_arrow(path, "pyarrow.ipc")
    with ipc.open_stream(reader) as stream:
        names = stream.schema.names
        if columns is not None:
            tops = {name if name in names else name.split(".")[0] for name in columns}
            names = [name for name in names if name in tops]
        for batch in stream:
            # Nothing else checks the offsets of texts; wrong ones end the process.
            batch.validate(full=True)
            yield batch if columns is None else batch.select(names)
    reader.seek(0)
    end = _MARK + _END if reader.read(len(_MARK)) == _MARK else _END
    reader.seek(-len(end), io.SEEK_END)
    if reader.read() != end:
        raise CorpusError(f"{path} is damaged: it ends too early")


register(DatasetFolder())

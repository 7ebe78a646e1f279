"""What a worker needs to write headlines: a model folder and settings, never arrays."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from headline.bundle import load_bundle, manifest_sha256
from headline.errors import BundleError, ClusterError
from headline.formats.options import CorpusFormat
from headline.generation.generator import Generator
from headline.settings.base import Device
from headline.settings.commands import FormatConfig, GenerateConfig
from headline.settings.search import DecodeConfig


@dataclass(frozen=True)
class ShardSettings:
    """The model and the settings of a run; small, and the same for all its shards.

    It can be pickled and sent to any machine that sees the model's folder.

    Attributes:
        model_dir: the folder of the model.
        model: SHA-256 of the model's manifest when the run began.
        search: how to search, complete.
        form: how the input files are read.
        output: what the output gets.
        device: where the model runs.
    """

    model_dir: Path
    model: str
    search: DecodeConfig
    form: FormatConfig = field(default_factory=FormatConfig)
    output: GenerateConfig = field(default_factory=GenerateConfig)
    device: Device = "cpu"

    @classmethod
    def of(
        cls, model_dir: Path, search: DecodeConfig | None = None, **more: Any
    ) -> Self:
        """Returns the settings of a run that begins now.

        Args:
            search: how to search; the model's own settings if left out.
            more: other attributes.

        Raises:
            BundleError: the folder holds no model, or a damaged one.
        """
        bundle = load_bundle(model_dir)
        model = manifest_sha256(model_dir)
        return cls(model_dir, model, search or bundle.decode, **more)

    def check_model(self) -> None:
        """Checks that the model is the one that the run began with.

        Raises:
            ClusterError: it is another one by now.
        """
        try:
            found = manifest_sha256(self.model_dir)
        except OSError as error:
            raise BundleError(
                f"cannot read {self.model_dir}: {error.strerror}"
            ) from error
        if found != self.model:
            raise ClusterError(
                f"the model {self.model_dir} changed during the run: put the old one "
                "back to go on, or write with the new one into another --output-dir"
            )

    def generator(self) -> Generator:
        """Loads the model.

        Raises:
            BundleError: the model is missing or damaged.
            ClusterError: it changed since the run began.
        """
        bundle = load_bundle(self.model_dir)
        self.check_model()
        return Generator.from_bundle(bundle, self.search, self.device)

    def corpus_format(self, **told: Any) -> CorpusFormat:
        """Returns how the files are read.

        Args:
            told: the functions of a ``CorpusFormat`` that get lines.
        """
        return CorpusFormat(**self.form.to_dict(), **told)

    def to_dict(self) -> dict[str, Any]:
        """Returns all that decides about the output, ready for JSON."""
        return {
            "model": self.model,
            "device": self.device,
            "search": self.search.to_dict(),
            "form": self.form.to_dict(),
            "output": self.output.to_dict(),
        }

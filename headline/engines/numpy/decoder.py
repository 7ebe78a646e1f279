"""The decoder: reads targets token by token.

Shape letters: B articles, R rows, one for each hypothesis, K the most rows of any
article, S source length, H width.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headline.engines.base import Floats
from headline.engines.numpy.layers import Cell, dense, lstm_step, norm, scaled_norm
from headline.engines.numpy.matches import Matches
from headline.engines.rows import RowLayout
from headline.network.weights import Weights, decoder_norms
from headline.settings.model import ModelConfig
from headline.text.ids import UNK, Ids


@dataclass(frozen=True)
class Memory:
    """The decoder state of each row."""

    hidden: tuple[Floats, ...]  # one per layer, (R, H)
    cell: tuple[Floats, ...]
    matches: Matches | None  # None without a ``match_length``

    def take(self, rows: Ids) -> "Memory":
        """Returns the given rows."""
        return Memory(
            tuple(layer[rows] for layer in self.hidden),
            tuple(layer[rows] for layer in self.cell),
            None if self.matches is None else self.matches.take(rows),
        )


@dataclass(frozen=True)
class Condition:
    """What changes how the decoder reads, besides its memory and its input."""

    pooled: Floats | None  # (B, H): see ``Decoder.pooled``
    style: Ids | None  # (B,): see ``SourceBatch.condition``

    def take(self, articles: NDArray[np.intp]) -> "Condition":
        """Returns those of the given articles."""
        return Condition(
            None if self.pooled is None else self.pooled[articles],
            None if self.style is None else self.style[articles],
        )


@dataclass(frozen=True)
class Articles:
    """The articles, as the decoder needs them, and the article of each row."""

    rows: RowLayout
    condition: Condition
    copy_ids: Ids | None  # (B, S): id that each position can write; None: no pointer

    @property
    def row_style(self) -> Ids | None:
        """The style of each row, (R,), -1 for none; None if no row has a style."""
        style = self.condition.style
        return None if style is None else style[self.rows.articles]


@dataclass(frozen=True)
class StyleTables:
    """The style tables, with one more row that changes nothing.

    A row without a style has the index -1, the last row. So its values are exactly
    those of a network without styles.
    """

    inputs: Floats  # (K + 1, H): added to the input
    norms: dict[str, tuple[Floats, Floats]]  # scale and shift, both (K + 1, H)

    @classmethod
    def of(cls, config: ModelConfig, weights: Weights) -> "StyleTables":
        """Takes the tables from the weights of a network with styles."""

        def table(name: str) -> Floats:
            return np.pad(weights[f"styles/{name}"], ((0, 1), (0, 0)))

        norms = {
            norm: (1 + table(f"{norm}/gamma"), table(f"{norm}/beta"))
            for norm in decoder_norms(config)
        }
        return cls(table("input"), norms)


class Decoder:
    """The decoder; its LSTM weights are rearranged as ``Cell`` describes."""

    def __init__(self, config: ModelConfig, weights: Weights) -> None:
        self.config, self.weights = config, weights
        self.styles = StyleTables.of(config, weights) if config.styles else None
        self.layers = [
            Cell.of(weights, f"decoder_{layer}")
            for layer in range(config.decoder_layers)
        ]

    def pooled(self, states: Floats, bias: Floats) -> Floats | None:
        """Returns the input of each ``ConditionalNorm``, (B, H), or None without one.

        Args:
            states: encoder states, shape ``(S, B, H)``.
            bias: shape ``(B, S)``: 0 on real tokens, LOWEST on padding.
        """
        if not self.config.conditional_norm:
            return None
        pooled: Floats = (states + bias.T[:, :, None]).max(axis=0)
        return pooled

    def start(self, copy_ids: Ids) -> Memory:
        """Returns the memory before BOS, with one row per article, for ids (B, S)."""
        zeros = np.zeros((len(copy_ids), self.config.width), np.float32)
        layers = (zeros,) * self.config.decoder_layers
        matches = Matches.none(copy_ids) if self.config.match_length else None
        return Memory(layers, layers, matches)

    def read(
        self, memory: Memory, tokens: Ids, articles: Articles
    ) -> tuple[Floats, Memory]:
        """Reads one token per row, (R,); returns outputs (R, H) and the new memory."""
        embeddings = self.weights["embedding/embeddings"]
        known = np.where(tokens < self.config.vocab_size, tokens, UNK)
        outputs, hidden, cells = embeddings[known], [], []
        style = articles.row_style
        if self.styles is not None and style is not None:
            outputs += self.styles.inputs[style]
        for layer in range(self.config.decoder_layers):
            values = self._norm(layer, outputs, articles)
            outputs, cell = self._cell(
                layer, values, memory.hidden[layer], memory.cell[layer]
            )
            hidden.append(outputs)
            cells.append(cell)
        outputs = self._norm("last", outputs, articles)
        matches = self._extended(memory.matches, tokens, articles)
        return outputs, Memory(tuple(hidden), tuple(cells), matches)

    def _cell(
        self, layer: int, values: Floats, hidden: Floats, cell: Floats
    ) -> tuple[Floats, Floats]:
        weights = self.layers[layer]
        gates = values @ weights.kernel
        gates += hidden @ weights.recurrent
        gates += weights.bias
        return lstm_step(gates, cell)

    def _extended(
        self, matches: Matches | None, tokens: Ids, articles: Articles
    ) -> Matches | None:
        if matches is None or articles.copy_ids is None:
            return None
        own = articles.copy_ids[articles.rows.articles]
        return matches.extended(tokens, own, self.config.match_length)

    def features(self, memory: Memory, rows: RowLayout) -> Floats | None:
        """Returns the match features of each position, (B K, features, S), if any."""
        if memory.matches is None:
            return None
        return memory.matches.by_article(rows).features(self.config.match_length)

    def _norm(self, layer: int | str, values: Floats, articles: Articles) -> Floats:
        name = f"decoder_norm_{layer}"
        pooled, style = articles.condition.pooled, articles.row_style
        if pooled is None:
            normed = scaled_norm(self.weights, name, values)
        else:
            normed = self._modulated(name, values, pooled, articles.rows)
        if self.styles is None or style is None:
            return normed
        scale, shift = self.styles.norms[name]
        styled: Floats = normed * scale[style] + shift[style]
        return styled

    def _modulated(
        self, name: str, values: Floats, pooled: Floats, rows: RowLayout
    ) -> Floats:
        beta, gamma = (
            self._modulate(f"{name}/{which}", pooled)[rows.articles]
            for which in ("beta", "gamma")
        )
        return norm(values) * (1 + gamma) + beta

    def _modulate(self, name: str, condition: Floats) -> Floats:
        hidden = np.maximum(dense(self.weights, f"{name}_hidden", condition), 0)
        return dense(self.weights, f"{name}_output", hidden)

"""A worker process: it holds the model, and answers one batch after the other.

It is started as ``python -c "from headline.serving.worker import main; main()"``, reads
messages from stdin and answers on stdout, and ends when stdin ends: once the server has
gone, no worker stays.
"""

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from types import TracebackType
from typing import BinaryIO

from headline.generation.explain import Explainer, encoded_headline
from headline.generation.generator import Generator
from headline.serving.answers import (
    explanation_fields,
    headlines_of,
    score_fields,
    to_json,
)
from headline.serving.messages import (
    READY,
    Done,
    Explain,
    Score,
    Search,
    Setup,
    Work,
    packed,
    receive,
)


class Answering:
    """Answers work with a model.

    Args:
        setup: the model.
    """

    def __init__(self, setup: Setup) -> None:
        self.generator = Generator.from_bundle(setup.bundle, setup.config)
        self.explainer = Explainer.beside(self.generator, setup.bundle)

    def answer(self, batch: Sequence[Work]) -> list[Done]:
        """Answers a batch, whose work is all of one type."""
        first = batch[0]
        if isinstance(first, Search):
            return self._search([one for one in batch if isinstance(one, Search)])
        if isinstance(first, Score):
            return self._score([one for one in batch if isinstance(one, Score)])
        return [self._explain(one) for one in batch if isinstance(one, Explain)]

    def _search(self, batch: Sequence[Search]) -> list[Done]:
        sources = [self.generator.read(one.text) for one in batch]
        found = self.generator.generate(sources, [one.config for one in batch])
        return [
            Done(to_json(headlines_of(source, headlines)), headlines[0].error)
            for source, headlines in zip(sources, found, strict=True)
        ]

    def _score(self, batch: Sequence[Score]) -> list[Done]:
        sources = [self.generator.read(one.text) for one in batch]
        scores = [float("nan")] * len(batch)
        places = [at for at, source in enumerate(sources) if source.text]
        found = self.generator.score(
            [sources[at] for at in places], [batch[at].headline for at in places]
        )
        for at, score in zip(places, found, strict=True):
            scores[at] = score
        return [Done(to_json(score_fields(score))) for score in scores]

    def _explain(self, work: Explain) -> Done:
        source = self.generator.read(work.text)
        error = None
        if not source.text:
            headlines = []
        elif work.headlines is not None:
            headlines = [
                encoded_headline(text, source, self.generator)
                for text in work.headlines
            ]
        else:
            (headlines,) = self.generator.generate([source], [work.config])
            error = headlines[0].error
        explanation = self.explainer.explain(source, [] if error else headlines)
        return Done(to_json(explanation_fields(source, explanation)), error)


def main() -> None:
    """Answers messages until there are no more."""
    leave_signals()
    sys.excepthook = tell_mistake
    received, answers = own_streams()
    answering = Answering(receive(received))
    try:
        _send(answers, READY)
        while True:
            batch: list[Work] = receive(received)
            _send(answers, answering.answer(batch))
    except (EOFError, BrokenPipeError):
        os._exit(0)  # the server is gone, or wants no more


def leave_signals() -> None:
    """Ignores what a terminal or systemd sends to all processes of the server.

    The server answers what it has accepted, and then ends its workers.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"):
        if number := getattr(signal, name, None):
            signal.signal(number, signal.SIG_IGN)


def tell_mistake(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Prints where an error was raised, but not its message, which may quote a text."""
    print(f"{kind.__name__} in process {os.getpid()}:", file=sys.stderr)
    traceback.print_tb(trace)


def own_streams() -> tuple[BinaryIO, BinaryIO]:
    """Returns stdin and stdout, out of the reach of anything that reads or prints."""
    received, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(sys.stderr.fileno(), 1)
    return received, answers


def _send(stream: BinaryIO, message: object) -> None:
    stream.write(packed(message))
    stream.flush()

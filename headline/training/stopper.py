"""Early stopping of a training or of one of its phases."""

from headline.training.phases import PSEUDO_PAIRS, Phase
from headline.training.training import Training


class Stopper:
    """Ends a phase that no longer improves, or whose time is used up."""

    def __init__(self, training: Training) -> None:
        self.training = training

    def end_stale(self) -> None:
        """Ends the phase after ``patience`` epochs without a better ROUGE-L; with a
        cooldown, Schedule ends it once the learning rate has fallen to 0."""
        config, state = self.training.run.train, self.training.state
        if state.stale_epoch(config.patience) is not state.history[-1]:
            return
        told = f"no better ROUGE-L in {config.patience} epochs: "
        if state.phase != PSEUDO_PAIRS and config.cooldown_epochs:
            left = f"within {config.cooldown_epochs} more, then training ends"
            self.training.report(f"{told}the learning rate falls to 0 {left}")
        else:
            self.training.report(f"{told}stopped")
            state.phase_over = True

    def end_late(self, phase: Phase) -> None:
        """Ends the phase if there is no time for another update, because another epoch
        would only be validated."""
        state, share = self.training.state, self.training.clock.share()
        state.phase_over = state.phase_over or phase.is_over(state.phase_update, share)

"""A recorded run, for the tests of recorders."""

import torch

from d2pyg.scores import TrainingDynamics

N, C, EPOCHS = 12, 3, 4
TARGET = torch.arange(N) % C


def logits(epoch, seed=0):
    return 2 * torch.randn(N, C, generator=torch.Generator().manual_seed(100 * seed + epoch))


def recorded(epochs=EPOCHS, rows=slice(None), dynamics=None, **options):
    """A recorder of ``epochs`` epochs of some of the samples."""
    dynamics = TrainingDynamics(N, window=2, **options) if dynamics is None else dynamics
    for epoch in range(epochs):
        feed(dynamics, epoch, rows)
        dynamics.end_epoch()
    return dynamics


def feed(dynamics, epoch, rows=slice(None)):
    dynamics.update(torch.arange(N)[rows], logits(epoch)[rows], TARGET[rows])


def same(one, two):
    """Both recorders hold the same, an open epoch included."""
    first, second = one.state_dict(), two.state_dict()
    return (
        first["settings"] == second["settings"]
        and first["epochs"] == second["epochs"]
        and all(value.equal(second["samples"][name]) for name, value in first["samples"].items())
    )

"""In what order a training sees its samples, and the recording of what it makes of them."""

import torch


def stream(num_samples, length, seed):
    """Which sample comes at each of `length` places: shuffled passes over all, one after the other."""
    generator = torch.Generator().manual_seed(seed)
    passes = range(-(-length // num_samples))
    return torch.cat([torch.randperm(num_samples, generator=generator) for _ in passes])[:length]


class Recorder:
    """Feeds TrainingDynamics with a stream's batches: a pass over the samples is an epoch.

    Logits stay on their device until the pass is over. What follows the last whole pass is not recorded.
    """

    def __init__(self, dynamics, target):
        self.dynamics, self.target = dynamics, target.cpu()
        self.rows, self.logits, self.waiting = [], [], 0

    def __call__(self, rows, logits):
        """A batch: places in the training set [B], logits before the update [B, C]."""
        self.rows.append(rows)
        self.logits.append(logits.detach().float())
        self.waiting += len(rows)
        total = self.dynamics.num_samples
        while self.waiting >= total:
            rows, logits = torch.cat(self.rows).cpu(), torch.cat(self.logits)
            self.dynamics.update(rows[:total], logits[:total], self.target[rows[:total]])
            self.dynamics.end_epoch()
            self.rows, self.logits = [rows[total:].to(self.rows[-1].device)], [logits[total:]]
            self.waiting -= total

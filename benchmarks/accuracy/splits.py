"""What is held out to tune on, and labels made wrong on purpose."""

import torch

SHARE = 0.1  # of each class, held out for validation


def hold_out(split, share=SHARE, seed=0):
    """The training part alone, without `share` of each class; that share is the new test part.

    The old test part is gone, so that nothing can be tuned on it.
    """
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.randperm(len(split.train_y), generator=generator)
    held = torch.zeros(len(shuffled), dtype=torch.bool)
    for label in split.train_y.unique():
        rows = shuffled[split.train_y[shuffled] == label]
        held[rows[: round(share * len(rows))]] = True
    x, y = split.train_x, split.train_y
    return split._replace(train_x=x[~held], train_y=y[~held], test_x=x[held], test_y=y[held])


def flip(labels, share, seed=0):
    """Labels of which `share` are wrong: samples and their new classes are random."""
    generator = torch.Generator().manual_seed(seed)
    classes = int(labels.max()) + 1
    rows = torch.randperm(len(labels), generator=generator)[: round(share * len(labels))]
    away = torch.randint(1, classes, (len(rows),), generator=generator)
    return labels.index_copy(0, rows, (labels[rows] + away) % classes)

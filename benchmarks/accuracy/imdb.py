"""IMDB reviews as sentence embeddings, and a perceptron with one hidden layer."""

from benchmarks.accuracy import data
from benchmarks.accuracy.mlp import Recipe, Task


def load():
    """The embeddings, stretched to a mean square of 1 a coordinate; they come with unit length."""
    split = data.imdb()
    stretch = split.train_x.shape[1] ** 0.5
    return split._replace(train_x=split.train_x * stretch, test_x=split.test_x * stretch)


TASK = Task(
    "imdb",
    load,
    Recipe(widths=(384, 64, 2), batch=128, steps=1500, rate=1e-3, decay=1e-3, window=5),
    "IMDB reviews, 25,000 to train on and 25,000 to test on, as all-MiniLM-L6-v2 embeddings, which are "
    "the label-free ones too.",
)

"""scikit-learn's handwritten digits, and a perceptron with two hidden layers."""

from benchmarks.accuracy import data
from benchmarks.accuracy.mlp import Recipe, Task

TASK = Task(
    "digits",
    data.digits,
    Recipe(widths=(64, 64, 32, 10), batch=32, steps=2000, rate=2e-3, decay=1e-4),
    "scikit-learn's digits: 1,198 to train on, 599 to test on; label-free embeddings are the pixels.",
    together=64,
)

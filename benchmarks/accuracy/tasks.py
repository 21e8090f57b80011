"""The tasks by name."""

from benchmarks.accuracy import cifar10, digits, imdb

_ALL = (digits.TASK, imdb.TASK, cifar10.HEAD, cifar10.SMALL, cifar10.LARGE)
TASKS = {task.name: task for task in _ALL}
QUICK = {task.name: task for task in _ALL[:3]}  # those that minutes on a CPU are enough for

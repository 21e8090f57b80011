"""CIFAR-10: a ResNet-9, on all of it for a GPU or a part for the CPU; a perceptron on embeddings."""

import torch

from benchmarks.accuracy import data, mlp, patches, resnet
from benchmarks.accuracy.splits import hold_out


class Task:
    """Images and a residual network.

    Args:
        name: What it is called.
        load: Gives a :class:`benchmarks.accuracy.data.Split` of uint8 images [N, 32, 32, 3].
        recipe: A :class:`benchmarks.accuracy.resnet.Recipe`.
        note: A sentence for the head of its tables.
        validation: Gives a split to tune on; default: a tenth of the training part is held out.
    """

    def __init__(self, name, load, recipe, note, validation=None):
        self.name, self.load, self.recipe, self.note = name, load, recipe, note
        self.validation = validation or (lambda: hold_out(load()))

    def free(self, x, device):
        """Embeddings that know no labels: responses to patches."""
        return patches.features(x, device)

    def learn(self, x, y, seed, device, record):
        """A network trained on everything, longer: its last hidden layer [N, width] and logits of x."""
        longer = self.recipe.for_scores()
        network = resnet.train(longer, x, y, seed, device, record)
        return (
            resnet.outputs(network, x, longer, device, "embed"),
            resnet.outputs(network, x, longer, device),
        )

    def answers(self, split, members, device):
        """For each member (places, seed), in order: which of the test part its network got right."""
        train_x, train_y = split.train_x.to(device), split.train_y.to(device)
        for index, seed in members:
            rows = index.to(device)
            network = resnet.train(self.recipe, train_x[rows], train_y[rows], seed, device)
            logits = resnet.outputs(network, split.test_x, self.recipe, device)
            yield logits.argmax(dim=1) == split.test_y


def small():
    """10,000 of the training images, 1,000 a class."""
    split = data.cifar10()
    rows = _of_each_class(split.train_y, 0, 1000)
    return split._replace(train_x=split.train_x[rows], train_y=split.train_y[rows])


def small_validation():
    """The same to train on, and 10,000 others of the training images to evaluate on."""
    split = data.cifar10()
    rows = _of_each_class(split.train_y, 1000, 2000)
    return small()._replace(test_x=split.train_x[rows], test_y=split.train_y[rows])


def _of_each_class(labels, start, end):
    """Places of the samples start..end of each class, in an order drawn, ascending."""
    generator = torch.Generator().manual_seed(0)
    shuffled = torch.randperm(len(labels), generator=generator)
    parts = [shuffled[labels[shuffled] == label][start:end] for label in range(10)]
    return torch.cat(parts).sort().values


def embedded():
    """Embeddings of all images, stretched to a mean square of 1 a coordinate."""
    split = data.cifar10_embedded()
    stretch = split.train_x.square().mean().rsqrt()
    return split._replace(train_x=split.train_x * stretch, test_x=split.test_x * stretch)


_NOTE = (
    "10,000 to test on; label-free embeddings are responses to k-means patches. The images were "
    "stored as JPEG: accuracies come out slightly below those published on the bitmaps."
)
LARGE = Task("cifar10", data.cifar10, resnet.Recipe(), f"CIFAR-10, 50,000 to train on, {_NOTE}")
SMALL = Task(
    "cifar10-small",
    small,
    resnet.Recipe(widths=(16, 32, 64, 128), stride=2, batch=64, steps=600, rate=1.0, longer=4, window=5),
    f"CIFAR-10, 10,000 to train on, {_NOTE}",
    small_validation,
)
HEAD = mlp.Task(
    "cifar10-head",
    embedded,
    mlp.Recipe(widths=(256, 128, 10), batch=128, steps=3000, rate=1e-3, decay=1e-4, window=3),
    "CIFAR-10, 50,000 to train on and 10,000 to test on, as EfficientNet-Lite0 embeddings (trained on "
    "ImageNet), which are the label-free ones too. The images were stored as JPEG.",
)

"""Small multilayer perceptrons, many trained at once: a layer of all of them is one batched product."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn

from benchmarks.accuracy.order import stream
from benchmarks.accuracy.splits import hold_out

ROWS_TOGETHER = 1000  # of a member, where a trained ensemble is applied


@dataclass(frozen=True)
class Recipe:
    """What decides how good a network gets, but for data and seed."""

    widths: tuple[int, ...]  # inputs, hidden layers, classes
    batch: int
    steps: int
    rate: float  # Adam's, at the start; a cosine takes it to 0
    decay: float = 0.0
    window: int = 10  # epochs in a window of DUAL


def plain(widths, seed):
    """One network with its initial weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = [nn.Linear(*pair) for pair in pairwise(widths)]
    between = [part for layer in layers for part in (layer, nn.ReLU())]
    return nn.Sequential(*between[:-1])


class Ensemble:
    """Networks side by side, a seed each. Weights are [S, inputs, outputs], biases [S, 1, outputs]."""

    def __init__(self, widths, seeds, device="cpu"):
        members = [plain(widths, seed) for seed in seeds]
        self.layers = [
            (
                torch.stack([layer.weight.detach().T for layer in layers]).to(device).requires_grad_(),
                torch.stack([layer.bias.detach().unsqueeze(0) for layer in layers])
                .to(device)
                .requires_grad_(),
            )
            for layers in zip(*(member[::2] for member in members), strict=True)
        ]

    def parameters(self):
        return [parameter for layer in self.layers for parameter in layer]

    def embed(self, x):
        """The last hidden layer [S, B, width], of inputs [S, B, inputs]."""
        for weight, bias in self.layers[:-1]:
            x = torch.baddbmm(bias, x, weight).relu()
        return x

    def logits(self, x):
        """[S, B, classes], of inputs [S, B, inputs]."""
        weight, bias = self.layers[-1]
        return torch.baddbmm(bias, self.embed(x), weight)

    @torch.no_grad()
    def predict(self, x):
        """The class that each member takes each of x [N, inputs] for: [S, N], on the CPU."""
        size, device = len(self.layers[0][0]), self.layers[0][0].device
        parts = [
            self.logits(some.to(device).expand(size, -1, -1)).argmax(dim=2).cpu()
            for some in x.split(ROWS_TOGETHER)
        ]
        return torch.cat(parts, dim=1)


def train(recipe, x, y, members, device="cpu", record=None):
    """An ensemble trained from scratch. No member sees or depends on another.

    Args:
        recipe: A :class:`Recipe`.
        x: Inputs [N, inputs].
        y: Classes [N].
        members: Pairs (places of its training set, seed of weights and order).
        record: Called with each batch's places [S, B] and logits [S, B, classes] before the update.
    """
    x, y = x.to(device), y.to(device)
    length = recipe.steps * recipe.batch
    order = torch.stack([index[stream(len(index), length, seed)] for index, seed in members]).to(device)
    networks = Ensemble(recipe.widths, [seed for _, seed in members], device)
    optimizer = torch.optim.Adam(
        networks.parameters(), recipe.rate, weight_decay=recipe.decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.steps)
    for rows in order.split(recipe.batch, dim=1):
        inputs = x.index_select(0, rows.flatten()).view(*rows.shape, -1)  # faster than x[rows]
        logits = networks.logits(inputs)
        if record is not None:
            record(rows, logits)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), y[rows].flatten(), reduction="sum")
        (loss / recipe.batch).backward()  # a sum of the members' mean losses: gradients stay apart
        optimizer.step()
        schedule.step()
    return networks


class Task:
    """A data set and a multilayer perceptron.

    Args:
        name: What it is called.
        load: Gives a :class:`benchmarks.accuracy.data.Split`.
        recipe: A :class:`Recipe`.
        note: A sentence for the head of its tables.
        together: Members of an ensemble; decides speed and memory alone.
    """

    def __init__(self, name, load, recipe, note, together=16):
        self.name, self.load, self.recipe, self.note = name, load, recipe, note
        self.together = together

    def validation(self):
        """The training part alone, a tenth of it held out to evaluate on."""
        return hold_out(self.load())

    def free(self, x, device):
        """Embeddings that know no labels: the inputs."""
        return x

    def learn(self, x, y, seed, device, record):
        """A network trained on everything: its last hidden layer [N, width] and logits of x."""
        networks = train(
            self.recipe,
            x,
            y,
            [(torch.arange(len(x)), seed)],
            device,
            lambda rows, logits: record(rows[0], logits[0]),
        )
        with torch.no_grad():
            batch = x.to(device).unsqueeze(0)
            return networks.embed(batch)[0].cpu(), networks.logits(batch)[0].cpu()

    def answers(self, split, members, device):
        """For each member (places, seed), in order: which of the test part its network got right."""
        for start in range(0, len(members), self.together):
            some = members[start : start + self.together]
            networks = train(self.recipe, split.train_x, split.train_y, some, device)
            yield from networks.predict(split.test_x) == split.test_y

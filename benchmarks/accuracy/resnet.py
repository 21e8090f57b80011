"""Residual networks for small images, trained fast: on CUDA in seconds, on the CPU in a small form."""

from dataclasses import dataclass, replace

import torch
from torch import nn

from benchmarks.accuracy.order import stream

PAD = 4
MEAN, STD = (125.3, 123.0, 113.9), (63.0, 62.1, 66.7)


@dataclass(frozen=True)
class Recipe:
    """What decides how good a network gets, but for data and seed."""

    widths: tuple[int, int, int, int] = (64, 128, 256, 512)
    stride: int = 1  # of the first convolution
    batch: int = 512
    steps: int = 2000
    rate: float = 0.4  # the peak of the one-cycle schedule, for a batch's mean loss
    rising: float = 0.25  # share of the steps until the peak
    momentum: float = 0.9
    decay: float = 5e-4
    bfloat16: bool = True
    longer: float = 2  # times as many steps for the network that scores and embeds
    window: int = 10  # epochs in a window of DUAL

    def for_scores(self):
        """The recipe of the network that scores and embeds."""
        return replace(self, steps=round(self.longer * self.steps))


class Network(nn.Module):
    """ResNet-9: five convolutions, the second and the last followed by a residual block of two.

    Args:
        widths: Channels at each resolution.
        stride: Of the first convolution.
        classes: Number of outputs.
    """

    def __init__(self, widths, stride=1, classes=10):
        super().__init__()
        one, two, three, four = widths
        self.body = nn.Sequential(
            _block(3, one, stride),
            _block(one, two, pool=True),
            Residual(two),
            _block(two, three, pool=True),
            _block(three, four, pool=True),
            Residual(four),
            nn.AdaptiveMaxPool2d(1),
            nn.Flatten(),
        )
        self.head = nn.Linear(four, classes)
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1), persistent=False)

    def embed(self, images):
        """[B, 3, 32, 32] of any type, 0 to 255, to [B, width]."""
        return self.body((images - self.mean) / self.std)

    def forward(self, images):
        return self.head(self.embed(images)) / 8  # small logits: a high rate stays stable


class Residual(nn.Module):
    """x plus two convolutions of x."""

    def __init__(self, width):
        super().__init__()
        self.inner = nn.Sequential(_block(width, width), _block(width, width))

    def forward(self, x):
        return x + self.inner(x)


def _block(inputs, outputs, stride=1, pool=False):
    """Convolution, pooling, normalisation, ReLU."""
    parts = [nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)]
    parts += [nn.MaxPool2d(2)] if pool else []
    return nn.Sequential(*parts, nn.BatchNorm2d(outputs), nn.ReLU())


def train(recipe, images, labels, seed, device="cpu", record=None):
    """A network trained from scratch.

    Args:
        recipe: A :class:`Recipe`.
        images: uint8 [N, 32, 32, 3], on any device.
        labels: int64 [N].
        seed: Of weights, order and augmentation.
        device: Where it is trained.
        record: Called with each batch's places [B] and logits [B, C] before the update.
    """
    device = torch.device(device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Network(recipe.widths, recipe.stride)
    network = network.to(device, memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(
        network.parameters(), recipe.rate, recipe.momentum, weight_decay=recipe.decay, nesterov=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        recipe.rate,
        total_steps=recipe.steps,
        pct_start=recipe.rising,
        anneal_strategy="linear",
        cycle_momentum=False,
    )
    padded, labels = padded_images(images.to(device)), labels.to(device)
    order = stream(len(labels), recipe.steps * recipe.batch, seed).to(device)
    generator = torch.Generator().manual_seed(seed)
    shift = torch.randint(2 * PAD + 1, (len(order), 2), generator=generator).to(device)
    mirror = torch.randint(2, (len(order),), generator=generator).bool().to(device)
    for rows, moved, mirrored in zip(
        *(part.split(recipe.batch) for part in (order, shift, mirror)), strict=True
    ):
        with torch.autocast(device.type, torch.bfloat16, enabled=recipe.bfloat16):
            logits = network(crop(padded, rows, moved, mirrored)).float()
        if record is not None:
            record(rows, logits)
        optimizer.zero_grad()
        nn.functional.cross_entropy(logits, labels[rows]).backward()
        optimizer.step()
        schedule.step()
    return network.eval()


def padded_images(images):
    """uint8 [N, 32 + 2 PAD, 32 + 2 PAD, 3]: mirrored at the border."""
    rows = _mirrored(images.shape[1], images.device)
    return images[:, rows][:, :, rows]


def _mirrored(size, device):
    place = torch.arange(-PAD, size + PAD, device=device).abs()
    return torch.where(place < size, place, 2 * (size - 1) - place)


def crop(padded, rows, shift, mirror):
    """[B, 3, 32, 32] in channels-last order: images `rows`, each moved by `shift`, some mirrored."""
    size = padded.shape[1] - 2 * PAD
    windows = padded.unfold(1, size, 1).unfold(2, size, 1)  # [N, down, across, 3, 32, 32], a view
    moved = windows[rows, shift[:, 0], shift[:, 1]]
    moved = torch.where(mirror.view(-1, 1, 1, 1), moved.flip(3), moved)
    return moved.contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def outputs(network, images, recipe, device="cpu", of="forward", batch=1000):
    """What a trained network makes of all images, [N, ...] on the CPU: its logits, or ``of="embed"``."""
    device, parts = torch.device(device), []
    for chunk in images.split(batch):
        with torch.autocast(device.type, torch.bfloat16, enabled=recipe.bfloat16):
            made = getattr(network, of)(chunk.to(device).permute(0, 3, 1, 2))
        parts.append(made.float().cpu())
    return torch.cat(parts)

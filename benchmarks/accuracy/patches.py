"""Image features without labels: responses to k-means centroids of small patches (Coates, Lee, Ng 2011).

"An Analysis of Single-Layer Networks in Unsupervised Feature Learning", AISTATS 2011: patches with their
contrast normalized, whitened; the triangle activation; sums over the four quadrants. Then principal
components.
"""

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from d2pyg._base.extras import require

SIZE = 6  # pixels across a patch
SAMPLED = 100_000  # patches that centroids are learned from
CENTROIDS = 256
COMPONENTS = 256


def features(images, device="cpu", chunk=250):
    """float32 [N, 256], of uint8 images [N, 32, 32, 3]."""
    cluster = require("sklearn.cluster", "scikit-learn")
    generator = torch.Generator().manual_seed(0)
    patches = torch.cat([_some(part, SAMPLED / len(images), generator) for part in images.split(5000)])
    mean, whiten = _whitening(patches)
    patches = (patches - mean) @ whiten
    means = cluster.MiniBatchKMeans(CENTROIDS, batch_size=2048, n_init=3, random_state=0).fit(
        patches.numpy()
    )
    centroid = torch.from_numpy(means.cluster_centers_.astype(np.float32)).to(device)
    mean, whiten = mean.to(device), whiten.to(device)
    found = [
        _responses(part.to(device), mean, whiten, centroid).cpu()
        for part in tqdm(images.split(chunk), desc="patch features", unit="chunk")
    ]
    return _principal(torch.cat(found))


def _patches(images):
    """All patches of each image [B, P, 108], less their mean, divided by their spread."""
    x = nn.functional.unfold(images.permute(0, 3, 1, 2).float(), SIZE).transpose(1, 2)
    x = x - x.mean(dim=2, keepdim=True)
    return x / (x.var(dim=2, keepdim=True) + 10).sqrt()


def _some(images, each, generator):
    """About `each` random patches an image, [M, 108]."""
    count = round(each * len(images))
    rows = torch.randint(len(images), (count,), generator=generator)
    corner = torch.randint(images.shape[1] - SIZE + 1, (count, 2), generator=generator)
    windows = images.unfold(1, SIZE, 1).unfold(2, SIZE, 1)  # [N, down, across, 3, 6, 6], a view
    chosen = windows[rows, corner[:, 0], corner[:, 1]].permute(0, 2, 3, 1)
    return _patches(chosen).squeeze(1)


def _whitening(patches):
    """The mean, and the matrix that makes patches uncorrelated (ZCA)."""
    mean = patches.mean(dim=0)
    value, vector = torch.linalg.eigh(torch.cov(patches.T.double()))
    whiten = vector * (value + 0.1).rsqrt() @ vector.T
    return mean, whiten.float()


def _responses(images, mean, whiten, centroid):
    """[B, 4 * 256]: how much closer than on average each centroid is, summed over quadrants."""
    x = (_patches(images) - mean) @ whiten
    distance = torch.cdist(x, centroid.expand(len(x), -1, -1))
    active = (distance.mean(dim=2, keepdim=True) - distance).relu()
    side = images.shape[1] - SIZE + 1
    grid = active.view(len(x), side, side, -1).permute(0, 3, 1, 2)
    return nn.functional.adaptive_avg_pool2d(grid, 2).flatten(1)


def _principal(x):
    """The first principal components of standardized features."""
    x = (x - x.mean(dim=0)) / (x.std(dim=0) + 1e-6)
    _, vector = torch.linalg.eigh(x.T @ x / len(x))
    return x @ vector[:, -COMPONENTS:].flip(1)

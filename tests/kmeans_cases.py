"""k-means of arrays, for the tests of what stands on it."""

import numpy as np
import torch

from d2pyg.graph.kmeans import Directions, spherical_kmeans


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def kmeans(x, clusters, seed=0, device="cpu"):
    pool = torch.arange(len(x), device=device)
    return spherical_kmeans(Directions(torch.as_tensor(x), pool), clusters, seed)

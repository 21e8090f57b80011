"""embed(pool=...): one vector a sample, from a vector for each token."""

from collections import OrderedDict, UserDict
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import d2pyg

B, T, D = 5, 4, 3
HIDDEN = torch.randn(B, T, D, generator=torch.Generator().manual_seed(0))
LENGTHS = [4, 1, 2, 3, 4]
RIGHT = torch.tensor([[1] * n + [0] * (T - n) for n in LENGTHS])  # padding on the right
LEFT = RIGHT.flip(1)
GAPS = torch.tensor([[0, 1, 0, 1], [1, 0, 0, 1], [0, 1, 1, 0], [1, 1, 1, 1], [0, 0, 1, 0]])


class Encoder(nn.Module):
    """What it is given, as each token's hidden state."""

    def __init__(self):
        super().__init__()
        self.tokens = nn.Identity()

    def forward(self, hidden, attention_mask=None):
        return self.tokens(hidden).sum(dim=1)


def embed(mask, pool, hidden=HIDDEN, **options):
    batch = {"hidden": hidden} | ({} if mask is None else {"attention_mask": mask})
    return d2pyg.embed(Encoder(), [batch], "tokens", pool=pool, **options)


def by_hand(mask, pool, hidden=HIDDEN):
    rows = []
    for states, kept in zip(hidden, torch.ones(B, T) if mask is None else mask, strict=True):
        tokens = [state for state, one in zip(states, kept.tolist(), strict=True) if one]
        rows.append({"mean": sum(tokens) / len(tokens), "cls": tokens[0], "last": tokens[-1]}[pool])
    return torch.stack(rows)


@pytest.mark.parametrize("pool", ["mean", "cls", "last"])
@pytest.mark.parametrize("mask", [None, RIGHT, LEFT, GAPS, RIGHT == 1, LEFT.float()])
def test_equals_a_loop_over_tokens(pool, mask, device):
    expected = by_hand(mask, pool)
    torch.testing.assert_close(embed(mask, pool), expected)
    there = None if mask is None else mask.to(device)
    torch.testing.assert_close(embed(there, pool, HIDDEN.to(device), device=device), expected)


def test_what_is_masked_takes_no_part():
    spoiled = HIDDEN.masked_fill((RIGHT == 0)[:, :, None], torch.nan)
    for pool in "mean", "cls", "last":
        assert embed(RIGHT, pool, spoiled).equal(embed(RIGHT, pool))


def test_flatten_takes_all_tokens():
    assert embed(RIGHT, "flatten").equal(HIDDEN.reshape(B, T * D))


def test_half_precision_is_averaged_in_single():
    hidden = torch.full((1, 4000, 1), 0.1, dtype=torch.float16)
    found = d2pyg.embed(nn.Identity(), [hidden], pool="mean")
    torch.testing.assert_close(found, hidden[:, 0].float())


@pytest.mark.parametrize(
    "batch",
    [
        {"hidden": HIDDEN, "attention_mask": RIGHT},
        UserDict(hidden=HIDDEN, attention_mask=RIGHT),
        SimpleNamespace(hidden=HIDDEN, attention_mask=RIGHT),
        ({"hidden": HIDDEN, "attention_mask": RIGHT}, torch.zeros(B)),
        SimpleNamespace(hidden=HIDDEN, attention_mask=RIGHT.tolist()),
    ],
    ids=["dict", "mapping", "object", "pair", "list"],
)
def test_where_the_mask_is(batch):
    def forward(model, batch):
        inputs = batch[0] if isinstance(batch, list) else batch
        model(inputs.hidden if isinstance(inputs, SimpleNamespace) else inputs["hidden"])

    found = d2pyg.embed(Encoder(), [batch], "tokens", pool="mean", forward=forward)
    torch.testing.assert_close(found, by_hand(RIGHT, "mean"))


def test_outputs_of_hugging_face():
    class Model(nn.Module):
        def forward(self, hidden, attention_mask):
            return OrderedDict(last_hidden_state=hidden, pooler_output=hidden[:, 0])

    class Classifier(nn.Module):
        def forward(self, hidden, attention_mask):
            return OrderedDict(loss=hidden.sum(), logits=hidden[:, 0])

    batch = {"hidden": HIDDEN, "attention_mask": LEFT}
    torch.testing.assert_close(d2pyg.embed(Model(), [batch], pool="cls"), by_hand(LEFT, "cls"))
    with pytest.raises(
        TypeError, match=r"'last_hidden_state' \(got one with loss, logits\). Name a layer"
    ):
        d2pyg.embed(Classifier(), [batch])


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4, 5)])
def test_no_tokens(shape):
    x = torch.rand(shape)
    assert d2pyg.embed(nn.Identity(), [x]).equal(x.flatten(1))
    with pytest.raises(ValueError, match=r"'pool' to be None .* no vector for each token.*Leave it out"):
        d2pyg.embed(nn.Identity(), [x], pool="mean")


def test_tokens_need_a_choice():
    match = r"'pool' with a layer .* \(got None and shape \(5, 4, 3\)\). Pass one of mean, cls, last, flatten"
    with pytest.raises(ValueError, match=match):
        embed(RIGHT, None)


@pytest.mark.parametrize(
    "mask",
    [RIGHT[:, :3], RIGHT[:, None, None], RIGHT[:3], RIGHT * 2, (1 - RIGHT) * -1e9, -RIGHT],
    ids=["fewer tokens", "four dimensions", "fewer samples", "twos", "additive", "negative"],
)
def test_wrong_masks(mask):
    with pytest.raises(ValueError, match=r"'attention_mask' .* 0 or 1 for each token, shape \(5, 4\)"):
        embed(mask, "mean")


def test_masked_arrays_as_masks():
    with pytest.raises(TypeError, match="'attention_mask' to have no masked values"):
        embed(np.ma.masked_equal(RIGHT.numpy(), 0), "mean")


def test_samples_without_a_token():
    empty = RIGHT.clone()
    empty[[1, 3]] = 0
    for pool in "mean", "cls", "last":
        with pytest.raises(ValueError, match=r"to have a token \(got 2 of the batch .* first at row 1"):
            embed(empty, pool)
    with pytest.raises(ValueError, match=r"every sample to have a token \(got 5"):
        embed(None, "mean", HIDDEN[:, :0])


def test_batches_of_several_lengths():
    found = d2pyg.embed(nn.Identity(), [HIDDEN, HIDDEN[:, :2]], pool="last")
    assert found.equal(torch.cat([HIDDEN[:, -1], HIDDEN[:, 1]]))
    with pytest.raises(ValueError, match=r"rows of one width \(got 12 and 6"):
        d2pyg.embed(nn.Identity(), [HIDDEN, HIDDEN[:, :2]], pool="flatten")

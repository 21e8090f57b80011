"""d2pyg score: saved logits, a recorder's file or embeddings in, difficulty scores out."""

from __future__ import annotations

from typing import Any

from d2pyg._base.defaults import K
from d2pyg._base.options import ARRAY_SUFFIXES, MARGINS
from d2pyg.cli.arguments import options

FROM_TRAINING: dict[str, tuple[str, ...]] = {  # and the options of each
    "forgetting": (),
    "aum": ("margin", "raw"),
    "el2n": ("el2n_epochs",),
    "entropy": (),
    "variance": (),
    "confidence": ("raw",),
    "correctness": ("raw",),
    "borderline": (),
    "dyn_unc": ("window",),
    "dual": ("window",),
}
FROM_LOSSES: dict[str, tuple[str, ...]] = {
    "mean_loss": (),
    "last_loss": (),
    "loss_variance": (),
    "learnability": ("raw",),
}
FROM_EMBEDDINGS: dict[str, tuple[str, ...]] = {
    "prototypicality": ("prototypes", "seed", "raw"),
    "neighbor_distance": ("k", "metric", "backend", "device"),
}

_EPILOG = """
names:
  From training, higher is harder (d2pyg.scores.TrainingDynamics has the definitions):
    forgetting          times a sample went from right to wrong between epochs
    aum                 area under the margin, from the largest down      --margin --raw
    el2n                length of the error, mean of the first epochs     --el2n-epochs
    entropy             of the predicted classes; needs no --labels
    variance            of the true class's probability over epochs
    confidence          one less that probability's mean                  --raw
    correctness         share of the epochs in which it was wrong         --raw
    borderline          how nearly it was learned; no cutoff is needed
    dyn_unc             that probability's deviation in windows           --window
    dual                the same, times how hard the sample is            --window
  From a training run's losses, with --dynamics (d2pyg.scores.LossDynamics has the definitions):
    mean-loss           mean over epochs
    last-loss           of the last epoch
    loss-variance       over epochs
    learnability        how far the loss fell                             --raw
  From embeddings alone:
    prototypicality     distance to the nearest of some prototypes        --prototypes --seed --raw
    neighbor-distance  mean distance to the nearest others               --k --metric

examples:
  From the logits of several epochs, one array [epochs, N, C] or a file [N, C] an epoch:
    d2pyg score aum --logits logits.npy --labels y.npy --out scores.npy
    d2pyg score forgetting --logits e0.npy e1.npy e2.npy --labels y.npy --out scores.npy
  From what TrainingDynamics.save or LossDynamics.save wrote:
    d2pyg score dual --dynamics run.pt --out scores.npy
    d2pyg score last-loss --dynamics losses.pt --out scores.npy
  Without labels:
    d2pyg score prototypicality --embeddings x.npy --prototypes 100 --seed 0 --out scores.npy
    d2pyg score neighbor-distance --embeddings x.npy --k 5 --metric cosine --out scores.npy
  What it is for:
    d2pyg select x.npy --scores scores.npy --keep 0.3 --out coreset.npz

--json prints one object on stdout:
  out            the file written: N float64
  name           the score
  samples        N
  range          [lowest, highest]
  mean           of all samples
  seconds        time taken, reading and writing included
"""


def add_to(commands: Any) -> None:
    """The command's arguments."""
    parser = options.add_command(
        commands,
        "score",
        help="logits of a training run or embeddings in, difficulty scores out",
        description="Say how hard each sample is.",
        epilog=options.FILES + _EPILOG,
    )
    parser.set_defaults(names={"name": [*FROM_TRAINING, *FROM_LOSSES, *FROM_EMBEDDINGS]})
    parser.add_argument("name", metavar="NAME", type=_underscored, help="the score, see below")

    add = parser.add_argument_group("input (one of logits, dynamics, embeddings)").add_argument
    add("--logits", nargs="+", metavar="FILE",
        help="floats before softmax, epochs x N x C; or N x C, a file an epoch")  # fmt: skip
    add("--labels", metavar="FILE", help="with --logits, N integers: the classes trained on")
    add("--dynamics", metavar="FILE", help="what a recorder's save() wrote: .pt")
    add("--embeddings", metavar="FILE", help="file of N x d floats")

    add = parser.add_argument_group("output").add_argument
    options.add_out(add, ARRAY_SUFFIXES)
    options.add_json(add)

    add = parser.add_argument_group("options, each for some names").add_argument
    add("--window", type=options.whole, metavar="J", help="epochs in a window (default 10)")
    add("--el2n-epochs", type=options.whole, metavar="N",
        help="first epochs that are averaged (default 10)")  # fmt: skip
    add("--margin", metavar="NAME", help=f"between {' or '.join(MARGINS)} (default {MARGINS[0]})")
    add("--raw", action="store_true", default=None,
        help="as its paper has it, where low is hard (select wants high to be hard)")  # fmt: skip
    add("--prototypes", type=options.whole, metavar="N", help="centers of k-means (default 100)")
    add("--seed", type=options.whole, metavar="N", help="of the first centers; there is no default")
    add("--k", type=options.whole, metavar="K", help=f"neighbors a sample (default {K})")
    options.add_metric(add)
    options.add_backend(add)

    add = parser.add_argument_group("expert").add_argument
    options.add_device(add)
    options.add_progress(add)
    options.add_last(add)


def _underscored(name: str) -> str:
    return name.replace("-", "_")

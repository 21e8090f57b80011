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
    aum                 largest area under the margin minus its own       --margin --raw
    el2n                norm of the error, mean of the first epochs       --el2n-epochs
    entropy             entropy of the predicted classes; needs no --labels
    variance            variance of the true class's probability over epochs
    confidence          one minus the mean of that probability            --raw
    correctness         share of the epochs in which it was wrong         --raw
    borderline          how nearly it was learned; needs no cutoff
    dyn_unc             deviation of that probability in windows          --window
    dual                dyn_unc times how hard the sample is              --window
  From a training run's losses, with --dynamics (d2pyg.scores.LossDynamics has the definitions):
    mean-loss           mean loss over epochs
    last-loss           loss of the last epoch
    loss-variance       variance of the loss over epochs
    learnability        how far the loss fell                             --raw
  From embeddings alone:
    prototypicality     distance to the nearest prototype                 --prototypes --seed --raw
    neighbor-distance   mean distance to the nearest others               --k --metric

examples:
  From the logits of several epochs, one array [epochs, N, C] or one file [N, C] per epoch:
    d2pyg score aum --logits logits.npy --labels y.npy --out scores.npy
    d2pyg score forgetting --logits e0.npy e1.npy e2.npy --labels y.npy --out scores.npy
  From a file of TrainingDynamics.save or LossDynamics.save:
    d2pyg score dual --dynamics run.pt --out scores.npy
    d2pyg score last-loss --dynamics losses.pt --out scores.npy
  Without labels:
    d2pyg score prototypicality --embeddings x.npy --prototypes 100 --seed 0 --out scores.npy
    d2pyg score neighbor-distance --embeddings x.npy --k 5 --metric cosine --out scores.npy
  Then select with it:
    d2pyg select x.npy --scores scores.npy --keep 0.3 --out coreset.npz

--json prints one object on stdout:
  out            the file written: N float64
  name           the score
  samples        N
  range          [lowest, highest]
  mean           mean score
  seconds        time taken, reading and writing included
"""


def add_to(commands: Any) -> None:
    """The command's arguments."""
    parser = options.add_command(
        commands,
        "score",
        help="compute difficulty scores from a training run or embeddings",
        description="Compute how hard each sample is.",
        epilog=options.FILES + _EPILOG,
    )
    parser.set_defaults(names={"name": [*FROM_TRAINING, *FROM_LOSSES, *FROM_EMBEDDINGS]})
    add = parser.add_argument_group("score").add_argument
    add("name", metavar="NAME", type=_underscored, help="the score; see below")

    add = parser.add_argument_group("input (one of logits, dynamics, embeddings)").add_argument
    add("--logits", nargs="+", metavar="FILE",
        help="floats before softmax, epochs x N x C; or N x C, one file per epoch")  # fmt: skip
    add("--labels", metavar="FILE", help="with --logits: N integers, the classes trained on")
    add("--dynamics", metavar="FILE", help="file of a recorder's save(): .pt")
    add("--embeddings", metavar="FILE", help="file of N x d floats")

    add = parser.add_argument_group("output").add_argument
    options.add_out(add, ARRAY_SUFFIXES)
    options.add_json(add)

    add = parser.add_argument_group("options, each for some names").add_argument
    add("--window", type=options.whole, metavar="J", help="epochs in a window (default 10)")
    add("--el2n-epochs", type=options.whole, metavar="N",
        help="number of first epochs that are averaged (default 10)")  # fmt: skip
    add("--margin", metavar="NAME", help=f"margin between {' or '.join(MARGINS)} (default {MARGINS[0]})")
    add("--raw", action="store_true", default=None,
        help="as in its paper, where low is hard (select needs high to be hard)")  # fmt: skip
    add("--prototypes", type=options.whole, metavar="N", help="centers of k-means (default 100)")
    add("--seed", type=options.whole, metavar="N", help="seed of the first centers; there is no default")
    add("--k", type=options.whole, metavar="K", help=f"neighbors per sample (default {K})")
    options.add_metric(add)
    options.add_backend(add)

    add = parser.add_argument_group("expert").add_argument
    options.add_device(add)
    options.add_progress(add)
    options.add_last(add)


def _underscored(name: str) -> str:
    return name.replace("-", "_")

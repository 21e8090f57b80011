"""How well scores of a fifth of CIFAR-10 are carried to the rest (d2pyg.scores.extrapolate).

A small network is trained on everything: its scores are the truth. Another is trained on a fifth: in
practice that is all there is. The fifth's scores, by either network, are carried along neighbors in
three embedding spaces, and compared with the truth on the other four fifths.

    D2PYG_DATA=FOLDER python -m benchmarks.accuracy.extrapolate --out benchmarks/results/extrapolate
"""

import argparse
from dataclasses import asdict, replace
from pathlib import Path

import torch

import d2pyg
from benchmarks.accuracy import cifar10, data, patches, resnet
from benchmarks.accuracy.order import Recorder
from benchmarks.measure import machine, markdown, origin, write
from d2pyg.scores import extrapolate, rank_correlation

SHARE = 0.2
SCORES = ("aum", "el2n", "dual", "forgetting")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--images", type=int, default=50_000, help="how many of the 50,000 (default all)"
    )
    parser.add_argument("--epochs", type=int, default=10, help="of a training (default 10)")
    parser.add_argument("--out", type=Path, required=True, help="OUT.json and OUT.md are written")
    arguments = parser.parse_args()
    split = data.cifar10()
    chosen = torch.randperm(len(split.train_y), generator=torch.Generator().manual_seed(0))
    chosen = chosen[: arguments.images]
    recipe = replace(cifar10.SMALL.recipe, window=5)
    rows = measure(
        split.train_x[chosen], split.train_y[chosen], recipe, arguments.epochs, arguments.device
    )
    head = {
        **machine(torch.device(arguments.device)),
        "images": len(chosen),
        "epochs": arguments.epochs,
        "known": SHARE,
        "recipe": asdict(recipe),
    }
    write(arguments.out, {**head, "rows": rows}, table(head, rows))
    print(table(head, rows))


def measure(x, y, recipe, epochs, device):
    """A row for each embedding space, graph, score, and network that scored the fifth."""
    count = int(SHARE * len(y))  # the images are in random order, so these are the known ones
    whole, truth = learn(x, y, recipe, epochs, device)
    fifth, own = learn(x[:count], y[:count], recipe, epochs, device)
    spaces = {
        "network of the fifth": resnet.outputs(fifth, x, recipe, device, "embed"),
        "label-free": patches.features(x, device),
        "network of everything": resnet.outputs(whole, x, recipe, device, "embed"),
    }
    rows = []
    for space, embeddings in spaces.items():
        for graph, batch in ("one", None), ("a class", y):
            near = d2pyg.knn_graph(embeddings, 10, batch=batch)
            for name in SCORES:
                for whose, known in ("everything", truth[name][:count]), ("the fifth", own[name]):
                    found = carried(near, known, truth[name])
                    rows.append(
                        {"embeddings": space, "graph": graph, "score": name, "known by": whose, **found}
                    )
    return rows


def learn(x, y, recipe, epochs, device):
    """A trained network, and the scores of what it was trained on."""
    dynamics = d2pyg.scores.TrainingDynamics(len(y), window=recipe.window)
    recipe = replace(recipe, steps=-(-epochs * len(y) // recipe.batch))
    network = resnet.train(recipe, x, y, 0, device, Recorder(dynamics, y))
    return network, {name: getattr(dynamics, name)() for name in SCORES}


def carried(graph, known, truth):
    """What came out for the samples whose score was not known."""
    found = extrapolate(graph, torch.arange(len(known)), known, seed=0)
    guess, true = found.scores[len(known) :], truth[len(known) :]
    constant = known.double().mean()
    error = (guess - true).square().mean() / (constant - true).square().mean()
    return {
        "rank correlation": rank_correlation(guess, true),
        "held-out": found.rank_correlation,
        "squared error over a constant's": float(error),
    }


def table(head, rows):
    """As Markdown."""
    shown = [[f"{v:.3f}" if isinstance(v, float) else v for v in row.values()] for row in rows]
    lines = [
        f"# Scores of a fifth of {head['images']} CIFAR-10 images, carried to the rest",
        "",
        f"{origin(head)}. A small ResNet, {head['epochs']} epochs; k 10. "
        f"`python -m benchmarks.accuracy.extrapolate`.",
        "",
        "The first number is the rank correlation with the scores of the network trained on everything, "
        "on samples whose score was not known. The second is the rank correlation that `extrapolate` "
        "reports, from known samples that it hid. The third is the mean squared error, divided by that "
        "of a constant, the mean of the known scores (whose rank correlation is 0).",
        "",
        markdown(rows[0], shown),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()

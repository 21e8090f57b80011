"""D2 Pruning once more, as slow and as plain as it reads: loops over Python numbers.

Nothing of d2pyg is used. The rounding is the documented one: messages of the greedy loop and the
scores it starts from are rounded to multiples of the power of two that is 2**-30 of the least power
of two above the largest score.
"""

import math

import numpy as np


def distances(x):
    """Euclidean, [N, N], from differences in float64."""
    x = np.asarray(x, dtype=np.float64)
    return np.array([[math.dist(a, b) for b in x] for a in x])


def neighbors(distance, k, group):
    """The k nearest of each node inside its group, ties to the lowest index."""
    lists = []
    for i in range(len(distance)):
        others = [j for j in range(len(distance)) if j != i and group[j] == group[i]]
        lists.append(sorted(others, key=lambda j: (distance[i][j], j))[:k])
    return lists


def lower_median(values):
    return sorted(values)[(len(values) - 1) // 2]


def snap(value, step):
    return round(value / step) * step  # Python rounds halves to even, too


def grid(values):
    largest = max((abs(v) for v in values), default=0.0)
    return math.ldexp(1.0, math.frexp(largest)[1] - 30)


def greedy_loop(score, neighbor, message, count, group=None, first=(), clamp=False):
    """Picks of each group in pick order, and their scores, each by an argmax over all that is open.

    Args:
        score: The scores.
        neighbor: For each node, the nodes that lose when it is picked.
        message: message(pick, pick_score, neighbor, neighbor_score), what the neighbor loses.
        count: Picks wanted, a dict by group.
        group: The group of each node; default 0.
        first: Nodes that are taken before all others, in this order.
        clamp: Picks at or below 0 send nothing.
    """
    group = [0] * len(score) if group is None else list(group)
    step = grid(score)
    score = [snap(float(v), step) for v in score]
    is_open = [True] * len(score)

    def take(candidates):
        best = max(candidates, key=lambda i: (score[i], -i))
        value = score[best]
        is_open[best] = False
        if not (clamp and value <= 0):
            lost = [
                (j, snap(message(best, value, j, score[j]), step)) for j in neighbor[best] if is_open[j]
            ]
            for j, amount in lost:
                score[j] -= amount
        return best, value

    picks = {g: [] for g in count}
    for i in first:
        take([i])
    for g in count:
        for _ in range(count[g]):
            picks[g].append(take([i for i in range(len(score)) if is_open[i] and group[i] == g]))
    return picks


def seats(size, available, taken, budget, balance, min_per_class):
    """Classes of the seats, given one at a time by the rule as it reads."""
    given = dict(taken)
    left = dict(available)
    order = []
    while len(order) < budget:
        able = [c for c in sorted(left) if left[c] > 0]
        short = [c for c in able if given[c] < min_per_class]
        if short or balance == "uniform":
            chosen = min(short or able, key=lambda c: (given[c], c))
        else:  # exact fractions: n_c / (2 s_c + 1), largest first
            chosen = able[0]
            for c in able[1:]:
                if size[c] * (2 * given[chosen] + 1) > size[chosen] * (2 * given[c] + 1):
                    chosen = c
        order.append(chosen)
        given[chosen] += 1
        left[chosen] -= 1
    return order


def select(
    x, scores, budget, k=15, gamma_forward=10.0, gamma_reverse=3.0, scale="median", update="sum",
    clamp=False, flow="both", labels=None, balance="proportional", min_per_class=0, cutoff=0.0,
    initial=(),
):  # fmt: skip
    """The whole way with the paper's kernel: index, pick scores, scores after the forward pass."""
    total = len(x)
    labels = [0] * total if labels is None else [int(c) for c in labels]
    scores = [float(s) for s in scores]
    hardest = sorted(range(total), key=lambda i: (-scores[i], i))
    pool = sorted(hardest[math.floor(cutoff * total + 0.5) :])
    distance = distances([x[i] for i in pool])
    group = [labels[i] for i in pool]
    lists = neighbors(distance, k, group)
    positive = [distance[i][j] for i, js in enumerate(lists) for j in js if distance[i][j] > 0]
    median = lower_median(positive) if positive else 1.0
    if scale == "local":
        own = [max((distance[i][j] for j in js), default=0.0) or median for i, js in enumerate(lists)]
        distance = [
            [d / math.sqrt(own[i]) / math.sqrt(own[j]) for j, d in enumerate(row)]
            for i, row in enumerate(distance)
        ]
    unit = {"median": median, "local": 1.0, None: 1.0}.get(scale, scale)
    if flow == "both":
        pairs = {(i, j) for i, js in enumerate(lists) for j in js}
        pairs |= {(j, i) for i, j in pairs}
        lists = [sorted(j for i, j in pairs if i == node) for node in range(len(pool))]

    def weight(i, j, gamma):
        return math.exp(-gamma * (distance[i][j] / unit) ** 2)

    after = []
    for i, js in enumerate(lists):
        got = math.fsum(weight(i, j, gamma_forward) * scores[pool[j]] for j in js)
        own = scores[pool[i]]
        after.append({"sum": own + got, "product": own * got, "none": own}[update])

    lowered = lists
    if flow == "source_to_target":
        lowered = [[j for j, js in enumerate(lists) if i in js] for i in range(len(pool))]

    names = sorted(set(labels))
    first = [pool.index(i) for i in initial if i in pool]
    order = seats(
        size={c: labels.count(c) for c in names},
        available={
            c: sum(g == c for n, g in enumerate(group) if n not in first) for c in names
        },
        taken={c: sum(labels[i] == c for i in initial) for c in names},
        budget=budget,
        balance=balance,
        min_per_class=min_per_class,
    )  # fmt: skip
    picks = greedy_loop(
        after,
        lowered,
        lambda i, value, j, _: weight(i, j, gamma_reverse) * value,
        {c: order.count(c) for c in names},
        group,
        first,
        clamp,
    )
    turn = {c: iter(picks[c]) for c in names}
    merged = [next(turn[c]) for c in order]
    all_after = [math.nan] * total
    for node, value in zip(pool, after, strict=True):
        all_after[node] = value
    return [pool[i] for i, _ in merged], [value for _, value in merged], all_after

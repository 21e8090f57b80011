"""What a package besides d2pyg can add: four names, there once this module is imported."""

from torch_geometric.utils import softmax

import d2pyg


@d2pyg.register("kernel", "example-triangle")
class Triangle(d2pyg.nn.Kernel):
    """Falls in a straight line to 0."""

    def weight(self, distance, gamma):
        return (1 - gamma * distance).clamp(min=0)


@d2pyg.register("forward", "example-attention")
class Attention(d2pyg.nn.ForwardMessagePassing):
    """Neighbors share one unit of attention."""

    def message(self, score_j, weight, index, ptr, size_i):
        return softmax(weight, index, ptr, size_i) * score_j


@d2pyg.register("reverse", "example-capped")
class Capped(d2pyg.nn.ReverseMessage):
    """A pick takes at most 1 from a neighbor."""

    monotone = True

    def message(self, pick_score, neighbor_score, distance):
        return (pick_score * self.weight(distance)).clamp(max=1.0)


class Silent(d2pyg.nn.ReverseMessage):
    """A pick takes nothing."""

    monotone = linear = True

    def message(self, pick_score, neighbor_score, distance):
        return 0 * pick_score


@d2pyg.register("method", "example-smooth")
def smooth(embeddings, scores=None, **options):
    """The hardest samples of the hardest neighborhoods, and no diversity."""
    return d2pyg.select(embeddings, scores, reverse=Silent(), **options)

"""Messages: kernels, the forward layer and reverse messages. Subclass them to try your own."""

from d2pyg.nn.claims import check_claims
from d2pyg.nn.exact_sum import ExactSum
from d2pyg.nn.forward import ForwardMessagePassing
from d2pyg.nn.kernel import Kernel, LaplacianKernel, RBFKernel
from d2pyg.nn.reverse import AbsoluteReverse, ReverseMessage, WeightedReverse

__all__ = [
    "AbsoluteReverse",
    "ExactSum",
    "ForwardMessagePassing",
    "Kernel",
    "LaplacianKernel",
    "RBFKernel",
    "ReverseMessage",
    "WeightedReverse",
    "check_claims",
]

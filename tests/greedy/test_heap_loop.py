import numpy as np

from d2pyg.greedy import heap_loop


def test_heapify_orders_by_key_then_node(rng):
    for size in 1, 2, 5, 6, 64, 1000:
        nodes = rng.permutation(size).astype(np.int32)
        key = rng.integers(0, 9, size).astype(np.float64)
        by_node = dict(zip(nodes.tolist(), key.tolist(), strict=True))
        place = np.full(size, heap_loop.ABSENT, dtype=np.int32)
        heap_loop.heapify(nodes, key, place, size)
        ordered = [(-k, n) for k, n in zip(key, nodes, strict=True)]
        assert all(ordered[(child - 1) // 4] < ordered[child] for child in range(1, size))
        assert all(nodes[place[n]] == n for n in range(size))
        assert dict(zip(nodes.tolist(), key.tolist(), strict=True)) == by_node

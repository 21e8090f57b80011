"""Work on several threads. Inside each one, torch uses a single thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from threading import Event
from typing import TypeVar

import torch

Task = TypeVar("Task")


def share_out(tasks: Sequence[Task], worker: Callable[[], Callable[[Task], None]]) -> None:
    """Calls the function that ``worker()`` returns with each task, on as many threads as torch uses.

    Each thread calls ``worker`` once, so its memory belongs to the thread. Threads take tasks in order.
    The first error stops all.
    """
    before = torch.get_num_threads()
    threads = min(before, len(tasks))
    if threads <= 1:
        for_one = worker()
        for task in tasks:
            for_one(task)
        return
    left, stop = iter(tasks), Event()

    def run() -> None:
        torch.set_num_threads(1)  # of this thread; what torch sets for later threads is put back below
        for_one = worker()
        for task in left:  # an iterator of a sequence gives each task to one thread
            if stop.is_set():
                return
            for_one(task)

    try:
        with ThreadPoolExecutor(threads) as pool:
            try:
                running = [pool.submit(run) for _ in range(threads)]
                for done in wait(running, return_when=FIRST_EXCEPTION).done:
                    done.result()
            finally:
                stop.set()
    finally:
        torch.set_num_threads(before)

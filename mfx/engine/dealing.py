"""How blocks are dealt to workers: many at once to begin with, so that tasks are few, and single ones at the end."""

from __future__ import annotations


def dealt(n_blocks: int, n_workers: int) -> list[range]:
    """Deal consecutive blocks to tasks, the largest first.

    In each round every worker gets its share of half of what is left, at least one block, so that who is slow takes
    fewer of the later ones: the factoring of Hummel, Schonberg and Flynn (1992, "Factoring: a method for scheduling
    parallel loops").
    """
    tasks: list[range] = []
    start = 0
    while start < n_blocks:
        size = max(1, (n_blocks - start) // (2 * n_workers))
        for _ in range(n_workers):
            stop = min(start + size, n_blocks)
            if start < stop:
                tasks.append(range(start, stop))
            start = stop
    return tasks

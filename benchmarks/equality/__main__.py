"""``python -m benchmarks.equality``: one table; exit status 1 when a claim of equality does not hold."""

from __future__ import annotations

import sys
import warnings

from benchmarks.equality.rows import table
from benchmarks.peers import MODULES, missing


def main() -> int:
    warnings.simplefilter("ignore")
    absent = {peer: reason for peer in MODULES if (reason := missing(peer))}
    if absent:
        for peer, reason in absent.items():
            print(f"{peer} cannot be imported: {reason}; run make bench-peers", file=sys.stderr)
        return 1

    import torch

    from benchmarks.equality import gradients, spikes

    torch.set_num_threads(1)
    rows = [*spikes.rows(), *gradients.rows()]
    print(table(rows))
    failed = sum(not r.ok for r in rows)
    print(f"{len(rows) - failed} of {len(rows)} as claimed, torch {torch.__version__}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())

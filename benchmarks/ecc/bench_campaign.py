"""Fault campaign of a protected multiplier: every single gate flip over 10,000 random products.

    python -m benchmarks campaign

The target is the 45-bit design with t = 3 in under 60 s on two cores.
"""

from __future__ import annotations

import argparse
import time

from lampyris import ecc

PRODUCTS = 10_000
DESIGNS = {
    "plain": {},
    "BCH t=3, dup, cse": {"protection": "bch", "t": 3},
    "BCH t=5, dup, brs": {"protection": "bch", "t": 5, "locator": "brs"},
    "signature, lin, detect": {"protection": "signature", "predictor": "lin", "mode": "detect"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--products", type=int, default=PRODUCTS)
    parser.add_argument("--kind", default="flip")
    arguments, _ = parser.parse_known_args()
    print(f"{'design':<24}{'gates':>7}{'wall s':>9}{'CPU s':>9}{'gate products/s':>18}{'silent':>9}")
    for name, options in DESIGNS.items():
        net = ecc.multiplier(polynomial=(45, 4, 3, 1, 0), **options)
        wall, cpu = time.perf_counter(), time.process_time()
        campaign = net.campaign(arguments.kind, products=arguments.products)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        gates = net.gates.total
        # Each fault concerns every gate of the design, whether it was simulated or skipped.
        rate = gates * gates * arguments.products / cpu
        silent = 100 * campaign.fraction("silent")
        print(f"{name:<24}{gates:>7}{wall:>9.2f}{cpu:>9.2f}{rate:>18.3g}{silent:>7.2f} %")


if __name__ == "__main__":
    main()

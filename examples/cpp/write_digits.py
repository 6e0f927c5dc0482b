"""Writes scikit-learn's digits as rows of 65 bytes: 64 pixels of 0 to 16, then the class.

``python examples/cpp/write_digits.py digits.bin``
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np


def main(path: str) -> None:
    from sklearn.datasets import load_digits

    digits = load_digits()
    rows = np.concatenate([digits.data, digits.target[:, None]], axis=1).astype(np.uint8)
    Path(path).write_bytes(rows.tobytes())


if __name__ == "__main__":
    main(sys.argv[1])

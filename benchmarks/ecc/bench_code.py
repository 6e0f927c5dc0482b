"""BCH codes against bchlib and galois. Run: python benchmarks/ecc/bench_code.py [--json FILE] [--quick].

Process CPU time on one thread, best of interleaved runs. Before anything is timed, the peers' parity and
corrections are compared with ours, bit by bit. bchlib is called once for each page (a call that does
nothing takes about 0.03 us of its figures); galois gets all pages at once, as ours.
"""

from __future__ import annotations

import argparse
import importlib
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lampyris import _native, ecc

# Presets line, strong, row and page: data bits, t.
CODES = {"line": (512, 3), "strong": (256, 5), "row": (2048, 5), "page": (4096, 4)}
MEGABYTE = 1 << 20
DIRTY = 4000  # pages of the decoder's tables
FEW = 200  # pages for galois: seconds a call
SLOW_PEER = ("strong",)  # larger fields take seconds


def optional(name: str):
    """The module, or None with a line that says why."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        print(f"skipped: {name} ({error}); cmake/peers.sh installs it")
        return None


def best(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Least seconds of process CPU time of each, taking turns, after one run of each."""
    for run in runs.values():
        run()
    least = dict.fromkeys(runs, float("inf"))
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.process_time()
            run()
            least[name] = min(least[name], time.process_time() - start)
    return least


def most_significant_first(pages: np.ndarray) -> np.ndarray:
    """Our bytes as bits from the highest power down: the order of bchlib's bytes and galois' arrays."""
    return np.unpackbits(pages, axis=-1, bitorder="little")[..., ::-1]


def flipped(pages: np.ndarray, errors: int, rng: np.random.Generator) -> np.ndarray:
    """Each page with ``errors`` different bits flipped."""
    bits = np.unpackbits(pages, axis=1, bitorder="little")
    for row in bits:
        row[rng.choice(bits.shape[1], errors, replace=False)] ^= 1
    return np.packbits(bits, axis=1, bitorder="little")


class Linux:
    """bchlib on our pages, in its own bit order."""

    def __init__(self, module, code: ecc.BchCode) -> None:
        self.code = module.BCH(code.t, prim_poly=code.primitive, m=code.m)
        self.bits = code.parity_bits - code.extended

    def pages(self, pages: np.ndarray) -> list[bytes]:
        return [row.tobytes() for row in np.packbits(most_significant_first(pages), axis=1)]

    def parity(self, page: bytes) -> int:
        raw = bytes(self.code.encode(page))
        return int.from_bytes(raw, "big") >> 8 * len(raw) - self.bits


def throughput(rounds: int, quick: bool, linux) -> list[dict]:
    rows = []
    for name, (bits, t) in CODES.items():
        code = ecc.BchCode(data_bits=bits, t=t, extended=True)
        size = bits // 8
        rng = np.random.default_rng(0)
        for megabytes in (0.25,) if quick else (0.25, 64):
            pages = int(megabytes * MEGABYTE) // size
            data = rng.integers(0, 256, pages * size, dtype=np.uint8)
            words = code.encode_pages(data)
            runs = {
                "encode": lambda c=code, d=data: c.encode_pages(d),
                "check": lambda c=code, d=data, w=words: c.check_pages(d, w),
            }
            few = 1000
            if linux is not None:
                peer = Linux(linux, code)
                sample = peer.pages(data[: few * size].reshape(-1, size))
                mask = (1 << peer.bits) - 1
                assert all(peer.parity(p) == int(w) & mask for p, w in zip(sample, words, strict=False))
                encode = peer.code.encode
                runs["bchlib encode"] = lambda e=encode, s=sample: [e(p) for p in s]
            seconds = best(runs, rounds)
            row = {"code": name, "data bits": bits, "parity bits": code.parity_bits, "MiB": megabytes}
            for run in ("encode", "check"):
                row[f"{run} GB/s"] = data.nbytes / seconds[run] / 1e9
            if linux is not None:
                row["bchlib encode GB/s"] = len(sample) * size / seconds["bchlib encode"] / 1e9
                row["check / bchlib"] = row["check GB/s"] / row["bchlib encode GB/s"]
            rows.append(row)
    return rows


def galois_decoding(galois, code: ecc.BchCode, data: np.ndarray, received: np.ndarray) -> float:
    """us a page, once its kernels are compiled."""
    peer = galois.BCH(2**code.m - 1, d=2 * code.t + 1)
    sent = peer.encode(galois.GF2(most_significant_first(data)))
    expected = [int(w) & (1 << peer.n - peer.k) - 1 for w in code.encode_pages(data.reshape(-1))]
    parity = np.asarray(sent)[:, code.data_bits :].astype(object)
    assert [int("".join(map(str, row)), 2) for row in parity] == expected
    sent[:, : code.data_bits] = galois.GF2(most_significant_first(received))
    assert (peer.decode(sent) == most_significant_first(data)).all()
    return 1e6 * best({"galois": lambda: peer.decode(sent)}, 1)["galois"] / len(data)


def decoding(rounds: int, quick: bool, linux, galois) -> list[dict]:
    rows = []
    for name, (bits, t) in CODES.items():
        code = ecc.BchCode(data_bits=bits, t=t, extended=True)
        rng = np.random.default_rng(1)
        count = DIRTY // 8 if quick else DIRTY
        data = rng.integers(0, 256, (count, bits // 8), dtype=np.uint8)
        words = code.encode_pages(data.reshape(-1))
        for errors in range(1, t + 1):
            received = flipped(data, errors, rng)
            fixed, _, counts = code.decode_pages(received.reshape(-1), words)
            assert (fixed == data.reshape(-1)).all() and (counts == errors).all()
            flat = received.reshape(-1)
            parity = [code.encode(page) for page in data]
            runs = {
                finder: lambda c=code, f=flat, w=words, n=finder: c.decode_pages(f, w, n)
                for finder in (ecc.ROOT_FINDERS if errors == t else ("auto",))
            }
            runs["one call a page"] = lambda c=code, r=received, p=parity: [*map(c.decode, r, p)]
            if linux is not None:
                peer = Linux(linux, code)
                theirs = peer.pages(received)
                checks = [bytes(peer.code.encode(page)) for page in peer.pages(data)]
                assert [peer.code.decode(p, c) for p, c in zip(theirs, checks, strict=True)] == [
                    errors
                ] * count
                decode = peer.code.decode
                runs["bchlib"] = lambda d=decode, p=theirs, c=checks: [*map(d, p, c)]
            row = {"code": name, "m": code.m, "errors": errors}
            for run, seconds in best(runs, rounds).items():
                row[f"{run} us"] = 1e6 * seconds / count
            if galois is not None and errors == t and name in SLOW_PEER:
                row["galois us"] = galois_decoding(galois, code, data[:FEW], received[:FEW])
            if linux is not None:
                row["bchlib / auto"] = row["bchlib us"] / row["auto us"]
            rows.append(row)
    return rows


def show(title: str, rows: list[dict]) -> None:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    print(f"\n{title}\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for row in rows:
        cells = (row.get(c, "-") for c in columns)
        print("| " + " | ".join(f"{c:.3g}" if isinstance(c, float) else str(c) for c in cells) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="keep the tables in this file")
    parser.add_argument("--quick", action="store_true", help="small inputs, two rounds, without galois")
    arguments = parser.parse_args()
    rounds = 2 if arguments.quick else 7
    linux, galois = optional("bchlib"), None if arguments.quick else optional("galois")
    tables = {
        "Encode and check, one core": throughput(rounds, arguments.quick, linux),
        "Decode of one page, us": decoding(rounds, arguments.quick, linux, galois),
    }
    print(f"isa {_native.isa()}")
    for title, rows in tables.items():
        show(title, rows)
    if arguments.json:
        arguments.json.write_text(json.dumps(tables, indent=1))


if __name__ == "__main__":
    main()

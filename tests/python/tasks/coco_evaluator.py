"""A slow COCO box evaluator written from the protocol, to hold the library's figures against."""

import numpy as np

AREAS = {"all": (0, 1e10), "small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1e10)}
RECALLS = np.linspace(0, 1, 101)
IOUS = np.linspace(0.5, 0.95, 10)


def overlaps(found, truth, crowd):
    top = np.maximum(found[:, None, :2], truth[None, :, :2])
    bottom = np.minimum(found[:, None, 2:], truth[None, :, 2:])
    inner = np.clip(bottom - top, 0, None).prod(-1)
    area = (found[:, 2:] - found[:, :2]).prod(-1)[:, None]
    both = area + (truth[:, 2:] - truth[:, :2]).prod(-1)[None] - inner
    return inner / np.where(crowd[None], area, both)


def matches(found, scores, truth, crowd, areas, span, iou, limit):
    """(score, hit, ignored) of every detection of an image and class, and how many objects count."""
    order = np.argsort(-scores, kind="stable")[:limit]
    found, scores = found[order], scores[order]
    ignored = crowd | (areas < span[0]) | (areas > span[1])
    sort = np.argsort(ignored, kind="stable")
    truth, crowd, ignored = truth[sort], crowd[sort], ignored[sort]
    table = overlaps(found, truth, crowd)
    taken = np.zeros(len(truth), bool)
    rows = []
    for index in range(len(found)):
        best, place = min(iou, 1 - 1e-10), -1
        for other in range(len(truth)):
            if taken[other] and not crowd[other]:
                continue
            if place >= 0 and not ignored[place] and ignored[other]:
                break
            if table[index, other] >= best:
                best, place = table[index, other], other
        if place >= 0:
            taken[place] = True
            rows.append((scores[index], True, ignored[place]))
        else:
            size = (found[index, 2:] - found[index, :2]).prod()
            rows.append((scores[index], False, size < span[0] or size > span[1]))
    return rows, int((~ignored).sum())


def precision(images, label, span, iou, limit=100):
    """AP of one class, one area range and one overlap; nan without objects."""
    rows, total = [], 0
    for found, truth in images:
        mine, theirs = found["labels"] == label, truth["labels"] == label
        more, count = matches(
            found["boxes"][mine], found["scores"][mine], truth["boxes"][theirs],
            truth["iscrowd"][theirs].astype(bool), truth["area"][theirs], span, iou, limit,
        )  # fmt: skip
        rows, total = rows + more, total + count
    if not total:
        return np.nan
    rows = sorted(rows, key=lambda row: -row[0])
    hit = np.array([h for _, h, ignored in rows if not ignored], float)
    right, wrong = np.cumsum(hit), np.cumsum(1 - hit)
    recall, value = right / total, right / np.maximum(right + wrong, 1e-300)
    value = np.maximum.accumulate(value[::-1])[::-1]
    place = np.searchsorted(recall, RECALLS, side="left")
    return float(np.where(place < len(value), np.append(value, 0)[np.minimum(place, len(value))], 0).mean())


def average_precision(images, classes, span=AREAS["all"], ious=IOUS):
    values = [precision(images, label, span, iou) for label in classes for iou in ious]
    values = [v for v in values if not np.isnan(v)]
    return float(np.mean(values)) if values else -1.0

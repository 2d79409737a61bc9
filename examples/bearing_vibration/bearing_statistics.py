# SPDX-License-Identifier: Apache-2.0
"""Validation statistics of a model: the source of its baseline and of its telemetry tables.

Everything is counted in the int8 domain, because that is what devices count. Bins are right-closed:
value v falls into the first bin whose edge is >= v, else into the last one."""

import numpy as np

from bearing_data import CLASSES, FEATURES, Windows

QUANTILES = 10


def feature_bins(name: str, validation: np.ndarray, training: np.ndarray) -> dict:
    ordered = np.sort(validation)
    at = [-(-len(ordered) * k // QUANTILES) - 1 for k in range(1, QUANTILES)]
    # Ties collapse quantiles; an edge at the greatest value would leave an empty last bin.
    edges = [int(e) for e in np.unique(ordered[at]) if e < ordered[-1]]
    counts = np.bincount(np.searchsorted(edges, validation, side="left"), minlength=len(edges) + 1)
    return {"name": name, "edges": edges, "counts": counts.tolist(),
            "min": int(training.min()), "max": int(training.max())}


def of_model(version: str, training: Windows, validation: dict[str, Windows],
             outputs: dict[str, np.ndarray], selftest: list[dict]) -> dict:
    """validation and outputs by machine type; only the types this model was validated on."""
    features = np.vstack([w.features for w in validation.values()])
    truth = np.hstack([w.classes for w in validation.values()])
    output = np.vstack([outputs[machine] for machine in validation])
    predicted = output.argmax(axis=1)
    correct = predicted == truth
    confidence = np.minimum(15, (output.max(axis=1).astype(np.int32) + 128) >> 4)
    confusion = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
    np.add.at(confusion, (truth, predicted), 1)
    return {
        "model": "bearing-vibration",
        "version": version,
        "classes": CLASSES,
        "features": [feature_bins(name, features[:, i], training.features[:, i])
                     for i, name in enumerate(FEATURES)],
        "class_counts": np.bincount(predicted, minlength=len(CLASSES)).tolist(),
        "confidence_counts": np.bincount(confidence, minlength=16).tolist(),
        "calibration": [{"n": int((confidence == b).sum()),
                         "correct": int(correct[confidence == b].sum())} for b in range(16)],
        "confusion": confusion.tolist(),
        "validation": {
            "n": len(truth),
            "accuracy": round(float(correct.mean()), 4),
            "accuracy_per_machine_type": {m: accuracy(outputs[m], w)
                                          for m, w in validation.items()},
        },
        "selftest": selftest,
    }


def accuracy(output: np.ndarray, windows: Windows) -> float:
    return round(float((output.argmax(axis=1) == windows.classes).mean()), 4)


def selftest_inputs(features: np.ndarray, output: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Of the usable rows, the surest and the least sure of every class."""
    predicted, top = output.argmax(axis=1), output.max(axis=1).astype(np.int32)
    rows = []
    for c in range(len(CLASSES)):
        own = usable & (predicted == c)
        rows += [np.where(own, top, -999).argmax(), np.where(own, top, 999).argmin()]
    return features[rows]

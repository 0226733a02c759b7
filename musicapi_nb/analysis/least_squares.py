"""Least squares with cluster-robust errors, and degrees of freedom for few clusters. No I/O.

The variance of a contrast is CR2 (Bell and McCaffrey, Survey Methodology 28, 2002), which is HC2
where each cluster is one row (MacKinnon and White, J. Econom. 29, 1985); its degrees of freedom are
Satterthwaite's for errors of equal variance (Imbens and Kolesar, Rev. Econ. Stat. 98, 2016). For
two levels and nothing else, the error is that of Welch's t.
"""

from typing import NamedTuple

import numpy as np

from musicapi_nb.analysis.array_types import Flags, Floats, Ints

_TOLERANCE = 1e-8
_ROUNDING = 1e-11  # of the largest value: below, a residual is a rounding error of 0


class Contrasts(NamedTuple):
    """Properties of m contrasts of the parameters of a design, for any outcome.

    `weights`, (rows, m), multiply an outcome and sum to its estimate; `adjusted`, (rows, m), weigh
    its residuals for the error; `degrees` of freedom, (m,), are NaN where the design leaves no
    error to measure. `correlation`, (m, m), is that of the estimates if rows are independent and
    of equal variance.
    """

    weights: Floats
    adjusted: Floats
    degrees: Floats
    correlation: Floats


class Design:
    """A model matrix, (rows, parameters) of any rank, whose rows belong to clusters."""

    def __init__(self, matrix: Floats, cluster: Ints) -> None:
        left, values, right = np.linalg.svd(matrix, full_matrices=False)
        is_large = values > _TOLERANCE * max(values.max(initial=0.0), 1.0)
        self.basis: Floats = left[:, is_large]
        self._to_basis: Floats = right[is_large].T / values[is_large]
        self._row_space: Floats = right[is_large]
        self._cluster = np.unique(cluster, return_inverse=True)[1].astype("int64")
        self._is_single = len(self._cluster) == int(self._cluster.max(initial=-1)) + 1

    @property
    def rank(self) -> int:
        return int(self.basis.shape[1])

    def estimable(self, contrasts: Floats) -> Flags:
        """Return which contrasts, (m, parameters), the rows of the matrix determine: (m,)."""
        rest = contrasts - contrasts @ self._row_space.T @ self._row_space
        flags: Flags = np.abs(rest).max(axis=1, initial=0.0) < _TOLERANCE**0.5
        return flags

    def contrasts(self, contrasts: Floats) -> Contrasts:
        """Prepare contrasts, (m, parameters), all of them estimable."""
        weights = self.basis @ (contrasts @ self._to_basis).T
        adjusted, is_lost = self._adjust(weights)
        inner = self._sum(adjusted**2)
        outer = [self._sum(self.basis * column[:, None]) for column in adjusted.T]
        degrees = np.array(
            [_degrees(lengths, products) for lengths, products in zip(inner.T, outer, strict=True)]
        ).reshape(-1)
        gram = weights.T @ weights
        scale = np.sqrt(np.maximum(np.diag(gram), np.finfo(float).tiny))
        correlation = gram / scale / scale[:, None]
        return Contrasts(weights, adjusted, np.where(is_lost, np.nan, degrees), correlation)

    def residuals(self, values: Floats) -> Floats:
        """Return residuals of outcomes, (rows, outcomes); rounding errors of 0 are 0."""
        centred = values - values.sum(axis=0) / max(len(values), 1)
        rest = centred - self.basis @ (self.basis.T @ centred)
        floor = _ROUNDING * np.abs(values).max(axis=0, initial=0.0)
        return np.where(np.abs(rest) > floor, rest, 0.0)

    def variances(self, contrasts: Contrasts, residuals: Floats) -> Floats:
        """Return the variance of each contrast and outcome: (m, outcomes)."""
        if self._is_single:
            squares: Floats = (contrasts.adjusted**2).T @ residuals**2
            return squares
        sums = [self._sum(column[:, None] * residuals) for column in contrasts.adjusted.T]
        return np.array([(of_cluster**2).sum(axis=0) for of_cluster in sums])

    def _sum(self, values: Floats) -> Floats:
        """Sum rows to clusters: (clusters, columns)."""
        if self._is_single:
            return values
        sums = np.zeros((int(self._cluster.max()) + 1, values.shape[1]))
        np.add.at(sums, self._cluster, values)
        return sums

    def _adjust(self, weights: Floats) -> tuple[Floats, Flags]:
        """Multiply weights by (I - H)^-1/2 of each cluster.

        Also return the contrasts that some cluster determines alone: its residual says nothing.
        """
        if self._is_single:
            rest = np.maximum(1 - (self.basis**2).sum(axis=1), 0.0)[:, None]
            factor = np.where(rest > _TOLERANCE, 1 / np.sqrt(np.maximum(rest, _TOLERANCE)), 0.0)
            lost = np.where(rest > _TOLERANCE, 0.0, np.abs(weights))
            return weights * factor, lost.max(axis=0, initial=0.0) > _TOLERANCE
        adjusted, lost = np.zeros_like(weights), np.zeros(weights.shape[1])
        order = np.argsort(self._cluster, kind="stable")
        sizes = np.bincount(self._cluster)
        starts = np.cumsum(sizes) - sizes
        for size in np.unique(sizes):
            rows = order[starts[sizes == size][:, None] + np.arange(size)]  # (clusters, size)
            basis = self.basis[rows]
            values, vectors = np.linalg.eigh(np.eye(size) - basis @ np.swapaxes(basis, 1, 2))
            roots = np.where(values > _TOLERANCE, 1 / np.sqrt(np.maximum(values, _TOLERANCE)), 0.0)
            turned = np.swapaxes(vectors, 1, 2) @ weights[rows]
            adjusted[rows] = vectors @ (roots[..., None] * turned)
            of_size = np.where(values[..., None] > _TOLERANCE, 0.0, np.abs(turned))
            lost = np.maximum(lost, of_size.max(axis=(0, 1)))
        return adjusted, lost > _TOLERANCE


def _degrees(lengths: Floats, products: Floats) -> float:
    """Return Satterthwaite's degrees of freedom of one contrast.

    `lengths`, (clusters,), are the squared lengths of its adjusted weights, and `products`,
    (clusters, rank), their products with the basis.
    """
    within = (products**2).sum(axis=1)
    gram = products.T @ products
    squares = (lengths**2 - 2 * lengths * within).sum() + (gram**2).sum()
    total = (lengths - within).sum()
    return float(total**2 / squares) if squares > _TOLERANCE * total**2 and total > 0 else np.nan

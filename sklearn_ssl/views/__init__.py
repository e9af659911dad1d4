"""Views: random transformations that keep the meaning of a row.

A view is called as ``view(batch, source, generator)`` with a batch (dict of tensors),
the rows that it may borrow from (dict of tensors) and a ``torch.Generator``, and
returns a new batch. The classes here hold parameters; ``adapt`` returns a copy in which
each "auto" is replaced by the value that suits the data. The computations are in the
modules of this package, which import torch.
"""

from dataclasses import dataclass

from sklearn.base import BaseEstimator, clone

__all__ = ["Corruption"]


@dataclass(kw_only=True, eq=False, repr=False)
class Corruption(BaseEstimator):
    """Replace random cells of a table by the same column's cell of a random row.

    The donors are drawn anew for each cell, so that columns are replaced independently;
    a category is replaced as a whole, and a number together with its being missing.

    Parameters
    ----------
    rate : float, default=0.6
        Share of the cells that are replaced.
    exact : bool, default=True
        Replace exactly ``floor(rate * n_columns)`` cells, at least one, in each row
        (SCARF); otherwise each cell has its chance (swap noise).
    """

    rate: float = 0.6
    exact: bool = True

    def adapt(self, modality):
        """Return a copy that knows the table."""
        if modality.name != "table":
            raise ValueError(
                f"{self!r} works on tables, and X was read as modality="
                f"{modality.name!r}. Pass views='auto'."
            )
        if not 0 <= self.rate <= 1:
            raise ValueError(f"views: rate must lie in [0, 1], got {self.rate!r}.")
        adapted = clone(self)
        adapted.missing_columns_ = [int(i) for i in modality.missing_columns_]
        return adapted

    def __call__(self, batch, source, generator):
        """Return a corrupted batch."""
        from sklearn_ssl.views.tabular import corrupt

        return corrupt(
            batch, source, generator, self.rate, self.exact, self.missing_columns_
        )


def resolve_views(views, default, modality):
    """The adapted component, or the callable, for a ``views`` parameter.

    Raises
    ------
    TypeError
        If `views` is neither "auto" nor a component nor callable.
    """
    views = default if isinstance(views, str) and views == "auto" else views
    if hasattr(views, "adapt"):
        return views.adapt(modality)
    if callable(views):
        return views
    raise TypeError(
        "views must be 'auto', a component of sklearn_ssl.views or a callable "
        f"view(batch, source, generator), got {views!r}."
    )

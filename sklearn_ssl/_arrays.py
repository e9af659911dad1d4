"""What holds of a dict of arrays, which modalities make and the engine takes."""


def count_rows(arrays):
    """The number of rows of a dict of arrays."""
    return len(next(iter(arrays.values())))

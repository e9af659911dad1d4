"""Where and in which precision a network computes."""

import torch


def resolve_device(device):
    """The ``torch.device`` for a ``device`` parameter.

    Raises
    ------
    ValueError
        If the device is unknown to torch or not present on this machine.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        if torch.backends.mps.is_available():
            return torch.device("mps")
        return torch.device("cpu")
    try:
        resolved = torch.device(device)
        torch.zeros(1, device=resolved).item()
    except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
        raise ValueError(
            f"device={device!r} cannot be used on this machine: {error}. Pass "
            "device='auto' or 'cpu'."
        ) from error
    return resolved


def resolve_precision(precision, device):
    """Whether a fit autocasts to bfloat16: 'auto' does where the GPU computes in it."""
    if precision != "auto" or device.type != "cuda":
        return precision == "bfloat16"
    with torch.cuda.device(device):
        return torch.cuda.is_bf16_supported(including_emulation=False)

"""Where and how PyTorch computes: the device, its arithmetic, and what makes it repeat itself bit for bit."""

import contextlib
import ctypes
import os

import torch

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of <malloc.h>


def prepare_device(precision: str, threads: int) -> torch.device:
    """Choose the device, and set how this whole process computes there: reproducibly, in the given precision.

    On a GPU `float32` is strict, as measuring must be (TF32 puts a floor of 1e-6 under NC1); `tf32` rounds the factors
    of matrix products and convolutions to 10 bits of mantissa; `bfloat16` computes these in bfloat16 by autocast, over
    float32 weights. A CPU computes in float32, whatever is asked, and the number of its threads is part of the result.
    """
    torch.set_num_threads(threads)
    if not torch.cuda.is_available():
        return torch.device("cpu")
    factors = "ieee" if precision == "float32" else "tf32"
    torch.backends.cuda.matmul.fp32_precision = torch.backends.cudnn.conv.fp32_precision = factors
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is reproducible with workspaces of its own
    # The few backward passes without a reproducible kernel (pooling in the stem for large images) warn and go on.
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False
    return torch.device("cuda")


def keep_freed_memory() -> None:
    """Let the GNU C library keep all freed memory for the next step, as it keeps small pieces.

    Returned to the system it comes back empty, page by page: a tenth of a step of VGG11 on a CPU.
    """
    with contextlib.suppress(AttributeError):  # of another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)

"""Errors of torch, CUDA's libraries and Triton by their words, where they have no exception class for
them."""

from __future__ import annotations

import re

OUT_OF_MEMORY = re.compile(
    r"DefaultCPUAllocator: (can't allocate|not enough) memory"
    r"|\b(CUDA|HIP|XPU)( driver)?( error:)? out of memory|MPS backend out of memory"
    r"|Triton Error \[\w+\]: out of memory"
    r"|\b(CUBLAS|CUDNN|CUSOLVER|HIPBLAS|MIOPEN)_STATUS_ALLOC_FAILED\b"
    r"|\b(CUFFT|HIPFFT)_ALLOC_FAILED\b|\bCUSPARSE_STATUS_INSUFFICIENT_RESOURCES\b"
    r"|\bcudaErrorMemoryAllocation\b|\bNVRTC_ERROR_OUT_OF_MEMORY\b",
    re.IGNORECASE,
)
"""An allocator has nothing left."""
UNSUPPORTED = re.compile(
    r"No (viable backend|available kernel|valid execution plans)|not implemented for '|not supported on this|"
    r"is not (currently )?(implemented|supported|available)|unable to find an engine|"
    r"CU(BLAS|DNN)_STATUS_NOT_SUPPORTED|out of resource: shared memory|no kernel image"
)
"""No such kernel or dtype here, or a kernel needs more than the device has. The process can go on."""
CONTEXT_LOST = re.compile(
    r"CUDA (driver )?error|Triton Error \[CUDA\]|illegal memory access|"
    r"CU(BLAS|DNN)_STATUS_(EXECUTION_FAILED|INTERNAL_ERROR|MAPPING_ERROR)|CUFFT_EXEC_FAILED"
)
"""After these every further call into CUDA fails."""


def is_unsupported(error: BaseException) -> bool:
    """Tell if torch, a library beneath it or Triton says that it has no such kernel here."""
    theirs = isinstance(error, RuntimeError) or type(error).__module__.partition(".")[0] == "triton"
    return theirs and UNSUPPORTED.search(str(error)) is not None


def loses_context(error: BaseException) -> bool:
    """Tell if no further call into CUDA can succeed in this process."""
    return CONTEXT_LOST.search(str(error)) is not None

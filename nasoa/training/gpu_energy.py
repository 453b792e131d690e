"""Energy counters of NVIDIA GPUs, by the library that comes with the driver.

They exist from Volta on. A part of a GPU (MIG) has none.
"""

from __future__ import annotations

import ctypes
import functools
import sys

LIBRARY = "libnvidia-ml.so.1"
UUID_BYTES = 96  # NVML_DEVICE_UUID_V2_BUFFER_SIZE


def energies_j() -> dict[str, float]:
    """Return the joules that each GPU has used since the driver was loaded, by UUID.

    It is empty if there is no GPU or no driver.
    """
    nvml = _nvml()
    if nvml is None:
        return {}
    count, found = ctypes.c_uint(), {}
    if nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)):
        return {}
    for index in range(count.value):
        device, energy_mj = ctypes.c_void_p(), ctypes.c_ulonglong()
        uuid = ctypes.create_string_buffer(UUID_BYTES)
        failed = (
            nvml.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(index), ctypes.byref(device))
            or nvml.nvmlDeviceGetUUID(device, uuid, ctypes.c_uint(UUID_BYTES))
            or nvml.nvmlDeviceGetTotalEnergyConsumption(device, ctypes.byref(energy_mj))
        )
        if not failed:
            found[uuid.value.decode("ascii")] = energy_mj.value / 1000.0
    return found


def used_gpu() -> str:
    """Return the UUID of the GPU that torch computes on; "" if it has not used one."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return ""
    return f"GPU-{torch.cuda.get_device_properties(torch.cuda.current_device()).uuid}"


@functools.cache
def _nvml() -> ctypes.CDLL | None:
    """Return the initialised library, or None."""
    try:
        nvml = ctypes.CDLL(LIBRARY)
        return None if nvml.nvmlInit_v2() else nvml
    except (OSError, AttributeError):  # no driver, or one from before 2014
        return None

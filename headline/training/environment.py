"""Versions and machine of a training, without personal data."""

import os
import platform
from importlib import import_module

from headline import __version__
from headline.network.backend import device_in_use
from headline.network.data_parallel import device_count


def environment() -> dict[str, str]:
    """Returns versions, backend, device and platform, by readable names.

    Loads Keras. The result contains no path, user name or host name.
    """
    import keras
    import numpy as np

    backend, devices = keras.backend.backend(), device_count()
    several = f"{devices} × " if devices > 1 else ""
    return {
        "headline": __version__,
        "python": platform.python_version(),
        "keras": keras.__version__,
        "backend": f"{backend} {import_module(backend).__version__}",
        "numpy": np.__version__,
        "device": several + device_in_use(),
        "processors": str(os.cpu_count()),
        "platform": f"{platform.system()} {platform.machine()}",
    }

"""The model that comes with the platform: a file beside this one, as fixed as the code. PURE but for that file.

Loaded at the import, so that a damaged one shows when a process starts and not when somebody falls.
"""

from importlib.resources import files

from alerting.falls.model import Model

MODEL = Model.load(files("alerting.falls").joinpath("model.npz").read_bytes())

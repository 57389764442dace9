"""The classes that a window or a day can be given.

Here: their names and their order, which is the order of the network's outputs and of every probability vector.
Not here: how a fault changes an array (`simulation/`), how windows become a day's verdict (`verdicts.py`).
"""

NONE = "none"
LINE_LINE = "line_line"
LINE_GROUND = "line_ground"
OPEN_CIRCUIT = "open_circuit"
PARTIAL_SHADING = "partial_shading"
ARC_FAULT = "arc_fault"

FAULTS = (NONE, LINE_LINE, LINE_GROUND, OPEN_CIRCUIT, PARTIAL_SHADING, ARC_FAULT)

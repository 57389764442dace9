#!/bin/sh
# pysunspec2 1.3.7: a value whose scale factor is "not implemented" comes out unscaled, as if it were measured.
#
# In SunSpec a voltage is a whole number of registers, and another register says how many decimal places it has; 0x8000
# there means that the device does not tell. One would expect no value then (None, as for a value that is not
# implemented), or an error. `cvalue`, the value in its unit, is the bare number: a string at 650.3 V is read as 6503 V,
# and neither the point nor the model has an error. So readings of a device that does not tell its scale are ten or a
# hundred times too high. Who reads `cvalue` has to look at the scale factor's own `value` too, which is None.
#
# Seen with pysunspec2 1.3.7, Python 3.11, model 160 (a string of an inverter), DCV register 6503:
#   scale factor -1      (0xffff): DCV 650.3 V
#   scale factor not there (0x8000): DCV 6503 V, error: none
# Exits with 1 if that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pysunspec2==1.3.7
"$folder/venv/bin/python" - <<'PROGRAM'
import struct
import sys

import sunspec2.modbus.client as client

FIRST = 40000


class Registers(client.SunSpecModbusClientDevice):
    """A device whose registers are in memory."""

    def __init__(self, registers):
        super().__init__()
        self.registers = registers

    def read(self, address, count):
        part = self.registers[address - FIRST : address - FIRST + count]
        return struct.pack(f">{len(part)}H", *part)


def read_string(voltage_scale):
    """Model 160 with one string: 9.12 A, 6503 in the register of the voltage, 5930 W, 31 °C, tracking."""
    string = [1, *[0] * 8, 912, 6503, 5930, 0, 0, 0, 0, 31, 4, 0, 0]
    block = [0xFFFE, voltage_scale, 0, 0, 0, 0, 1, 0, *string]  # the current has two decimal places
    device = Registers([0x5375, 0x6E53, 160, len(block), *block, 0xFFFF, 0])
    device.scan(connect=False)
    (model,) = device.models[160]
    return model


told, untold = read_string(0xFFFF), read_string(0x8000)
print(f"scale factor {told.DCV_SF.value} (0xffff): DCV {told.module[0].DCV.cvalue} V")
print(f"scale factor {untold.DCV_SF.value} (0x8000): DCV {untold.module[0].DCV.cvalue} V, "
      f"error: {untold.error_info or 'none'}")
as_seen = (
    (told.DCV_SF.value, told.module[0].DCV.cvalue) == (-1, 650.3)
    and (untold.DCV_SF.value, untold.module[0].DCV.cvalue, untold.error_info) == (None, 6503, "")
    and untold.module[0].DCA.cvalue == 9.12
)
print("as described" if as_seen else "CHANGED: not as described above")
sys.exit(not as_seen)
PROGRAM

#!/bin/sh
# asyncua 2.1.0: whether a value of doubtful quality is an error depends on how many nodes are read.
#
# An OPC UA server gives each value a status: good, uncertain (for instance the last value of a sensor that has stopped)
# or bad. One would expect that reading a node alone and reading it in a list agree. `Node.read_value()` raises for
# uncertain as for bad. `Client.read_values([...])` gives the uncertain value among the good ones, with nothing that
# tells it apart, and None for the bad one. So a gateway that goes from one node at a time to lists, because that is
# faster, begins to take the frozen value of a dead sensor for a measurement. Who reads lists has to ask for data values
# and look at each status.
#
# Seen with asyncua 2.1.0, Python 3.11:
#   alone:     good 7.5, uncertain UaStatusCodeError, bad BadSensorFailure
#   in a list: [7.5, 7.5, None]
# Exits with 1 if that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check asyncua==2.1.0
"$folder/venv/bin/python" - <<'PROGRAM'
import asyncio
import logging
import socket
import sys

from asyncua import Client, Server, ua

logging.disable(logging.CRITICAL)
STATUS = {
    "good": ua.StatusCodes.Good,
    "uncertain": ua.StatusCodes.UncertainLastUsableValue,
    "bad": ua.StatusCodes.BadSensorFailure,
}


async def read_alone(node):
    try:
        return await node.read_value()
    except ua.UaError as error:
        return type(error).__name__


async def main():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"opc.tcp://127.0.0.1:{free.getsockname()[1]}/plant/"
    server = Server()
    await server.init()
    server.set_endpoint(address)
    ids = []
    for name, code in STATUS.items():
        variable = await server.nodes.objects.add_variable(2, name, 0.0)
        value = ua.Variant(7.5, ua.VariantType.Double)
        await variable.write_value(ua.DataValue(Value=value, StatusCode=ua.StatusCode(code)))
        ids.append(variable.nodeid)
    async with server, Client(address) as client:
        nodes = [client.get_node(each) for each in ids]
        return [await read_alone(node) for node in nodes], await client.read_values(nodes)


alone, together = asyncio.run(main())
print("alone:    ", ", ".join(f"{name} {found}" for name, found in zip(STATUS, alone)))
print("in a list:", together)
as_seen = alone == [7.5, "UaStatusCodeError", "BadSensorFailure"] and together == [7.5, 7.5, None]
print("as described" if as_seen else "CHANGED: not as described above")
sys.exit(not as_seen)
PROGRAM

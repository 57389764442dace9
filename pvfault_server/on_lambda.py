"""What Lambda loads when it starts an instance, and calls by the name `pvfault_server.on_lambda.handler`.

All that costs time is done here, once: what one request has read is there for the next.
"""

import os

from pvfault_server.lambda_handler import Handler, read_settings

handler = Handler(read_settings(os.environ))

"""`python -m agentpipe_client`, where another program is called `agentpipe`."""

import sys

from agentpipe_client.command import main

sys.exit(main())

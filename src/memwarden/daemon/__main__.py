"""``python -I -S FILE OPTIONS``: the guard's own process, which imports next to nothing.

Started by ``memwarden guard``, which replaces itself with this: the command line's library is not in it.
"""

import os
import sys

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

    from memwarden.daemon import lean

    lean.install()

    from memwarden.daemon.options import unpack
    from memwarden.errors import MemwardenError
    from memwarden.host.blocks import Suppress

    try:
        options = unpack(sys.argv[1])
        if options.once:
            from memwarden.daemon import once

            lines = "".join([f"{line}\n" for line in once.run(options)])
            with Suppress(OSError):  # nobody reads it
                os.write(1, lines.encode("utf-8", "backslashreplace"))
        else:
            from memwarden.daemon import start

            start.run(options)
    except MemwardenError as error:
        os.write(2, f"memwarden: {error}\n".encode("utf-8", "backslashreplace"))
        sys.exit(3)

"""``python -I -S FILE OPTIONS``: the guard's own process, which imports next to nothing.

Started by ``memwarden guard``, which replaces itself with this: the command line's library is not in it.
"""

import os
import sys

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

    from memwarden.daemon.options import unpack
    from memwarden.daemon.start import run
    from memwarden.errors import MemwardenError

    try:
        sys.exit(run(unpack(sys.argv[1])))
    except MemwardenError as error:
        os.write(2, f"memwarden: {error}\n".encode("utf-8", "backslashreplace"))
        sys.exit(3)

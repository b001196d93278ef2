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
    from memwarden.daemon.saying import say
    from memwarden.errors import MemwardenError

    try:
        options = unpack(sys.argv[1])
        if options.once:
            from memwarden.daemon import once

            said, notes = once.run(options)
            say(2, notes)
            say(1, said, who="")
        else:
            from memwarden.daemon import start

            start.run(options)
    except MemwardenError as error:
        say(2, [str(error)])
        sys.exit(3)

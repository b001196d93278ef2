import sys
from lab.apt import open_suite
for s in sys.argv[1:]:
    a = open_suite(s)
    print(s, a.version("linux-image-cloud-amd64"), a.depends("linux-image-cloud-amd64"))
    for d in a.depends("linux-image-cloud-amd64"): print("  ", d, a.depends(d))

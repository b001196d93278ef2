from lab.kernels import fetch_all
from lab import image
for k in fetch_all(): print(image.initramfs(k))
print(image.root_disk())

"""Names of the arrays that the parts of the face test hand to each other."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

# Height x width x 3 bytes, red first, not mirrored: the person's left is on the picture's right.
Image: TypeAlias = NDArray[np.uint8]
# Height x width bytes.
Gray: TypeAlias = NDArray[np.uint8]
# Points, vectors and matrices.
Floats: TypeAlias = NDArray[np.floating[Any]]

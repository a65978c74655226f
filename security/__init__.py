"""XML, signatures and trust, callers and grants, limits, keys, and the audit log (an toàn thông tin)."""

import warnings

# The library counts bytes where X.520 counts characters: it would complain on stderr of correct Vietnamese names.
warnings.filterwarnings("ignore", "Attribute's length must be", UserWarning)

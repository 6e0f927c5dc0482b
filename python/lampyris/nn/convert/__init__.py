"""Networks of other libraries as layers of lampyris.nn, the NIR exchange format, ANN twins.

No other library is imported: modules are recognised by the names and attributes of their classes.
docs/convert.md says what converts exactly, what needs fine-tuning, and what never converts.
"""

from __future__ import annotations

from .nir_export import to_nir
from .nir_import import from_nir
from .report import ConversionError, Converted, Report
from .snntorch import from_snntorch
from .spikingjelly import from_spikingjelly
from .twin import ConvertedIF, ann_twin, convert_twin

__all__ = [
    "ConversionError",
    "Converted",
    "ConvertedIF",
    "Report",
    "ann_twin",
    "convert_twin",
    "from_nir",
    "from_snntorch",
    "from_spikingjelly",
    "to_nir",
]

"""A synthetic raw zone of every channel, with the truth about it.

``generate`` is all that others need. The rows say that they are synthetic wherever they appear; see
``docs/sample.md`` for what is planted and what the truth files hold.
"""

from loaders.sample.generate import DEFAULT_END, SampleError, SampleSummary, generate
from loaders.sample.write import FileFormat

__all__ = ["DEFAULT_END", "FileFormat", "SampleError", "SampleSummary", "generate"]

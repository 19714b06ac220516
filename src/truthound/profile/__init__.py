"""What is in the columns of data, and validators that it passes."""

from truthound.profile._compute import profile
from truthound.profile._model import ColumnProfile, Histogram, Profile
from truthound.profile._outline import ColumnOutline, Outline, outline
from truthound.profile._suggest import suggest, to_yaml

__all__ = [
    "ColumnOutline",
    "ColumnProfile",
    "Histogram",
    "Outline",
    "Profile",
    "outline",
    "profile",
    "suggest",
    "to_yaml",
]

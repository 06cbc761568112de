"""What all records of the domain share: frozen, keyword-only, and equal by value."""

from msgspec import Struct


class Record(Struct, frozen=True):
    """
    A value that never changes once made; subclasses add `kw_only=True`, which msgspec does not inherit.

    Unknown fields are ignored when one is read, so that a newer writer does not break an older reader.
    """

"""Classes of grpc's that only type checkers know to be generic."""

from __future__ import annotations


def generic(base: type) -> type:
    """`base`, to be subscripted at run time too."""

    def subscript(cls: type, _: object) -> type:
        return cls

    return type(base.__name__, (base,), {"__class_getitem__": classmethod(subscript)})

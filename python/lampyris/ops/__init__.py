from lampyris.reference.lif import lif

__all__ = ["lif"]

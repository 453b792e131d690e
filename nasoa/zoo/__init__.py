"""The zoo: pretrained models that fine-tuning starts from, and how long their steps take."""

from nasoa.zoo.published import load_published

__all__ = ["load_published"]

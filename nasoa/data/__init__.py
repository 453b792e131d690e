"""Read labelled images from folders, archives, arrays, known data sets and object stores."""

from nasoa.data.batching import BatchOrder
from nasoa.data.data_cache import open_data_cache
from nasoa.data.dataset import ImageDataset, ImageSplit
from nasoa.data.fingerprint import fingerprint
from nasoa.data.image_paths import find_images
from nasoa.data.image_stream import ImageBatch, image_batches
from nasoa.data.loading import load_dataset
from nasoa.data.object_prefix import bucket_uri, local_copy
from nasoa.data.shard_writer import Written, write_shards
from nasoa.data.source import ObjectSource
from nasoa.data.subset import subset
from nasoa.data.unlabelled import with_unlabelled

__all__ = [
    "BatchOrder",
    "ImageBatch",
    "ImageDataset",
    "ImageSplit",
    "ObjectSource",
    "Written",
    "bucket_uri",
    "find_images",
    "fingerprint",
    "image_batches",
    "load_dataset",
    "local_copy",
    "open_data_cache",
    "subset",
    "with_unlabelled",
    "write_shards",
]

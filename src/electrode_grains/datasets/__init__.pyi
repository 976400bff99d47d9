from .edits import append_edit
from .folders import AnnotationFolderDataset, ScanFolderDataset
from .label_images import opened_labels, readers_of_images, write_classes
from .labels import update_labels, write_apart
from .tables import spreadsheet_safe

__all__ = [
    "AnnotationFolderDataset",
    "ScanFolderDataset",
    "append_edit",
    "opened_labels",
    "readers_of_images",
    "spreadsheet_safe",
    "update_labels",
    "write_apart",
    "write_classes",
]

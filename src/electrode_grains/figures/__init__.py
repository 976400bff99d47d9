"""Figures, tables and the report page; every function is pure and returns what it draws."""

from electrode_grains.figures.charts import candidate_chart
from electrode_grains.figures.content import FIGURES, ReportContent
from electrode_grains.figures.descriptors import descriptor_illustration
from electrode_grains.figures.diagnostics import depth_curve, drift_plot, truth_comparison
from electrode_grains.figures.distributions import (
    bivariate_densities,
    derived_histogram,
    marginal_histograms,
    probability_plots,
)
from electrode_grains.figures.encoding import png_data_uri
from electrode_grains.figures.interactive import distribution_payload
from electrode_grains.figures.meshes import particle_mesh
from electrode_grains.figures.networks import (
    learning_curves,
    network_architecture,
    validation_plot,
)
from electrode_grains.figures.page import report_page
from electrode_grains.figures.sections import (
    annotated_slice,
    predicted_slice,
    segmentation_slice,
    slice_maps,
    stack_alignment,
)
from electrode_grains.figures.slices import slice_browser
from electrode_grains.figures.style import CHARACTERISTICS, FAMILIES, label_colours
from electrode_grains.figures.suspects import suspect_pictures
from electrode_grains.figures.tables import (
    table_1,
    table_2,
    table_3,
    table_4,
    to_latex,
    to_markdown,
)

__all__ = [
    "CHARACTERISTICS",
    "FAMILIES",
    "FIGURES",
    "ReportContent",
    "annotated_slice",
    "bivariate_densities",
    "candidate_chart",
    "depth_curve",
    "derived_histogram",
    "descriptor_illustration",
    "distribution_payload",
    "drift_plot",
    "label_colours",
    "learning_curves",
    "marginal_histograms",
    "network_architecture",
    "particle_mesh",
    "png_data_uri",
    "predicted_slice",
    "probability_plots",
    "report_page",
    "segmentation_slice",
    "slice_browser",
    "slice_maps",
    "stack_alignment",
    "suspect_pictures",
    "table_1",
    "table_2",
    "table_3",
    "table_4",
    "to_latex",
    "to_markdown",
    "truth_comparison",
    "validation_plot",
]

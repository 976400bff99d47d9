from .abstract import summarize
from .charts import candidate_chart
from .content import FIGURES, ReportContent
from .descriptors import descriptor_illustration
from .diagnostics import depth_curve, drift_plot, truth_comparison
from .distributions import (
    derived_histogram,
    marginal_histograms,
    nothing_fitted,
    probability_plots,
)
from .encoding import png_data_uri
from .generation import scenarios, sections, virtual_particles
from .interactive import distribution_payload
from .meshes import particle_mesh
from .networks import learning_curves, network_architecture, validation_plot
from .page import report_page
from .pair_densities import bivariate_densities
from .sections import annotated_slice, predicted_slice, segmentation_slice, slice_maps
from .slices import slice_browser
from .stack import stack_alignment
from .style import (
    CHARACTERISTICS,
    FAMILIES,
    characteristic_name,
    family_name,
    grey_range,
    label_colours,
)
from .suspect_sections import suspect_sections
from .suspects import suspect_pictures
from .table_text import to_latex, to_markdown
from .tables import p_text, table_1, table_2, table_3, table_4
from .virtual_page import virtual_page

__all__ = [
    "CHARACTERISTICS",
    "FAMILIES",
    "FIGURES",
    "ReportContent",
    "annotated_slice",
    "bivariate_densities",
    "candidate_chart",
    "characteristic_name",
    "depth_curve",
    "derived_histogram",
    "descriptor_illustration",
    "distribution_payload",
    "drift_plot",
    "family_name",
    "grey_range",
    "label_colours",
    "learning_curves",
    "marginal_histograms",
    "network_architecture",
    "nothing_fitted",
    "p_text",
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
    "suspect_sections",
    "summarize",
    "table_1",
    "table_2",
    "table_3",
    "table_4",
    "to_latex",
    "to_markdown",
    "truth_comparison",
    "validation_plot",
    "scenarios",
    "sections",
    "virtual_page",
    "virtual_particles",
]

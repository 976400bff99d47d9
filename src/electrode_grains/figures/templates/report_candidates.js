  // Figures 7 and 8: a subject to choose, and which of its candidates are drawn.
  const CURVES = ["#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#000000"];
  const curve = (position, ink) => {
    const colour = CURVES[position % CURVES.length];
    return { color: colour === "#000000" ? ink : colour, width: 2.2, dash: position < CURVES.length ? "solid" : "dot" };
  };
  const plain = (title, colours) => ({
    title: { text: title, standoff: 12 }, automargin: true, gridcolor: colours.line, zeroline: false, linecolor: colours.soft,
    showline: true, ticks: "outside", tickcolor: colours.soft,
  });
  const flat = (x, y, colours) => ({
    margin: { l: 20, r: 12, t: 12, b: 20 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: colours.ink, family: "system-ui, sans-serif", size: 13 },
    xaxis: plain(x, colours), yaxis: plain(y, colours), showlegend: false, bargap: 0,
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colours.soft, activecolor: colours.accent },
  });
  const difference = (candidate) => (candidate.delta_aic === 0 ? "best" : `\u0394AIC ${candidate.delta_aic.toFixed(1)}`);
  const explore = (name, titles, candidatesOf, kind, draw) => {
    const subject = find(`${name}-subject`), list = find(`${name}-candidates`), plot = find(`${name}-plot`);
    titles.forEach((title, position) => subject.append(make("option", title, { value: position })));
    const chosen = () => [...list.querySelectorAll("input:checked")].map((input) => Number(input.value));
    const refresh = () => draw(plot, Number(subject.value), chosen());
    const fill = () => {
      const { ink } = inks();
      list.replaceChildren(...candidatesOf(Number(subject.value)).map((candidate, position) => {
        const label = make("label");
        const input = make("input", null, { type: kind, name: `${name}-candidate`, value: position, checked: position === 0 });
        input.addEventListener("change", refresh);
        const key = make("i", null, { className: kind === "checkbox" ? "key" : "" });
        if (kind === "checkbox") {
          const { color, dash } = curve(position, ink);
          key.style.borderTop = `3px ${dash === "dot" ? "dotted" : "solid"} ${color}`;
        }
        label.append(input, key, make("span", candidate.name), make("small", difference(candidate)));
        return label;
      }));
      return refresh();
    };
    subject.addEventListener("change", fill);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", fill);
    return Promise.resolve(fill()).then(() => { plot.dataset.ready = "yes"; });
  };
  const PLOT_BAR = {
    responsive: true, displaylogo: false, modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
  };
  const exploreMarginals = (marginals) => explore(
    "marginal", marginals.map((marginal) => marginal.title),
    (position) => marginals[position].candidates, "checkbox",
    (plot, position, chosen) => {
      const colours = inks(), { edges, heights, grid, candidates, title, sample_size: size } = marginals[position];
      const bars = {
        type: "bar", x: heights.map((_, bin) => (edges[bin] + edges[bin + 1]) / 2), y: heights,
        width: heights.map((_, bin) => edges[bin + 1] - edges[bin]),
        marker: { color: "#56B4E9", opacity: 0.75, line: { color: colours.paper, width: 0.5 } },
        hovertemplate: "%{x:.4g}: %{y:.4g}<extra>" + `${size} grains</extra>`,
      };
      const lines = chosen.map((candidate) => ({
        type: "scatter", mode: "lines", x: grid, y: candidates[candidate].density,
        line: curve(candidate, colours.ink), name: candidates[candidate].name, hoverinfo: "skip",
      }));
      return Plotly.react(plot, [bars, ...lines], flat(title, "probability density", colours), PLOT_BAR);
    },
  );
  const explorePairs = (pairs) => explore(
    "pair", pairs.map((pair) => `${pair.x.split(" / ")[0]} and ${pair.y.split(" / ")[0].toLowerCase()}`),
    (position) => pairs[position].candidates, "radio",
    async (plot, position, chosen) => {
      const colours = inks(), pair = pairs[position], candidate = pair.candidates[chosen[0] ?? 0];
      const flatDensity = await unpack(candidate.density, Uint16Array), width = pair.x_grid.length;
      const density = pair.y_grid.map((_, row) => Array.from(
        flatDensity.subarray(row * width, (row + 1) * width), (value) => value / 65535 * candidate.top));
      const scale = [[0, "rgba(86,180,233,0.02)"], [0.5, "rgba(0,114,178,0.55)"], [1, "rgba(0,60,110,0.95)"]];
      const field = {
        type: "heatmap", x: pair.x_grid, y: pair.y_grid, z: density, zmin: 0, zmax: candidate.top, zsmooth: "best",
        colorscale: scale, colorbar: { title: { text: "probability density", side: "right" }, thickness: 12, outlinewidth: 0 },
        hovertemplate: "%{x:.4g}, %{y:.4g}: %{z:.3g}<extra></extra>",
      };
      const regions = Object.entries(candidate.levels).map(([probability, level]) => ({
        type: "contour", x: pair.x_grid, y: pair.y_grid, z: density, showscale: false, hoverinfo: "skip",
        autocontour: false, ncontours: 1, contours: { start: level, end: level, size: Math.max(level, 1e-12), coloring: "none" },
        line: { color: colours.ink, width: 1.4, dash: probability === "0.5" ? "solid" : "dash" },
      }));
      const dots = {
        type: "scatter", mode: "markers", x: pair.x_sample, y: pair.y_sample,
        marker: { color: "#D55E00", size: 4, opacity: 0.65 }, hovertemplate: "%{x:.4g}, %{y:.4g}<extra>grain</extra>",
      };
      return Plotly.react(plot, [field, ...regions, dots], flat(pair.x, pair.y, colours), PLOT_BAR);
    },
  );

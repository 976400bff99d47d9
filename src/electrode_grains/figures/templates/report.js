"use strict";
(() => {
  const find = (id) => document.getElementById(id);
  const data = (id) => {
    const element = find(id);
    return element ? JSON.parse(element.textContent) : null;
  };
  const make = (tag, text, options = {}) => {
    const element = document.createElement(tag);
    if (text !== null && text !== undefined) element.textContent = text;
    return Object.assign(element, options);
  };
  const listeners = { pick: [], filter: [] };
  const tell = (event, value) => listeners[event].forEach((listener) => listener(value));

  // Slices: one picture for each layer, stacked; the slider changes their sources.
  const leafThrough = (browser) => {
    const stack = find("slice-stack"), range = find("slice-range"), number = find("slice-number");
    stack.style.aspectRatio = `${browser.width} / ${browser.height}`;
    const pictures = browser.layers.map((layer, position) => {
      const picture = make("img", null, { alt: layer.name });
      picture.style.opacity = layer.opacity;
      stack.append(picture);
      if (position > 0) {
        const label = make("label", layer.name);
        const opacity = make("input", null, {
          type: "range", min: 0, max: 1, step: 0.05, value: layer.opacity,
        });
        opacity.addEventListener("input", () => { picture.style.opacity = opacity.value; });
        label.append(opacity);
        find("slice-layers").append(label);
      }
      return picture;
    });
    const show = () => {
      const chosen = Number(range.value);
      browser.layers.forEach((layer, position) => { pictures[position].src = layer.images[chosen]; });
      number.textContent = `slice ${browser.slices[chosen]}`;
    };
    range.max = browser.slices.length - 1;
    range.value = Math.floor(browser.slices.length / 2);
    range.addEventListener("input", show);
    show();
  };

  // Grain table.
  const PAGE = 20;
  const written = (value) => {
    if (value === null) return "\u2013";
    if (typeof value === "boolean") return value ? "yes" : "no";
    return typeof value === "number" && !Number.isInteger(value) ? String(+value.toPrecision(4)) : String(value);
  };
  const compare = (a, b) => {
    if (a === null || b === null) return (a === null) - (b === null);
    return typeof a === "string" || typeof b === "string"
      ? String(a).localeCompare(String(b), undefined, { numeric: true }) : a - b;
  };
  const csvCell = (value) => {
    if (value === null) return "";
    const text = String(value);
    // A leading =, +, - or @ of a text would be a formula in a spreadsheet.
    const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const tabulate = (grains) => {
    const names = grains.columns.map((column) => column.name);
    const labelColumn = names.indexOf("label");
    const windowColumn = names.indexOf("touches_window");
    const state = { sort: -1, direction: 1, page: 0, rows: grains.rows, picked: null };
    const body = find("grains").tBodies[0], head = find("grains").tHead.rows[0];
    const choice = find("filter-column");
    grains.columns.forEach((column, position) => {
      const cell = make("th", null, { scope: "col" });
      const button = make("button", column.heading, { type: "button" });
      button.addEventListener("click", () => {
        state.direction = state.sort === position ? -state.direction : 1;
        state.sort = position;
        state.page = 0;
        for (const other of head.cells) other.removeAttribute("aria-sort");
        cell.setAttribute("aria-sort", state.direction > 0 ? "ascending" : "descending");
        update();
      });
      cell.append(button);
      head.append(cell);
      if (column.kind === "number") choice.append(make("option", column.heading, { value: position }));
    });
    const bound = (id, otherwise) => (find(id).value === "" ? otherwise : Number(find(id).value));
    const passes = (row) => {
      if (windowColumn >= 0 && find("filter-whole").checked && row[windowColumn] === true) return false;
      if (find("filter-least").value === "" && find("filter-most").value === "") return true;
      const value = row[Number(choice.value)];
      return value !== null && value >= bound("filter-least", -Infinity) && value <= bound("filter-most", Infinity);
    };
    const show = () => {
      const pages = Math.max(1, Math.ceil(state.rows.length / PAGE));
      state.page = Math.min(Math.max(state.page, 0), pages - 1);
      body.replaceChildren(...state.rows.slice(state.page * PAGE, (state.page + 1) * PAGE).map((row) => {
        const line = make("tr");
        row.forEach((value, position) => line.append(make("td", written(value), {
          className: grains.columns[position].kind === "number" ? "num" : "",
        })));
        if (labelColumn >= 0) {
          line.classList.toggle("picked", row[labelColumn] === state.picked);
          line.addEventListener("click", () => tell("pick", row[labelColumn]));
        }
        return line;
      }));
      find("page-number").textContent = `page ${state.page + 1} of ${pages}`;
      find("page-back").disabled = state.page === 0;
      find("page-on").disabled = state.page === pages - 1;
      find("row-count").textContent = `${state.rows.length} of ${grains.rows.length} grains`;
    };
    const update = () => {
      state.rows = grains.rows.filter(passes);
      if (state.sort >= 0) {
        state.rows.sort((a, b) => {
          const [x, y] = [a[state.sort], b[state.sort]];
          // What is undefined stays last in either direction.
          return (x === null || y === null ? 1 : state.direction) * compare(x, y);
        });
      }
      show();
      tell("filter", new Set(state.rows.map((row) => row[labelColumn])));
    };
    for (const id of ["filter-column", "filter-least", "filter-most", "filter-whole"]) {
      find(id).addEventListener("input", () => { state.page = 0; update(); });
    }
    if (windowColumn < 0) find("filter-whole").parentElement.remove();
    find("page-back").addEventListener("click", () => { state.page -= 1; show(); });
    find("page-on").addEventListener("click", () => { state.page += 1; show(); });
    find("download").addEventListener("click", () => {
      const lines = [names, ...state.rows].map((row) => row.map(csvCell).join(","));
      const address = URL.createObjectURL(new Blob([lines.join("\r\n") + "\r\n"], { type: "text/csv" }));
      make("a", null, { href: address, download: "grains.csv" }).click();
      setTimeout(() => URL.revokeObjectURL(address), 1000);
    });
    listeners.pick.push((label) => {
      state.picked = label;
      const place = state.rows.findIndex((row) => row[labelColumn] === label);
      if (place >= 0) state.page = Math.floor(place / PAGE);
      show();
    });
    update();
  };

  // Particle: one mesh for all grains; colours come by vertex, hidden grains lose their triangles.
  const unpack = async (text, Kind) => {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Kind(await new Response(stream).arrayBuffer());
  };
  const steps = (colours) => colours.flatMap((colour, position) => [
    [position / colours.length, colour], [(position + 1) / colours.length, colour],
  ]);
  const turnParticle = async (mesh, grains) => {
    const place = find("particle");
    const raw = await unpack(mesh.vertices, Uint16Array);
    const local = await unpack(mesh.faces, mesh.wide ? Uint32Array : Uint16Array);
    const count = raw.length / 3, grainCount = mesh.labels.length;
    const position = [0, 1, 2].map((axis) => Float32Array.from({ length: count }, (_, vertex) =>
      mesh.origin_um[axis] + raw[3 * vertex + axis] / 65535 * mesh.size_um[axis]));
    const centre = [0, 1, 2].map((axis) => mesh.labels.map((_, grain) => {
      let sum = 0;
      for (let v = mesh.vertex_start[grain]; v < mesh.vertex_start[grain + 1]; v += 1) sum += position[axis][v];
      return sum / Math.max(1, mesh.vertex_start[grain + 1] - mesh.vertex_start[grain]);
    }));
    const names = grains ? grains.columns.map((column) => column.name) : [];
    const byLabel = new Map(grains ? grains.rows.map((row) => [row[names.indexOf("label")], row]) : []);
    const colourChoice = find("mesh-colour"), axisChoice = find("mesh-axis"), cut = find("mesh-cut");
    for (const name of Object.keys(mesh.palettes)) colourChoice.append(make("option", name, { value: `palette:${name}` }));
    for (const name of mesh.descriptors) {
      const heading = grains.columns[names.indexOf(name)].heading;
      colourChoice.append(make("option", heading, { value: `column:${name}` }));
    }
    let passing = null, picked = null;
    const colouring = () => {
      const [kind, ...rest] = colourChoice.value.split(":");
      const name = rest.join(":");
      if (kind === "palette") {
        const palette = mesh.palettes[name];
        return {
          values: palette.index.map((index) => (index + 0.5) / palette.colours.length),
          colorscale: steps(palette.colours), cmin: 0, cmax: 1, showscale: false,
        };
      }
      const values = mesh.labels.map((label) => byLabel.get(label)?.[names.indexOf(name)] ?? null);
      const known = values.filter((value) => value !== null).sort((a, b) => a - b);
      return {
        values, colorscale: "Cividis", showscale: true,
        cmin: known[Math.floor(0.02 * (known.length - 1))] ?? 0,
        cmax: known[Math.ceil(0.98 * (known.length - 1))] ?? 1,
        colorbar: { title: { text: colourChoice.selectedOptions[0].textContent, side: "right" }, thickness: 12, len: 0.8, y: 0.45 },
      };
    };
    const trace = () => {
      const colours = colouring(), axis = Number(axisChoice.value);
      const limit = mesh.origin_um[axis] + Number(cut.value) * mesh.size_um[axis];
      const onlyPassing = find("mesh-filter").checked && passing;
      const visible = mesh.labels.map((label, grain) => centre[axis][grain] <= limit + 1e-6
        && colours.values[grain] !== null && (!onlyPassing || passing.has(label)));
      const intensity = new Float32Array(count);
      const corners = [[], [], []];
      let shown = 0;
      for (let grain = 0; grain < grainCount; grain += 1) {
        if (!visible[grain]) continue;
        shown += 1;
        const first = mesh.vertex_start[grain];
        intensity.fill(colours.values[grain], first, mesh.vertex_start[grain + 1]);
        for (let face = mesh.face_start[grain]; face < mesh.face_start[grain + 1]; face += 1) {
          for (let c = 0; c < 3; c += 1) corners[c].push(first + local[3 * face + c]);
        }
      }
      find("mesh-count").textContent = `${shown} of ${mesh.total} grains shown`;
      const { values, ...look } = colours;
      return {
        type: "mesh3d", x: position[0], y: position[1], z: position[2],
        i: corners[0], j: corners[1], k: corners[2], intensity, ...look,
        flatshading: false, hoverinfo: "none",
        lighting: { ambient: 0.8, diffuse: 0.45, specular: 0.05, roughness: 0.9 },
        lightposition: { x: 2000, y: -3000, z: 4000 },
      };
    };
    const outline = () => {
      const grain = mesh.labels.indexOf(picked);
      const ends = [[], [], []];
      if (grain >= 0) for (let axis = 0; axis < 3; axis += 1) ends[axis].push(centre[axis][grain]);
      return {
        type: "scatter3d", mode: "markers+text", x: ends[0], y: ends[1], z: ends[2],
        text: [`grain ${picked}`], textposition: "top center", hoverinfo: "skip",
        marker: { size: 5, color: "#D55E00" }, textfont: { size: 14 }, showlegend: false,
      };
    };
    const draw = () => {
      const style = getComputedStyle(document.body);
      const ink = style.getPropertyValue("--ink").trim(), line = style.getPropertyValue("--line").trim();
      const axis = (name) => ({ title: { text: `${name} / \u00b5m` }, color: ink, gridcolor: line, showbackground: false, showspikes: false });
      // z counts slices downwards, as the beam mills.
      const layout = {
        margin: { l: 0, r: 0, t: 0, b: 0 }, paper_bgcolor: "rgba(0,0,0,0)", uirevision: "kept",
        font: { color: ink, family: "system-ui, sans-serif", size: 12 },
        scene: {
          aspectmode: "data", xaxis: axis("x"), yaxis: axis("y"),
          zaxis: { ...axis("z"), autorange: "reversed" },
          camera: { eye: { x: 1.25, y: -1.35, z: 0.9 } }, uirevision: "kept",
        },
      };
      return Plotly.react(place, [trace(), outline()], layout, {
        responsive: true, displaylogo: false, modeBarButtonsToRemove: ["resetCameraLastSave3d"],
      });
    };
    // One drawing at a time; what changes meanwhile is drawn once, afterwards.
    let busy = false, wanted = false;
    const refresh = async () => {
      wanted = true;
      if (busy) return;
      busy = true;
      try {
        while (wanted) {
          wanted = false;
          await draw();
        }
      } finally { busy = false; }
    };
    const describe = (label) => {
      const row = byLabel.get(label);
      find("mesh-picked").textContent = `grain ${label}` + (row ? ": " + grains.columns
        .map((column, at) => [column, at]).filter(([column]) => column.name !== "label")
        .slice(0, 9).map(([column, at]) => `${column.heading} ${written(row[at])}`).join(", ") : "");
    };
    listeners.pick.push((label) => { picked = label; describe(label); refresh(); });
    listeners.filter.push((labels) => { passing = labels; if (find("mesh-filter").checked) refresh(); });
    for (const id of ["mesh-colour", "mesh-axis", "mesh-cut", "mesh-filter"]) find(id).addEventListener("change", refresh);
    await refresh();
    place.on("plotly_click", (event) => {
      const vertex = event.points[0].pointNumber;
      if (event.points[0].curveNumber !== 0 || !Number.isInteger(vertex)) return;
      const next = mesh.vertex_start.findIndex((start) => start > vertex);
      const label = mesh.labels[next - 1];
      // Plotly repeats the click while it draws: the same grain again is no news, and the
      // drawing waits until the event is over.
      if (next > 0 && label !== picked) setTimeout(() => tell("pick", label), 0);
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", refresh);
    place.dataset.ready = "yes";
  };

  const attempt = (name, work) => Promise.resolve().then(work).catch((problem) => {
    console.error(problem);
    const note = find(`${name}-problem`);
    if (note) note.textContent = `This part needs a current browser with WebGL (${problem.message}).`;
  });
  const slices = data("slices-data"), grains = data("grains-data"), mesh = data("mesh-data");
  if (slices) attempt("slices", () => leafThrough(slices));
  if (mesh) attempt("mesh", () => turnParticle(mesh, grains));
  if (grains) attempt("grains", () => tabulate(grains));
  addEventListener("beforeprint", () => {
    for (const part of document.querySelectorAll("details")) part.open = true;
  });
})();

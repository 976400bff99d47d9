  // Particle: one mesh for all grains, cut by a plane where the reader wants to look inside.
  const MODE_BAR = {
    responsive: true, displaylogo: false, displayModeBar: true,
    modeBarButtons: [["toImage", "orbitRotation", "pan3d", "resetCameraDefault3d"]],
  };
  const CAMERA = { eye: { x: 0.98, y: -1.08, z: 0.8 }, center: { x: 0, y: 0, z: -0.08 }, up: { x: 0, y: 0, z: 1 } };
  // The first camera, so far off that a tall particle, or a narrow window, shows all of it.
  const firstCamera = (size, window) => {
    const mean = Math.cbrt(size[0] * size[1] * size[2]);  // how plotly scales the axes
    const [width, depth, height] = size.map((side) => side / mean);
    const across = 0.5 * Math.hypot(width, depth);
    const seen = 0.43 * height + 0.52 * across;
    const narrow = across * window.clientHeight / window.clientWidth;
    return turned(CAMERA, 0, 0, Math.max(1, seen / 0.73, narrow / 0.72));
  };
  // A camera that is turned by degrees around its centre, upright, and farther off by a factor.
  const turned = ({ eye, center }, around, upwards, farther) => {
    const [x, y, z] = ["x", "y", "z"].map((axis) => eye[axis] - center[axis]);
    const radians = Math.PI / 180, distance = Math.hypot(x, y, z) * farther;
    const azimuth = Math.atan2(y, x) + around * radians;
    const height = Math.asin(z / Math.hypot(x, y, z)) + upwards * radians;
    const limited = Math.max(-1.5, Math.min(1.5, height)), level = distance * Math.cos(limited);
    return {
      center, up: CAMERA.up,
      eye: {
        x: center.x + level * Math.cos(azimuth), y: center.y + level * Math.sin(azimuth),
        z: center.z + distance * Math.sin(limited),
      },
    };
  };
  const inks = () => {
    const style = getComputedStyle(document.body);
    return Object.fromEntries(["ink", "line", "soft", "paper", "accent"]
      .map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  };
  const steps = (colours) => colours.flatMap((colour, position) => [
    [position / colours.length, colour], [(position + 1) / colours.length, colour],
  ]);
  // z counts slices downwards, as the beam mills. A reversed axis would do, but plotly then lights
  // surfaces from within.
  const downwards = (z) => -z;
  // What stays of the particle lies on this side of the plane: the cut faces the first camera.
  const SIDE = [1, -1, -1];
  class Growing {
    // A typed array that doubles when it is full.
    constructor(Kind, values) {
      this.array = new Kind(Math.max(1024, 2 * values.length));
      this.array.set(values);
      this.length = values.length;
    }
    push(value) {
      if (this.length === this.array.length) {
        const larger = new this.array.constructor(2 * this.length);
        larger.set(this.array);
        this.array = larger;
      }
      this.array[this.length] = value;
      this.length += 1;
    }
    get values() { return this.array.subarray(0, this.length); }
  }
  const readParticle = async (mesh) => {
    const raw = await unpack(mesh.vertices, Uint16Array);
    const local = await unpack(mesh.faces, mesh.wide ? Uint32Array : Uint16Array);
    const count = raw.length / 3;
    const position = [0, 1, 2].map((axis) => Float32Array.from({ length: count }, (_, vertex) =>
      mesh.origin_um[axis] + raw[3 * vertex + axis] / 65535 * mesh.size_um[axis]));
    const owner = new Uint32Array(count);
    const extent = mesh.labels.map((_, grain) => {
      const [from, to] = [mesh.vertex_start[grain], mesh.vertex_start[grain + 1]];
      owner.fill(grain, from, to);
      return position.map((along) => {
        let [least, most] = [Infinity, -Infinity];
        for (let v = from; v < to; v += 1) {
          least = Math.min(least, along[v]);
          most = Math.max(most, along[v]);
        }
        return [least, most];
      });
    });
    const section = mesh.section && { ...mesh.section, index: await unpack(mesh.section.index, Uint16Array) };
    return { position, local, owner, extent, section };
  };
  // Triangles of the visible grains on the near side of a plane; those it crosses are cut.
  const clip = (mesh, particle, visible, axis, limit) => {
    const { local, extent } = particle, side = SIDE[axis];
    const place = particle.position.map((values) => new Growing(Float32Array, values));
    const owner = new Growing(Uint32Array, particle.owner);
    const corners = [0, 1, 2].map(() => new Growing(Uint32Array, []));
    const along = particle.position[axis];
    let shown = 0;
    const add = (a, b, c) => { corners[0].push(a); corners[1].push(b); corners[2].push(c); };
    const meet = (a, b, grain) => {
      const part = (limit - along[a]) / (along[b] - along[a]);
      for (let k = 0; k < 3; k += 1) {
        const values = particle.position[k];
        place[k].push(k === axis ? limit : values[a] + part * (values[b] - values[a]));
      }
      owner.push(grain);
      return owner.length - 1;
    };
    for (let grain = 0; grain < mesh.labels.length; grain += 1) {
      const [least, most] = extent[grain][axis];
      if (!visible[grain] || (side > 0 ? least > limit : most < limit)) continue;
      const whole = side > 0 ? most <= limit : least >= limit;
      const first = mesh.vertex_start[grain];
      shown += 1;
      for (let face = mesh.face_start[grain]; face < mesh.face_start[grain + 1]; face += 1) {
        let a = first + local[3 * face], b = first + local[3 * face + 1], c = first + local[3 * face + 2];
        if (whole) { add(a, b, c); continue; }
        const kept = [a, b, c].map((v) => side * (limit - along[v]) >= 0);
        const number = kept[0] + kept[1] + kept[2];
        if (number === 3) add(a, b, c);
        if (number === 0 || number === 3) continue;
        // Turn the triangle until its odd corner comes first.
        const odd = kept.indexOf(number === 1);
        for (let turn = 0; turn < odd; turn += 1) [a, b, c] = [b, c, a];
        const ab = meet(a, b, grain), ac = meet(a, c, grain);
        if (number === 1) add(a, ab, ac);
        else { add(ab, b, c); add(ab, c, ac); }
      }
    }
    return { place: place.map((p) => p.values), owner: owner.values, corners: corners.map((c) => c.values), shown };
  };
  // The plane itself: runs of voxels of one grain become rectangles.
  const cap = (particle, visible, axis, limit) => {
    const { shape, voxel_um: voxel, index } = particle.section;
    const [depth, height, width] = shape;
    const size = [voxel[2], voxel[1], voxel[0]], counts = [width, height, depth];
    const layer = Math.round(limit / size[axis]);
    const place = [[], [], []], owner = [], corners = [[], [], []];
    if (layer < 0 || layer >= counts[axis]) return { place, owner, corners };
    const [run, row] = [[1, 2], [0, 2], [0, 1]][axis];
    const stride = [1, width, width * height];
    for (let r = 0; r < counts[row]; r += 1) {
      const start = layer * stride[axis] + r * stride[row];
      for (let from = 0; from < counts[run];) {
        const grain = index[start + from * stride[run]];
        let to = from + 1;
        while (to < counts[run] && index[start + to * stride[run]] === grain) to += 1;
        if (grain > 0 && visible[grain - 1]) {
          const first = owner.length;
          for (const [u, v] of [[from, r], [to, r], [to, r + 1], [from, r + 1]]) {
            place[axis].push(limit);
            place[run].push((u - 0.5) * size[run]);
            place[row].push((v - 0.5) * size[row]);
            owner.push(grain - 1);
          }
          for (const [a, b, c] of [[0, 1, 2], [0, 2, 3]]) {
            corners[0].push(first + a); corners[1].push(first + b); corners[2].push(first + c);
          }
        }
        from = to;
      }
    }
    return { place, owner, corners };
  };
  const turnParticle = async (mesh, grains) => {
    const place = find("particle");
    const particle = await readParticle(mesh);
    const names = grains ? grains.columns.map((column) => column.name) : [];
    const byLabel = new Map(grains ? grains.rows.map((row) => [row[names.indexOf("label")], row]) : []);
    const colourChoice = find("mesh-colour"), axisChoice = find("mesh-axis"), cut = find("mesh-cut");
    for (const name of Object.keys(mesh.palettes)) colourChoice.append(make("option", name, { value: `palette:${name}` }));
    for (const name of mesh.descriptors) {
      const heading = grains.columns[names.indexOf(name)].heading;
      colourChoice.append(make("option", heading, { value: `column:${name}` }));
    }
    let passing = null, picked = null, owners = [], camera = firstCamera(mesh.size_um, place);
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
    const surface = (part, colours, options) => {
      const { values, ...look } = colours;
      return {
        type: "mesh3d", x: part.place[0], y: part.place[1], z: part.place[2].map(downwards),
        i: part.corners[0], j: part.corners[1], k: part.corners[2],
        intensity: Float32Array.from(part.owner, (grain) => values[grain]),
        flatshading: false, hoverinfo: "none", ...look, ...options,
      };
    };
    const traces = () => {
      const colours = colouring(), axis = Number(axisChoice.value), kept = Number(cut.value);
      const share = SIDE[axis] > 0 ? kept : 1 - kept;
      // A plane at the very end of the box cuts nothing.
      const limit = mesh.origin_um[axis] + (kept >= 1 ? share + SIDE[axis] : share) * mesh.size_um[axis];
      const onlyPassing = find("mesh-filter").checked && passing;
      const visible = mesh.labels.map((label, grain) => colours.values[grain] !== null
        && (!onlyPassing || passing.has(label)));
      const body = clip(mesh, particle, visible, axis, limit);
      find("mesh-count").textContent = `${body.shown} of ${mesh.total} grains shown`;
      const face = kept < 1 && particle.section ? cap(particle, visible, axis, limit) : { place: [[], [], []], owner: [], corners: [[], [], []] };
      owners = [body.owner, face.owner];
      return [
        surface(body, colours, {
          lighting: { ambient: 0.62, diffuse: 0.6, specular: 0.08, roughness: 0.8, fresnel: 0.05 },
          lightposition: { x: 3000, y: -4000, z: 8000 },
        }),
        surface(face, colours, { showscale: false, lighting: { ambient: 1, diffuse: 0, specular: 0 } }),
      ];
    };
    const pin = () => {
      const grain = mesh.labels.indexOf(picked);
      const middle = [0, 1, 2].map((axis) => (grain < 0 ? [] : [
        (particle.extent[grain][axis][0] + particle.extent[grain][axis][1]) / 2]));
      return {
        type: "scatter3d", mode: "markers+text", x: middle[0], y: middle[1], z: middle[2].map(downwards),
        text: [`grain ${picked}`], textposition: "top center", hoverinfo: "skip",
        marker: { size: 6, color: "#D55E00", line: { color: "#fff", width: 1 } }, textfont: { size: 14 }, showlegend: false,
      };
    };
    const draw = () => {
      const { ink, line, soft, accent } = inks();
      const axis = (name) => ({
        title: { text: `${name} / \u00b5m` }, color: soft, gridcolor: line, zerolinecolor: line,
        showbackground: false, showspikes: false, nticks: 5,
      });
      const deepest = mesh.origin_um[2] + mesh.size_um[2];
      const tick = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50].find((width) => deepest / width <= 5) ?? deepest;
      const depths = Array.from({ length: Math.floor(deepest / tick) + 1 }, (_, number) => +(number * tick).toFixed(1));
      const layout = {
        margin: { l: 0, r: 0, t: 0, b: 0 }, paper_bgcolor: "rgba(0,0,0,0)",
        font: { color: ink, family: "system-ui, sans-serif", size: 12 },
        modebar: { bgcolor: "rgba(0,0,0,0)", color: soft, activecolor: accent, orientation: "v" },
        scene: {
          aspectmode: "data", xaxis: axis("x"), yaxis: axis("y"), dragmode: "orbit",
          zaxis: { ...axis("z"), tickvals: depths.map(downwards), ticktext: depths.map(String) },
          camera,
        },
      };
      return Plotly.react(place, [...traces(), pin()], layout, MODE_BAR);
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
      const list = find("mesh-picked");
      list.replaceChildren(make("b", `grain ${label}`));
      if (!row) return;
      grains.columns.forEach((column, at) => {
        if (column.name === "label" || row[at] === null || column.name.startsWith("box_")) return;
        const item = make("span", `${column.heading} `);
        item.append(make("b", written(row[at])));
        list.append(item);
      });
    };
    listeners.pick.push((label) => { picked = label; describe(label); refresh(); });
    listeners.filter.push((labels) => { passing = labels; if (find("mesh-filter").checked) refresh(); });
    for (const id of ["mesh-colour", "mesh-axis", "mesh-cut", "mesh-filter"]) find(id).addEventListener("input", refresh);
    await refresh();
    // Plotly's own click is lost where a frame takes longer than the press: what the mouse was
    // last over counts, unless it turned the particle in between.
    let below = null, pressed = null;
    place.on("plotly_hover", ({ points: [{ pointNumber: vertex, curveNumber: curve }] }) => {
      below = owners[curve]?.[vertex] ?? null;
    });
    place.on("plotly_unhover", () => { below = null; });
    place.addEventListener("pointerdown", (event) => { pressed = [event.clientX, event.clientY]; }, true);
    place.addEventListener("pointerup", (event) => {
      const moved = pressed ? Math.hypot(event.clientX - pressed[0], event.clientY - pressed[1]) : Infinity;
      pressed = null;
      if (below !== null && moved < 4) emit("pick", mesh.labels[below]);
    }, true);
    place.on("plotly_relayout", (change) => { camera = change["scene.camera"] ?? camera; });
    for (const button of document.querySelectorAll("[data-turn]")) {
      button.addEventListener("click", () => {
        const by = button.dataset.turn.split(" ").map(Number);
        Plotly.relayout(place, { "scene.camera": by.length === 3 ? turned(camera, ...by) : firstCamera(mesh.size_um, place) });
      });
    }
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", refresh);
    place.dataset.ready = "yes";
    // Paper cannot turn it.
    find("particle-picture").src = await Plotly.toImage(place, { format: "png", width: 1000, height: 640 });
  };

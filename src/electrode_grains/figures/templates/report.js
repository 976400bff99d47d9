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
  const listeners = { pick: [], filter: [], place: [] };
  const emit = (event, value) => listeners[event].forEach((listener) => listener(value));

  // A row that a click picks: arrows go on to its neighbours, Enter and the space bar pick it.
  const pickable = (row, isFirst, act) => {
    row.tabIndex = isFirst ? 0 : -1;
    row.addEventListener("click", act);
    row.addEventListener("keydown", (event) => {
      const way = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
      if (!way && event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      const wanted = way ? row[way] : row;
      wanted?.focus();
      wanted?.click();
    });
  };
  const mark = (row, isPicked) => {
    row.classList.toggle("picked", isPicked);
    if (isPicked) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  };

  // Arrays and the library for drawing travel compressed.
  const inflate = (text) => {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate")));
  };
  const unpack = async (text, Kind) => new Kind(await inflate(text).arrayBuffer());
  const loadPlotly = async () => {
    document.head.append(make("script", await inflate(find("plotly-source").textContent).text()));
  };

{% include "report_slices.js" %}

{% include "report_grains.js" %}

{% include "report_particle.js" %}

{% include "report_candidates.js" %}

  const attempt = (name, work) => Promise.resolve().then(work).catch((problem) => {
    console.error(problem);
    const note = find(`${name}-problem`);
    if (note) note.textContent = `This part needs a current browser with WebGL (${problem.message}).`;
  });
  const slices = data("slices-data"), grains = data("grains-data"), mesh = data("mesh-data");
  const candidates = data("candidates-data");
  if (slices) attempt("slices", () => leafThrough(slices));
  if (grains) attempt("grains", () => tabulate(grains));
  if (find("plotly-source")) {
    const plotly = loadPlotly();
    const drawn = (name, work) => attempt(name, () => plotly.then(work));
    if (mesh) drawn("mesh", () => turnParticle(mesh, grains));
    if (candidates?.marginals.length) drawn("marginal", () => exploreMarginals(candidates.marginals));
    if (candidates?.pairs.length) drawn("pair", () => explorePairs(candidates.pairs));
  }
  goToSuspects();
})();

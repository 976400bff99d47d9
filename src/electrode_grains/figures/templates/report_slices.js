  // Slices: one picture for each layer, stacked; the slider changes their sources.
  const leafThrough = (browser) => {
    const stack = find("slice-stack"), range = find("slice-range"), number = find("slice-number");
    stack.style.aspectRatio = `${browser.width} / ${browser.height}`;
    const pictures = browser.layers.map((layer, position) => {
      const picture = make("img", null, { alt: layer.name });
      picture.style.opacity = layer.opacity;
      stack.append(picture);
      if (position > 0) {
        const label = make("label");
        label.append(make("span", layer.name));
        const opacity = make("input", null, {
          type: "range", min: 0, max: 1, step: 0.05, value: layer.opacity,
        });
        opacity.addEventListener("input", () => { picture.style.opacity = opacity.value; });
        label.append(opacity);
        find("slice-layers").append(label);
      }
      return picture;
    });
    const marker = make("div", null, { className: "marker", hidden: true });
    stack.append(marker);
    if (browser.width_um) {
      const lengths = [1, 2, 5].flatMap((step) => [-2, -1, 0, 1, 2].map((power) => step * 10 ** power));
      const length = Math.max(...lengths.filter((each) => each <= browser.width_um / 3));
      const bar = make("div", `${+length.toPrecision(1)} \u00b5m`, { className: "scale-bar" });
      bar.style.width = `${100 * length / browser.width_um}%`;
      stack.append(bar);
    }
    let marked = null;
    const show = () => {
      const chosen = Number(range.value);
      browser.layers.forEach((layer, position) => { pictures[position].src = layer.images[chosen]; });
      const name = browser.names?.[chosen];
      number.textContent = `slice ${browser.slices[chosen]}` + (name ? ` (${name})` : "");
      range.setAttribute("aria-valuetext", number.textContent);
      marker.hidden = marked === null || browser.slices[chosen] !== marked.slice;
    };
    range.max = browser.slices.length - 1;
    range.value = Math.floor(browser.slices.length / 2);
    range.addEventListener("input", show);
    stack.addEventListener("wheel", (event) => {
      event.preventDefault();
      range.value = Number(range.value) + Math.sign(event.deltaY);
      show();
    }, { passive: false });
    listeners.place.push((place) => {
      const distance = browser.slices.map((slice) => Math.abs(slice - place.slice));
      range.value = distance.indexOf(Math.min(...distance));
      marked = { ...place, slice: browser.slices[Number(range.value)] };
      marker.style.left = `${100 * place.left}%`;
      marker.style.top = `${100 * place.top}%`;
      show();
    });
    show();
  };

  // Suspects: a row goes to the slice and picks the grain.
  const goToSuspects = () => {
    const lines = [...document.querySelectorAll("#suspects tr[data-label]")];
    lines.forEach((line, rank) => pickable(line, rank === 0, () => {
      const { label, slice, left, top } = line.dataset;
      if (left !== "") emit("place", { slice: Number(slice), left: Number(left), top: Number(top) });
      emit("pick", Number.isSafeInteger(Number(label)) ? Number(label) : label);
      for (const other of lines) mark(other, other === line);
    }));
  };

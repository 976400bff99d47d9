  // Grain table.
  const PAGE = 15;
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
  // Columns that only a program wants to read; the download has them.
  const ASIDE = /^(box_|bunge_|orientation_[wxyz]$|half_axis_|hull_voxel)|_reason$/;
  const tabulate = (grains) => {
    const aside = grains.columns.map((column) => ASIDE.test(column.name));
    const names = grains.columns.map((column) => column.name);
    const labelColumn = names.indexOf("label");
    const windowColumn = names.indexOf("touches_window");
    const state = { sort: -1, direction: 1, page: 0, rows: grains.rows, picked: null };
    const body = find("grains").tBodies[0], head = find("grains").tHead.rows[0];
    const choice = find("filter-column");
    grains.columns.forEach((column, position) => {
      const cell = make("th", null, { scope: "col", className: aside[position] ? "aside" : "" });
      const button = make("button", column.heading, { type: "button", className: column.kind === "number" ? "num" : "" });
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
      const hadFocus = body.contains(document.activeElement);
      body.replaceChildren(...state.rows.slice(state.page * PAGE, (state.page + 1) * PAGE).map((row, place) => {
        const line = make("tr");
        row.forEach((value, position) => line.append(make("td", written(value), {
          className: (grains.columns[position].kind === "number" ? "num" : "") + (aside[position] ? " aside" : ""),
        })));
        if (labelColumn >= 0) {
          mark(line, row[labelColumn] === state.picked);
          pickable(line, place === 0, () => emit("pick", row[labelColumn]));
        }
        return line;
      }));
      if (hadFocus) body.querySelector("tr.picked")?.focus();
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
      emit("filter", new Set(state.rows.map((row) => row[labelColumn])));
    };
    for (const id of ["filter-column", "filter-least", "filter-most", "filter-whole"]) {
      find(id).addEventListener("input", () => { state.page = 0; update(); });
    }
    find("all-columns").addEventListener("input", (event) => {
      find("grains").classList.toggle("short", !event.target.checked);
    });
    if (!aside.includes(true)) find("all-columns").parentElement.remove();
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

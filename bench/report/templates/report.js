"use strict";
// Tables sort by a click on a heading and filter as one types; without this they are plain tables.
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  if (rows.length < 3) continue;
  const key = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.sort === undefined ? cell.textContent.trim() : Number(cell.dataset.sort);
  };
  const headings = Array.from(table.tHead.rows[0].cells);
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const up = heading.getAttribute("aria-sort") !== "ascending";
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", up ? "ascending" : "descending");
      const sorted = rows.slice().sort((a, b) => {
        const x = key(a, column), y = key(b, column);
        if (typeof x !== typeof y) return typeof x === "number" ? -1 : 1; // empty ones last
        const order = typeof x === "number" ? x - y : x.localeCompare(y, "en", { numeric: true });
        return up ? order : -order;
      });
      body.append(...sorted);
    });
  });
  if (rows.length < 9) continue;
  const filter = document.createElement("input");
  filter.type = "search";
  filter.className = "filter";
  filter.placeholder = "Filter rows: qat E = 1";
  filter.setAttribute("aria-label", "Filter the rows of this table");
  filter.addEventListener("input", () => {
    const wanted = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      const text = row.textContent.toLowerCase().replaceAll("\u00a0", " ");
      row.hidden = !wanted.every((word) => text.includes(word));
    }
  });
  table.closest(".scroll").before(filter);
}

// A link leads into what is folded: the part is opened, then gone to.
const unfold = () => {
  const part = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  if (!part) return;
  for (const each of part.querySelectorAll("details.part")) each.open = true;
  for (let at = part.closest("details"); at; at = at.parentElement.closest("details")) at.open = true;
  part.scrollIntoView();
};
addEventListener("hashchange", unfold);
for (const link of document.querySelectorAll('a[href^="#"]')) {
  // The same link again changes no hash.
  link.addEventListener("click", () => { if (link.hash === location.hash) unfold(); });
}
unfold();

// On paper nothing can be unfolded: everything is open while the page is printed.
let unfolded = [];
addEventListener("beforeprint", () => {
  unfolded = Array.from(document.querySelectorAll("details:not([open])"));
  for (const each of unfolded) each.open = true;
});
addEventListener("afterprint", () => {
  for (const each of unfolded) each.open = false;
});

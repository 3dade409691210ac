/* In the heading of the table of users: a box that chooses all on this page, or none. Without
   this script there is no such box. */
"use strict";

(() => {
  const place = document.getElementById("choose-all");
  const boxes = [...document.querySelectorAll("#users tbody input[name=user]")];
  if (!place || !boxes.length) return;
  const all = document.createElement("input");
  all.type = "checkbox";
  all.className = "form-check-input";
  all.setAttribute("aria-label", place.dataset.label);

  /* Some of them chosen is neither: the box says so by its third look. */
  const look = () => {
    const chosen = boxes.filter((box) => box.checked).length;
    all.checked = chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
  };

  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
    look();
  });
  for (const box of boxes) box.addEventListener("change", look);
  // A browser may bring back what was chosen before it left the page.
  addEventListener("pageshow", look);
  look();
  place.append(all);
})();

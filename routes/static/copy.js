// Gives every snippet of a page a button that copies it; without this file they can be read and marked all the same.
"use strict";
// Browsers lend the clipboard to HTTPS and to the own machine only.
for (const block of navigator.clipboard ? document.querySelectorAll("pre") : []) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Chép · Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(block.textContent);
    button.textContent = "Đã chép · Copied";
  });
  block.before(button);
}

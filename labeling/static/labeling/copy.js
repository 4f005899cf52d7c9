// Copies the value of the input that a button names; browsers allow it only on https and on this machine.
"use strict";

for (const button of document.querySelectorAll("button[data-copy]")) {
    const input = document.getElementById(button.dataset.copy);
    if (input === null || navigator.clipboard === undefined) {
        continue;
    }
    button.hidden = false;
    button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(input.value);
        button.textContent = "Copied";
    });
}

// Shows of each attribute the fields that its type has. Without this script all of them stand there.
"use strict";

for (const form of document.querySelectorAll(".attribute")) {
    const type = form.querySelector("select[name$='-input_type']");
    if (type === null) {
        continue;
    }
    const fit = () => {
        for (const field of form.querySelectorAll("[data-for]")) {
            field.hidden = !field.dataset.for.split(" ").includes(type.value);
        }
    };
    type.addEventListener("change", fit);
    fit();
}

// Sends pictures in several requests, shows how much was sent and how much became samples, and lists what became of each.
// Without this script the form sends them all in one request, and the answer is a page with the same lists.
"use strict";

(() => {
    const MOST_BYTES = 256 * 1024 * 1024; // of one request, unless a single file is larger
    const MOST_LISTED = 500;
    const form = document.getElementById("upload-form");
    const input = document.getElementById("upload-files");
    const mostFiles = Number(form.dataset.mostFiles);
    const by = (id) => document.getElementById(id);
    let running = null;
    let stopped = false;

    /* Archives alone, pictures together: the requests that the files are sent in. */
    function batches(files) {
        const found = [];
        let open = null;
        for (const file of files) {
            if (file.name.toLowerCase().endsWith(".zip")) {
                found.push({ files: [file], bytes: file.size });
            } else if (open !== null && open.files.length < mostFiles && open.bytes + file.size <= MOST_BYTES) {
                open.files.push(file);
                open.bytes += file.size;
            } else {
                open = { files: [file], bytes: file.size };
                found.push(open);
            }
        }
        return found;
    }

    function show(name, part, whole, words) {
        by(`upload-${name}`).max = Math.max(whole, 1);
        by(`upload-${name}`).value = part;
        by(`upload-${name}-words`).textContent = words;
    }

    function problem(words) {
        by("upload-problem").textContent = words;
        by("upload-problem").hidden = words === "";
    }

    function list(outcome) {
        by("upload-results").hidden = false;
        const group = document.querySelector(`#upload-results [data-what="${outcome.what}"]`);
        const count = group.querySelector("[data-count]");
        count.textContent = Number(count.textContent) + 1;
        group.hidden = false;
        const names = group.querySelector("ul");
        const item = document.createElement("li");
        if (names.children.length === MOST_LISTED) {
            item.className = "quiet";
            item.textContent = "and more";
        } else if (names.children.length > MOST_LISTED) {
            return;
        } else {
            item.textContent = outcome.name;
            if (outcome.words) {
                const words = document.createElement("span");
                words.className = "quiet";
                words.textContent = ` ${outcome.words}`;
                item.append(words);
            }
        }
        names.append(item);
    }

    /* One request; `state` counts over all of them. Throws what goes wrong, in words. */
    function send(batch, state) {
        return new Promise((resolve, reject) => {
            const request = new XMLHttpRequest();
            const data = new FormData();
            for (const name of ["csrfmiddlewaretoken", "upload"]) {
                data.append(name, form.elements[name].value);
            }
            for (const file of batch.files) {
                data.append("files", file);
            }
            let read = 0;
            let known = 0;
            let failure = "";

            function lines() {
                const text = request.responseText;
                const end = text.lastIndexOf("\n") + 1;
                for (const line of text.slice(read, end).split("\n").filter(Boolean)) {
                    const said = JSON.parse(line);
                    if (said.total !== undefined) {
                        known = said.total;
                        state.total += known - batch.files.length;
                    } else if (said.error !== undefined) {
                        failure = said.error;
                    } else {
                        state.done += 1;
                        list(said);
                    }
                }
                read = end;
                show("done", state.done, state.total, `${state.done} of ${state.total}`);
            }

            request.upload.addEventListener("progress", (event) => {
                const part = state.sent + Math.min(event.loaded, batch.bytes);
                show("sent", part, state.bytes, `${Math.floor((100 * part) / Math.max(state.bytes, 1))} %`);
            });
            request.addEventListener("progress", () => request.status === 200 && lines());
            request.addEventListener("load", () => {
                if (request.status !== 200 || !request.getResponseHeader("Content-Type").includes("ndjson")) {
                    reject(new Error(`The server refused the upload (${request.status}). Reload the page and try again.`));
                    return;
                }
                lines();
                state.sent += batch.bytes;
                if (failure) {
                    reject(new Error(failure));
                } else {
                    resolve();
                }
            });
            request.addEventListener("error", () => reject(new Error("The connection broke. Send the files again; what is there is skipped.")));
            request.addEventListener("abort", () => reject(new Error("Stopped. What is listed is done.")));
            request.open("POST", form.action);
            request.setRequestHeader("Accept", "application/x-ndjson");
            request.send(data);
            running = request;
        });
    }

    async function upload(files) {
        const state = { done: 0, total: files.length, sent: 0, bytes: 0 };
        for (const file of files) {
            state.bytes += file.size;
        }
        stopped = false;
        problem("");
        by("upload-progress").hidden = false;
        by("upload-stop").hidden = false;
        form.querySelector("[type=submit]").disabled = true;
        show("sent", 0, state.bytes, "0 %");
        show("done", 0, state.total, `0 of ${state.total}`);
        try {
            for (const batch of batches(files)) {
                if (stopped) {
                    throw new Error("Stopped. What is listed is done.");
                }
                await send(batch, state);
            }
            show("sent", 1, 1, "100 %");
            input.value = "";
        } catch (error) {
            problem(error.message);
        }
        by("upload-stop").hidden = true;
        form.querySelector("[type=submit]").disabled = false;
    }

    form.addEventListener("submit", (event) => {
        if (input.files.length) {
            event.preventDefault();
            upload([...input.files]);
        }
    });
    by("upload-stop").addEventListener("click", () => {
        stopped = true;
        running?.abort();
    });
    // A file that misses the field must not replace the page.
    for (const name of ["dragover", "drop"]) {
        window.addEventListener(name, (event) => event.preventDefault());
    }
    const drop = by("upload-drop");
    drop.addEventListener("dragover", () => drop.classList.add("over"));
    drop.addEventListener("dragleave", () => drop.classList.remove("over"));
    drop.addEventListener("drop", (event) => {
        drop.classList.remove("over");
        if (event.dataTransfer.files.length) {
            input.files = event.dataTransfer.files;
        }
    });
})();

/* "Measure again" with progress: asks now and then how far it is, and shows the new page
   when it is done. Without this script the button sends its form. */
"use strict";

(() => {
  const form = document.getElementById("measure-form");
  if (!form) return;
  const button = document.getElementById("measure");
  const shown = document.getElementById("progress");
  const FIRST_WAIT = 300;
  const LONGEST_WAIT = 3000;

  const ask = async (method, path) => {
    const answer = await fetch(path, {
      method,
      headers: { Accept: "application/json", "X-XSRFToken": form.elements._xsrf.value },
      cache: "no-store",
      redirect: "error",
    });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  };

  let line;
  let bar;
  const show = (text, share) => {
    if (!line) {
      const box = document.createElement("div");
      box.className = "alert alert-info mb-0";
      line = document.createElement("p");
      line.className = "mb-1";
      bar = document.createElement("progress");
      bar.className = "w-100";
      bar.setAttribute("aria-label", "How far the measurement is");
      box.append(line, bar);
      shown.replaceChildren(box);
    }
    if (line.textContent !== text) line.textContent = text;
    if (share === null) bar.removeAttribute("value");
    else bar.value = share;
  };

  const showHowFar = (far) => {
    if (!far.files) return show("Measuring …", null);
    const text = `Measuring: ${efsQuota.number(far.files)} files, ${efsQuota.size(far.bytes)} so far`;
    // What was found the last time is only a guess at what is there now.
    show(text, far.known_files ? Math.min(far.files / far.known_files, 0.99) : null);
  };

  const leave = (outcome) => {
    const page = new URL(form.dataset.page, location.href);
    page.searchParams.set("said", outcome ?? "measured");
    location.replace(page);
  };

  const failed = () => {
    button.disabled = false;
    const sentence = document.createElement("p");
    sentence.className = "alert alert-warning mb-0";
    sentence.textContent = "How far it is cannot be seen now. Load this page again in a while.";
    shown.replaceChildren(sentence);
  };

  const follow = async (far) => {
    let wait = FIRST_WAIT;
    while (far.measuring) {
      showHowFar(far);
      await new Promise((resolve) => setTimeout(resolve, wait));
      wait = Math.min(wait * 1.2, LONGEST_WAIT);
      far = await ask("GET", form.dataset.progress);
    }
    leave(far.outcome);
  };

  const begin = async (method, path) => {
    button.disabled = true;
    show("Measuring …", null);
    try {
      await follow(await ask(method, path));
    } catch {
      failed();
    }
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    begin("POST", form.action);
  });
  if ("measuring" in form.dataset) begin("GET", form.dataset.progress);
})();

/* What another default quota would do, as one moves the slider: from the figures in the page.
   For a number that is none of the slider's the service is asked. Without this script the
   form is sent. */
"use strict";

(() => {
  const form = document.getElementById("what-if-form");
  const steps = JSON.parse(document.getElementById("steps").textContent);
  if (!form || !steps.length) return;
  const { quota, unit } = form.elements;
  const slider = document.getElementById("slider");
  const SIZES = [...unit.options].map((_, step) => 1024 ** step);
  const WAIT = 250;

  const put = (id, text) => {
    document.getElementById(id).textContent = text;
  };
  const show = ([size, users, over, newly, freed, excess, promised]) => {
    put("over", efsQuota.number(over));
    put("newly", efsQuota.number(newly));
    put("freed", efsQuota.number(freed));
    put("excess", efsQuota.size(excess));
    put("would-promise", efsQuota.size(promised));
    slider.setAttribute("aria-valuetext", efsQuota.size(size));
  };

  /* The slider's place for a size: the last stop that is not above it. */
  const placeOf = (size) => Math.max(0, steps.findLastIndex(([stop]) => stop <= size));

  /* A size in the largest unit in which it is a short number. */
  const write = (size) => {
    let step = SIZES.length - 1;
    while (step > 0 && (size < SIZES[step] || (size * 100) % SIZES[step])) step -= 1;
    quota.value = String(size / SIZES[step]);
    unit.selectedIndex = step;
  };

  const ask = async (size) => {
    const query = new URLSearchParams({ quota: quota.value, unit: unit.value });
    const answer = await fetch(`${form.dataset.ask}?${query}`, {
      headers: { Accept: "application/json", "X-XSRFToken": form.dataset.token },
      cache: "no-store",
      redirect: "error",
    });
    // Somebody may have gone on meanwhile: that is answered by itself.
    if (answer.ok && size === wanted()) show(Object.values(await answer.json()));
  };
  const wanted = () => Number(quota.value) * SIZES[unit.selectedIndex];

  let waiting;
  const typed = () => {
    clearTimeout(waiting);
    const size = wanted();
    if (!quota.value || !(size >= 0)) return;
    slider.value = placeOf(size);
    // What cannot be asked now, the button tries again.
    waiting = setTimeout(() => ask(size).catch(() => {}), WAIT);
  };

  slider.max = steps.length - 1;
  slider.value = placeOf(wanted());
  slider.setAttribute("aria-valuetext", efsQuota.size(wanted()));
  slider.addEventListener("input", () => {
    clearTimeout(waiting);
    const step = steps[slider.value];
    write(step[0]);
    show(step);
  });
  quota.addEventListener("input", typed);
  unit.addEventListener("change", typed);
  document.getElementById("slide").hidden = false;
})();

/* On the hub's own pages: the visitor's storage, as a bar above what is there. The service
   tells it through a frame that nobody sees; while it is away there is nothing to be seen. */
"use strict";

(() => {
  const place = document.getElementById("efs-quota-bar");
  if (!place) return;
  const service = new URL(place.dataset.service, location.href);
  const UNITS = ["KiB", "MiB", "GiB", "TiB", "PiB"];
  const TONES = ["success", "warning", "danger", "secondary"];
  const locale = navigator.languages?.length ? [...navigator.languages] : undefined;

  const size = (bytes) => {
    const format = (number, digits) =>
      new Intl.NumberFormat(locale, {
        minimumFractionDigits: digits,
        maximumFractionDigits: digits,
        useGrouping: false,
      }).format(number);
    if (bytes < 1024) return `${format(bytes, 0)} ${bytes === 1 ? "byte" : "bytes"}`;
    let step = 0;
    // Never "1024.0 KiB", which is 1.0 MiB; as in locale.js, which the hub's pages do not have.
    for (bytes /= 1024; bytes >= 1023.95 && step < UNITS.length - 1; step += 1) bytes /= 1024;
    return `${format(bytes, 1)} ${UNITS[step]}`;
  };

  /* How much of how much; of files too where there is a limit on them. The share stands beside
     that of the two of which more is used. */
  const words = (figure) => {
    const used = size(Number(figure.used));
    if (!figure.quota) return used;
    const space = `${used} of ${size(Number(figure.quota))}`;
    if (!figure.fileLimit) return `${space}, ${figure.share}`;
    const number = (count) => new Intl.NumberFormat(locale).format(Number(count));
    const files = `${number(figure.files)} of ${number(figure.fileLimit)} files`;
    const ofFiles = figure.ofFiles !== undefined;
    return ofFiles ? `${space}; ${files}, ${figure.share}` : `${space}, ${figure.share}; ${files}`;
  };

  const element = (name, className, text) => {
    const made = document.createElement(name);
    made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  /* What there is to say of a rescue: the server that a locked-out user may start to delete. */
  const rescue = (figure) => {
    const until = new Date(figure.rescueUntil);
    const when = isNaN(until)
      ? ""
      : until.toLocaleTimeString(locale, { hour: "numeric", minute: "2-digit" });
    const said = {
      offered: "You are locked out. The next server that you start is a rescue server, to delete files with.",
      on: `You are locked out. Until ${when} your server is a rescue server, to delete files with.`,
      back: `You are back under your quota. Restart your rescue server to work as usual; it is stopped at ${when}.`,
      pause: "You are locked out, and your rescue is over.",
    };
    return Object.hasOwn(said, figure.rescue) ? said[figure.rescue] : "";
  };

  /* The lockout when the time of grace ends, or else the day when it is full. */
  const coming = (figure) => {
    const at = new Date(figure.lock);
    if (!Number.isNaN(at.getTime())) {
      if (at <= Date.now()) return "Your servers are about to be stopped. Free some space now.";
      const time = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
      return `Your servers are stopped at ${time.format(at)}, unless you free some space before.`;
    }
    const full = new Date(figure.full);
    if (Number.isNaN(full.getTime())) return "";
    const day = new Intl.DateTimeFormat(locale, { dateStyle: "medium" });
    const what = figure.fullIn === "files" ? "full in files" : "full";
    return `At the present growth it is ${what} about ${day.format(full)}.`;
  };

  const draw = (figure) => {
    const tone = TONES.includes(figure.tone) ? figure.tone : "secondary";
    const told = words(figure);
    const line = element("p", "mb-1");
    const link = element("a", "fw-bold", place.dataset.title);
    link.href = service;
    line.append(link, ": ", told, " ", element("span", `badge text-bg-${tone}`, figure.state));
    const parts = [line];
    if (figure.quota) {
      const track = element("div", "progress");
      track.setAttribute("role", "progressbar");
      track.setAttribute("aria-label", place.dataset.title);
      track.setAttribute("aria-valuemin", "0");
      track.setAttribute("aria-valuemax", "100");
      track.setAttribute("aria-valuenow", figure.percent);
      track.setAttribute("aria-valuetext", told);
      const bar = element("div", `progress-bar bg-${tone}`);
      bar.style.width = `${Number(figure.percent)}%`;
      track.append(bar);
      parts.push(track);
    }
    const more = rescue(figure) || coming(figure);
    if (more) parts.push(element("p", "mt-1 mb-0", more));
    place.replaceChildren(...parts);
    place.hidden = false;
  };

  const frame = document.createElement("iframe");
  window.addEventListener("message", (event) => {
    const ours = event.source === frame.contentWindow && event.origin === service.origin;
    if (!ours || !event.data?.efsQuota) return;
    draw(event.data.efsQuota);
    frame.remove();
  });
  frame.hidden = true;
  frame.title = place.dataset.title;
  frame.src = new URL("bar", service);
  document.body.append(frame);
})();

/* Numbers and times in the reader's own locale; without this they stand as in English, in UTC.
   Other scripts ask for the same: efsQuota.size(bytes), efsQuota.number(count). */
"use strict";

const efsQuota = (() => {
  const locale = navigator.languages?.length ? [...navigator.languages] : undefined;
  const whole = new Intl.NumberFormat(locale);
  const tenths = new Intl.NumberFormat(locale, {
    minimumFractionDigits: 1,
    maximumFractionDigits: 1,
  });
  const moment = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
  const day = new Intl.DateTimeFormat(locale, { dateStyle: "medium" });
  const units = ["KiB", "MiB", "GiB", "TiB", "PiB"];

  const number = (count) => whole.format(count);
  const size = (bytes) => {
    if (bytes < 1024) return `${number(bytes)} ${bytes === 1 ? "byte" : "bytes"}`;
    const step = Math.min(Math.floor(Math.log2(bytes) / 10), units.length);
    return `${tenths.format(bytes / 1024 ** step)} ${units[step - 1]}`;
  };

  for (const each of document.querySelectorAll("data.size")) {
    each.textContent = size(Number(each.value));
  }
  for (const each of document.querySelectorAll("data.number")) {
    each.textContent = number(Number(each.value));
  }
  for (const each of document.querySelectorAll("time")) {
    const time = new Date(each.dateTime);
    if (Number.isNaN(time.getTime())) continue;
    each.textContent = (each.classList.contains("day") ? day : moment).format(time);
    // It may be in another language than the page.
    each.lang = moment.resolvedOptions().locale;
  }
  return { locale, number, size };
})();

/* Numbers and times in the reader's own locale; without this they stand as in English, in UTC.
   Other scripts ask for the same: efsQuota.size(bytes), efsQuota.number(count). Words and halves
   are those of quota/sizes.py and words/figures.py. */
"use strict";

const efsQuota = (() => {
  const locale = navigator.languages?.length ? [...navigator.languages] : undefined;
  const whole = new Intl.NumberFormat(locale);
  // Without a mark of thousands, as in quota/sizes.py: tables at a terminal are narrow.
  const digits = (count) =>
    new Intl.NumberFormat(locale, {
      minimumFractionDigits: count,
      maximumFractionDigits: count,
      useGrouping: false,
    });
  const [ones, tenths] = [digits(0), digits(1)];
  const moment = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
  const day = new Intl.DateTimeFormat(locale, { dateStyle: "medium" });
  // A day that is the same for everybody, as `2026-11-22`, is no moment: it begins in no zone.
  const wholeDay = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeZone: "UTC" });
  const units = ["KiB", "MiB", "GiB", "TiB", "PiB"];

  const number = (count) => whole.format(count);
  const size = (bytes) => {
    if (bytes < 1024) return `${ones.format(bytes)} ${bytes === 1 ? "byte" : "bytes"}`;
    let step = 0;
    // Never "1024.0 KiB", which is 1.0 MiB.
    for (bytes /= 1024; bytes >= 1023.95 && step < units.length - 1; step += 1) bytes /= 1024;
    return `${tenths.format(bytes)} ${units[step]}`;
  };
  const percent = (share) => {
    if (share >= 10) return "over 1000 %";
    const whole = Math.floor(share * 100 + 0.5);
    if (whole === 0 && share > 0) return "under 1 %";
    if (whole === 100 && share !== 1) return `just ${share > 1 ? "over" : "under"} 100 %`;
    return `${whole} %`;
  };

  for (const each of document.querySelectorAll("data.size")) {
    each.textContent = size(Number(each.value));
  }
  for (const each of document.querySelectorAll("data.number")) {
    each.textContent = number(Number(each.value));
  }
  for (const each of document.querySelectorAll("data.secs")) {
    // What takes longer is told without fractions.
    const secs = Number(each.value);
    if (secs < 10) each.textContent = `${tenths.format(secs)} s`;
  }
  const formatOf = (each) => {
    if (/^\d{4}-\d\d-\d\d$/.test(each.dateTime)) return wholeDay;
    return each.classList.contains("day") ? day : moment;
  };
  for (const each of document.querySelectorAll("time")) {
    const time = new Date(each.dateTime);
    if (Number.isNaN(time.getTime())) continue;
    each.textContent = formatOf(each).format(time);
    // It may be in another language than the page.
    each.lang = moment.resolvedOptions().locale;
  }
  return { locale, number, percent, size };
})();

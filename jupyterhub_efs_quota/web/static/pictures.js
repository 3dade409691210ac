/* The pictures on the pages of one user's storage: the curve and the treemap, by plotly, from
   the figures in the page. Everything in them stands in the page's tables too. */
"use strict";

(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const curve = document.getElementById("curve");
  const treemap = document.getElementById("treemap");
  const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];
  // From dark to light: the names in them are white, then black.
  const SHADES = ["#1f5f99", "#8a4b08", "#3b6e22", "#7a3b7a", "#8c2f39", "#2f6f6f", "#5a5a8f"];
  const REST = "#6c757d";

  const colour = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  /* What plotly calls the parts of a time, which it writes by a pattern: a number without zeros
     before it, one with them, and a word. */
  const SPECS = {
    year: ["%Y", "%y"],
    month: ["%-m", "%m", "%b"],
    day: ["%-d", "%d"],
    hour: ["%-H", "%H"],
    minute: ["%M", "%M"],
    second: ["%S", "%S"],
    dayPeriod: ["%p", "%p", "%p"],
  };
  // Each part of it is less than ten, and no two of them are alike.
  const SAMPLE = new Date(2026, 2, 5, 7, 8, 9);

  /* The parts of a time in the reader's locale; plotly knows no other calendar. */
  const partsOf = (options, time = SAMPLE) =>
    new Intl.DateTimeFormat(efsQuota.locale, { calendar: "gregory", ...options }).formatToParts(time);
  const wordOf = (type, options, time) => partsOf(options, time).find((part) => part.type === type)?.value;
  const isNumber = (text) => /^\p{Nd}+$/u.test(text);

  /* The reader's own way to write times, as a pattern for plotly. */
  const patternOf = (options) => {
    const parts = partsOf(options);
    const twelve = parts.some((part) => part.type === "dayPeriod");
    return parts
      .map(({ type, value }) => {
        if (!(type in SPECS)) return value.replaceAll("%", "%%");
        const kind = isNumber(value) ? (value.length === 2 ? 1 : 0) : 2;
        const spec = SPECS[type][kind] ?? SPECS[type][0];
        return twelve ? spec.replace("H", "I") : spec;
      })
      .join("");
  };

  /* How plotly is to write numbers and times. */
  const registerLocale = () => {
    const numbers = new Intl.NumberFormat(efsQuota.locale, { useGrouping: true }).formatToParts(-1234567.5);
    const sign = (type) => numbers.find((part) => part.type === type)?.value;
    const words = (type, options, times) => times.map((time) => wordOf(type, options, time));
    const months = [...Array(12).keys()].map((month) => new Date(2024, month, 15));
    const days = [...Array(7).keys()].map((day) => new Date(2024, 8, 1 + day));
    const halves = [7, 19].map((hour) => new Date(2024, 0, 1, hour));
    Plotly.register({
      moduleType: "locale",
      name: "reader",
      dictionary: {},
      format: {
        days: words("weekday", { weekday: "long" }, days),
        shortDays: words("weekday", { weekday: "short" }, days),
        // With a day, since a month alone is another word in some languages.
        months: words("month", { month: "long", day: "numeric" }, months),
        shortMonths: words("month", { month: "short", day: "numeric" }, months),
        periods: words("dayPeriod", { hour: "numeric", hour12: true }, halves),
        decimal: sign("decimal"),
        thousands: sign("group"),
        date: patternOf({ dateStyle: "short" }),
        time: patternOf({ timeStyle: "medium" }),
        year: patternOf({ year: "numeric" }),
        month: patternOf({ year: "numeric", month: "short" }),
        dayMonth: patternOf({ month: "short", day: "numeric" }),
        dayMonthYear: patternOf({ dateStyle: "medium" }),
      },
    });
  };

  /* A moment as the reader's clock shows it, without a zone: plotly knows none. */
  const onTheClock = (text) => {
    const time = new Date(text);
    const two = (number) => String(number).padStart(2, "0");
    const day = [time.getFullYear(), two(time.getMonth() + 1), two(time.getDate())].join("-");
    return `${day} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
  };

  const layout = (more) => ({
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: colour("--bs-body-font-family") || "sans-serif", color: colour("--bs-body-color") },
    hoverlabel: {
      bgcolor: colour("--bs-body-bg"),
      bordercolor: colour("--bs-border-color"),
      font: { color: colour("--bs-body-color") },
    },
    ...more,
  });
  const config = { displayModeBar: false, responsive: true, locale: "reader" };

  const drawCurve = () => {
    const most = Math.max(...figures.used, ...figures.quota, 1);
    const step = Math.min(Math.floor(Math.log2(most) / 10), UNITS.length - 1);
    const scaled = (values) => values.map((value) => value / 1024 ** step);
    const last = figures.times.length - 1;
    const times = figures.times.map(onTheClock);
    const quota = { x: [...times], y: scaled(figures.quota), text: figures.quota.map(efsQuota.size) };
    const traces = [
      {
        x: times,
        y: scaled(figures.used),
        text: figures.used.map(efsQuota.size),
        name: "Used",
        mode: figures.times.length > 60 ? "lines" : "lines+markers",
        fill: "tozeroy",
        fillcolor: "rgba(13,110,253,0.12)",
        line: { color: colour("--bs-primary") || "#0d6efd", width: 2 },
        hovertemplate: "%{text}<extra></extra>",
      },
    ];
    if (figures.full) {
      const full = onTheClock(figures.full);
      traces.push({
        x: [times[last], full],
        y: scaled([figures.used[last], figures.quota[last]]),
        text: ["", efsQuota.size(figures.quota[last])],
        name: "At this pace",
        mode: "lines",
        line: { color: colour("--bs-primary") || "#0d6efd", width: 2, dash: "dot" },
        hovertemplate: "%{text}<extra></extra>",
      });
      quota.x.push(full);
      quota.y.push(quota.y[last]);
      quota.text.push(quota.text[last]);
    }
    traces.push({
      ...quota,
      name: "Quota",
      mode: "lines",
      line: { color: colour("--bs-danger") || "#dc3545", width: 2, dash: "dash", shape: "hv" },
      hovertemplate: "%{text}<extra></extra>",
    });
    const grid = { gridcolor: colour("--bs-border-color"), zeroline: false, fixedrange: true, automargin: true };
    return Plotly.react(
      curve,
      traces,
      layout({
        margin: { l: 0, r: 8, t: 8, b: 0 },
        hovermode: "x unified",
        showlegend: true,
        legend: { orientation: "h", y: 1, yanchor: "bottom", x: 0 },
        xaxis: {
          ...grid,
          type: "date",
          hoverformat: patternOf({ dateStyle: "medium", timeStyle: "short" }),
          // Of hours and minutes alone plotly knows one way to write them.
          tickformatstops: [
            {
              dtickrange: [60_000, 43_200_000],
              value: `${patternOf({ timeStyle: "short" })}\n${patternOf({ dateStyle: "medium" })}`,
            },
          ],
        },
        yaxis: { ...grid, rangemode: "tozero", ticksuffix: ` ${UNITS[step]}` },
        dragmode: false,
      }),
      config,
    );
  };

  /* Each folder right below the home has a colour, which what is in it shares. */
  const coloursOf = (map) => {
    const own = new Map();
    let next = 0;
    map.parent.forEach((parent, n) => {
      if (parent === "") own.set(map.id[n], "rgba(0,0,0,0)");
      else if (map.label[n] === "(all else here)") own.set(map.id[n], REST);
      else if (parent === map.id[0]) own.set(map.id[n], SHADES[next++ % SHADES.length]);
      else own.set(map.id[n], own.get(parent));
    });
    return map.id.map((id) => own.get(id));
  };

  const drawTreemap = () => {
    const map = figures.treemap;
    const text = map.bytes.map(efsQuota.size);
    return Plotly.react(
      treemap,
      [
        {
          type: "treemap",
          ids: map.id,
          labels: map.label,
          parents: map.parent,
          values: map.bytes,
          branchvalues: "total",
          text,
          customdata: map.files.map((files, n) => [
            `${efsQuota.number(files)} ${files === 1 ? "file" : "files"}`,
            efsQuota.percent(map.bytes[n] / map.bytes[0]),
          ]),
          texttemplate: "%{label}  %{text}",
          hovertemplate: "%{label}<br>%{text}<br>%{customdata[0]}<br>%{customdata[1]}<extra></extra>",
          marker: {
            colors: coloursOf(map),
            line: { width: 1, color: colour("--bs-body-bg") },
            pad: { t: 22, l: 3, r: 3, b: 3 },
          },
          textfont: { color: map.parent.map((parent) => (parent === "" ? colour("--bs-body-color") : "#fff")) },
          pathbar: { visible: true, textfont: { color: colour("--bs-body-color") } },
          maxdepth: 3,
          tiling: { packing: "squarify" },
        },
      ],
      layout({ margin: { l: 0, r: 0, t: 24, b: 0 } }),
      config,
    );
  };

  const pictures = [];
  if (curve && figures.times.length > 1) {
    pictures.push([curve, drawCurve, "A curve of what was used in the last weeks, with the quota as a line. Its figures are in the table “Day by day”."]);
  }
  if (treemap && figures.treemap && figures.treemap.bytes[0] > 0) {
    pictures.push([treemap, drawTreemap, "A map of the folders by size. The same folders are in the list below."]);
  }
  registerLocale();
  for (const [place, draw, words] of pictures) {
    place.hidden = false;
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", words);
    draw();
  }
  new MutationObserver(() => pictures.forEach(([, draw]) => draw())).observe(
    document.documentElement,
    { attributes: true, attributeFilter: ["data-bs-theme"] },
  );
})();

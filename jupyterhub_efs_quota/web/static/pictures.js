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

  /* plotly's words for days and months, in the reader's language. */
  const registerLocale = () => {
    const words = (options, dates) =>
      dates.map((date) => new Intl.DateTimeFormat(efsQuota.locale, options).format(date));
    const months = [...Array(12).keys()].map((month) => new Date(2024, month, 15));
    const days = [...Array(7).keys()].map((day) => new Date(2024, 8, 1 + day));
    Plotly.register({
      moduleType: "locale",
      name: "reader",
      dictionary: {},
      format: {
        days: words({ weekday: "long" }, days),
        shortDays: words({ weekday: "short" }, days),
        months: words({ month: "long" }, months),
        shortMonths: words({ month: "short" }, months),
      },
    });
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
    const quota = { x: [...figures.times], y: scaled(figures.quota), text: figures.quota.map(efsQuota.size) };
    const traces = [
      {
        x: figures.times,
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
      traces.push({
        x: [figures.times[last], figures.full],
        y: scaled([figures.used[last], figures.quota[last]]),
        text: ["", efsQuota.size(figures.quota[last])],
        name: "At this pace",
        mode: "lines",
        line: { color: colour("--bs-primary") || "#0d6efd", width: 2, dash: "dot" },
        hovertemplate: "%{text}<extra></extra>",
      });
      quota.x.push(figures.full);
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
        xaxis: { ...grid, type: "date" },
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
          customdata: map.files.map(efsQuota.number),
          texttemplate: "%{label}  %{text}",
          hovertemplate: "%{label}<br>%{text}<br>%{customdata} files<br>%{percentRoot:.0%}<extra></extra>",
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

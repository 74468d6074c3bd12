const DATA = JSON.parse(document.getElementById("data").textContent);
const CURVES = DATA.curves, PORTRAIT = DATA.portrait;
const $ = (id) => document.getElementById(id);
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const PALETTE = ["#0173b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc", "#949494", "#b5832f", "#56b4e9", "#9a8f00", "#e57f9f"];
const TRAININGS = [...new Set(CURVES.runs.map((run) => run.training))];
const LOSSES = [...new Set(CURVES.runs.map((run) => run.loss))];
const DASHES = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3]];
const dark = () => document.documentElement.dataset.theme === "dark" ||
  (document.documentElement.dataset.theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);

// What every chart has in common; colours are those of the page.
const config = () => ({
  background: "transparent", font: "system-ui, sans-serif", view: { stroke: null },
  axis: { labelColor: colour("soft"), titleColor: colour("soft"), gridColor: colour("line"), domainColor: colour("soft"),
    tickColor: colour("soft"), labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", gridOpacity: 0.6 },
  title: { color: colour("ink"), fontSize: 13, anchor: "start", fontWeight: 600 },
});
const draw = (where, spec) => vegaEmbed(where, {
  $schema: "https://vega.github.io/schema/vega-lite/v6.json", width: "container", autosize: { type: "fit-x", contains: "padding" },
  ...spec, config: config(),
}, { actions: false, renderer: "svg", tooltip: { disableDefaultStyle: true } }).then((result) => result.view);

function rowsOf(measure, split, place) {
  const run = CURVES.runs[place], values = (CURVES.values[measure][split] || [])[place];
  return values ? run.epochs.map((epoch, i) => ({
    run: `${run.training}, seed ${run.seed}`, training: run.training, loss: run.loss, split, epoch, value: values[i],
    reached: epoch === run.zero,
  })).filter((row) => row.value !== null) : [];
}

// A title in as many lines as it needs, for Vega breaks none by itself.
function lines(text, width) {
  return text.split(" ").reduce((found, word) => {
    const last = found.at(-1);
    return last && (last.length + word.length + 1) * 7.8 <= width ? [...found.slice(0, -1), `${last} ${word}`] : [...found, word];
  }, []);
}

// The chart of all curves.
function fillSplits() {
  const splits = Object.keys(CURVES.values[$("measure").value]).sort().reverse(), before = $("split").value;
  $("split").replaceChildren(...splits.map((split) => new Option(split, split, false, split === before)));
}

function chosenTrainings() {
  return [...document.querySelectorAll("#runs input:checked")].map((box) => box.value);
}

async function drawCurves() {
  const measure = $("measure").value, split = $("split").value;
  const from = Number($("from").value || 0), to = Number($("to").value || Infinity), chosen = new Set(chosenTrainings());
  const found = CURVES.runs.flatMap((run, place) => chosen.has(run.training) ? rowsOf(measure, split, place) : [])
    .filter((row) => row.epoch >= from && row.epoch <= to);
  const positive = found.filter((row) => row.value > 0);
  if (found.length && !positive.length) $("axis").value = "linear"; // nothing has a place on the other
  const log = $("axis").value === "logarithmic", rows = log ? positive : found;
  $("chart").dataset.drawn = `${measure} ${split} ${rows.length}`;
  if (!rows.length) {
    $("chart").textContent = "Nothing to draw: choose a training, or other epochs.";
    return;
  }
  const encoding = {
    x: { field: "epoch", type: "quantitative", title: "epoch", scale: { zero: false, nice: false } },
    y: { field: "value", type: "quantitative", title: null, scale: log ? { type: "log" } : { zero: true },
      axis: log ? { format: "~g", tickCount: 6 } : { format: "~g" } },
    color: { field: "training", type: "nominal", legend: null, scale: { domain: TRAININGS, range: TRAININGS.map(colourOf) } },
    detail: { field: "run" },
  };
  const tooltip = ["run", "split", "epoch", "value"].map((field) => field === "value" ? { field, format: ".4g" } : { field });
  await draw("#chart", {
    title: { text: lines(`${CURVES.labels[measure]} (${split} images)`, $("chart").clientWidth) }, height: 380,
    description: `${CURVES.labels[measure]} over epochs, ${split} images, ${chosen.size} trainings`,
    data: { values: rows }, encoding,
    layer: [
      { mark: { type: "line", strokeWidth: 1.8 },
        params: [{ name: "zoom", bind: "scales", select: { type: "interval", zoom: "wheel![event.shiftKey]" } }],
        encoding: { strokeDash: { field: "loss", type: "nominal", legend: null,
          scale: { domain: LOSSES, range: LOSSES.map((_, i) => DASHES[i % DASHES.length]) } } } },
      { mark: { type: "point", filled: true, size: 22, opacity: 1 } },
      { mark: { type: "point", filled: false, size: 150, strokeWidth: 2, stroke: colour("mark") },
        transform: [{ filter: "datum.reached" }] },
      { mark: { type: "point", filled: true, size: 260, opacity: 0 }, encoding: { tooltip } },
    ],
  });
}

function colourOf(training) {
  return PALETTE[TRAININGS.indexOf(training) % PALETTE.length];
}

function listTrainings() {
  for (const training of TRAININGS) {
    const label = document.createElement("label"), box = document.createElement("input"), swatch = document.createElement("span");
    Object.assign(box, { type: "checkbox", value: training, checked: true });
    swatch.className = "swatch";
    swatch.style.borderColor = colourOf(training);
    swatch.style.borderTopStyle = LOSSES.indexOf(CURVES.runs.find((run) => run.training === training).loss) ? "dashed" : "solid";
    label.append(box, swatch, training);
    $("runs").append(label);
  }
  if (TRAININGS.length > 2) {
    const all = document.createElement("button");
    Object.assign(all, { type: "button", textContent: "All or none" });
    all.addEventListener("click", () => {
      const boxes = [...document.querySelectorAll("#runs input")], some = boxes.some((box) => box.checked);
      boxes.forEach((box) => { box.checked = !some; });
      drawCurves();
    });
    $("runs").append(all);
  }
}

function download(measures, name) {
  const lines = ["run,epoch,split,measure,value"];
  for (const measure of measures) {
    for (const split of Object.keys(CURVES.values[measure])) {
      CURVES.runs.forEach((run, place) => {
        for (const row of rowsOf(measure, split, place)) lines.push([run.name, row.epoch, split, measure, row.value].join(","));
      });
    }
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }));
  link.download = `${name}.csv`;
  link.click();
  URL.revokeObjectURL(link.href);
}

// One run.
function drawOverview() {
  const place = Number($("one").value), run = CURVES.runs[place], reached = run.zero;
  $("one-about").textContent = `${run.epochs.length} measured epochs, the last ${run.epochs.at(-1)}; ` +
    (reached ? `train accuracy first reaches 99.9 % at epoch ${reached}.` : "train accuracy never reaches 99.9 % at a measured epoch.");
  const measures = CURVES.overview.filter((measure) => ["train", "test"].some((split) => rowsOf(measure, split, place).length));
  $("overview").replaceChildren(...measures.map(() => document.createElement("div")));
  return Promise.all(measures.map((measure, i) => {
    const rows = ["train", "test"].flatMap((split) => rowsOf(measure, split, place));
    const log = rows.every((row) => row.value >= 0) && rows.some((row) => row.value > 0) && measure !== "error";
    return draw($("overview").children[i], {
      title: { text: lines(CURVES.labels[measure], $("overview").children[i].clientWidth), fontSize: 12 }, height: 130,
      description: `${CURVES.labels[measure]} of ${run.name} over epochs`,
      layer: [
        ...(reached ? [{ data: { values: [{ epoch: reached }] }, mark: { type: "rule", color: colour("mark") }, encoding: { x: { field: "epoch", type: "quantitative" } } }] : []),
        { data: { values: log ? rows.filter((row) => row.value > 0) : rows }, mark: { type: "line", point: { size: 14 }, tooltip: true, strokeWidth: 1.5 },
          encoding: {
            x: { field: "epoch", type: "quantitative", title: null, axis: { tickCount: 4 }, scale: { domain: [0, run.epochs.at(-1)] } },
            y: { field: "value", type: "quantitative", title: null, scale: log ? { type: "log" } : { zero: true }, axis: { format: "~g", tickCount: 4 } },
            color: { field: "split", type: "nominal", legend: null, scale: { domain: ["train", "test"], range: [PALETTE[0], PALETTE[1]] } },
            strokeDash: { field: "split", type: "nominal", legend: null, scale: { domain: ["train", "test"], range: [[1, 0], [5, 3]] } },
            tooltip: [{ field: "split" }, { field: "epoch" }, { field: "value", format: ".4g" }],
          } },
      ],
    });
  }));
}

// The moving portrait.
let portraitView = null, timer = null;

async function drawPortrait() {
  const run = PORTRAIT.runs[Number($("portrait-run").value)], reach = PORTRAIT.reach, classes = run.class_means[0].length;
  const rows = run.epochs.flatMap((epoch, frame) => [
    ...run.examples[frame].map(([x, y], i) => ({ frame, kind: "example", class: run.labels[i], x, y })),
    ...run.class_means[frame].map(([x, y], i) => ({ frame, kind: "mean", class: i, x, y })),
    ...run.classifiers[frame].map(([x, y], i) => ({ frame, kind: "classifier", class: i, x, y })),
  ]).filter((row) => Math.abs(row.x) <= reach && Math.abs(row.y) <= reach);
  const axis = (field) => ({ field, type: "quantitative", axis: null, scale: { domain: [-reach, reach] } });
  const zero = { datum: 0, type: "quantitative" };
  const part = (kind, mark, encoding) => ({ mark, encoding: { x: axis("x"), y: axis("y"), ...encoding },
    transform: [{ filter: `datum.frame === frame && datum.kind === '${kind}'` }] });
  const side = Math.min(460, $("portrait-chart").clientWidth);
  $("frame").max = run.epochs.length - 1;
  if (Number($("frame").value) > run.epochs.length - 1) $("frame").value = 0;
  portraitView = await draw("#portrait-chart", {
    width: side, height: side, autosize: "pad",
    description: `Examples, class means and classifiers of ${classes} classes of ${run.run}, in the plane of the class means`,
    params: [{ name: "frame", value: Number($("frame").value) }],
    data: { values: rows },
    encoding: { color: { field: "class", type: "nominal", legend: null, scale: { domain: [0, 1, 2], range: PALETTE.slice(0, 3) } } },
    layer: [
      { data: { values: PORTRAIT.corners.map(([x, y]) => ({ x: 1.5 * x, y: 1.5 * y })) }, mark: { type: "rule", strokeDash: [2, 3] },
        encoding: { x: axis("x"), y: axis("y"), x2: zero, y2: zero, color: { value: colour("soft") } } },
      part("example", { type: "point", filled: true, size: 18, opacity: dark() ? 0.9 : 0.6 }, {}),
      part("classifier", { type: "rule", strokeWidth: 1.6 }, { x2: zero, y2: zero }),
      part("classifier", { type: "point", shape: "square", filled: true, size: 60, opacity: 1 }, {}),
      part("mean", { type: "point", filled: false, size: 190, strokeWidth: 2.2 }, {}),
    ],
  });
  showFrame();
}

function showFrame() {
  const run = PORTRAIT.runs[Number($("portrait-run").value)], frame = Number($("frame").value);
  $("epoch").textContent = run.epochs[frame];
  $("frame").setAttribute("aria-valuetext", `epoch ${run.epochs[frame]}`);
  return portraitView && portraitView.signal("frame", frame).runAsync();
}

function play(start) {
  clearInterval(timer);
  timer = start ? setInterval(() => {
    $("frame").value = (Number($("frame").value) + 1) % (Number($("frame").max) + 1);
    showFrame();
  }, 450) : null;
  $("play").setAttribute("aria-pressed", String(start));
  $("play").textContent = start ? "Pause" : "Play";
}

// The claims.
function filterClaims() {
  const words = $("claims-words").value.toLowerCase().split(/\s+/).filter(Boolean), scope = $("claims-scope").value;
  const verdicts = new Set([...document.querySelectorAll("[name=verdict]:checked")].map((box) => box.value));
  const rows = [...document.querySelectorAll("#claims-table tbody tr")];
  for (const row of rows) {
    const text = `${row.dataset.claim} ${row.textContent}`.toLowerCase();
    row.hidden = !(verdicts.has(row.dataset.verdict) && (!scope || row.dataset.scope === scope) && words.every((word) => text.includes(word)));
  }
  $("claims-count").textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} claims`;
}

// Light and dark.
function theme() {
  const next = { undefined: dark() ? "light" : "dark", light: "dark", dark: "light" }[document.documentElement.dataset.theme];
  document.documentElement.dataset.theme = next;
  $("theme").textContent = `Colours: ${next}`;
  return drawAll();
}

const drawAll = () => Promise.all([drawCurves(), drawOverview(), PORTRAIT && drawPortrait()])
  .then(() => { document.documentElement.dataset.ready = "yes"; });

listTrainings();
fillSplits();
$("measure").addEventListener("change", () => { fillSplits(); drawCurves(); });
for (const id of ["split", "axis", "from", "to"]) $(id).addEventListener("change", drawCurves);
$("runs").addEventListener("change", drawCurves);
$("one").addEventListener("change", drawOverview);
$("claims-filter").addEventListener("input", filterClaims);
$("theme").addEventListener("click", theme);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
$("numbers").addEventListener("click", () => download([$("measure").value], $("measure").value));
for (const form of document.forms) form.addEventListener("submit", (event) => event.preventDefault());
for (const button of document.querySelectorAll("figcaption .numbers")) {
  button.addEventListener("click", () => download(button.dataset.measures.split(" "), button.dataset.name));
}
for (const button of document.querySelectorAll(".explore")) {
  button.addEventListener("click", () => {
    $("measure").value = button.dataset.measure;
    fillSplits();
    drawCurves();
    $("curves").scrollIntoView();
    $("measure").focus({ preventScroll: true });
  });
}
if (PORTRAIT) {
  $("portrait-run").addEventListener("change", drawPortrait);
  $("frame").addEventListener("input", () => { play(false); showFrame(); });
  $("play").addEventListener("click", () => play(timer === null));
}
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
drawAll();

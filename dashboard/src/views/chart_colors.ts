/** Colours inside the chart's canvas, which style sheets do not reach; the same as in `style/tokens.css`. */
export const chartColors = {
  text: "#93a0b0",
  grid: "#161d27",
  border: "#232d3a",
  buy: "#3fcf8e",
  sell: "#ff7a7a",
  buyVolume: "rgba(63, 207, 142, 0.28)",
  sellVolume: "rgba(255, 122, 122, 0.28)",
  mid: "#6f8fb8",
  accent: "#7db7ff",
  warning: "#f0b849",
  signal: "#c9a6ff",
} as const;

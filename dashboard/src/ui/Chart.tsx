/* uPlot (decision 0080) in React: built anew when the shape of the chart changes, fed in place when its values do.
 * The canvas takes its colours from the design's custom properties. With the keyboard the arrows walk the points. */
import { useEffect, useId, useMemo, useRef, useState } from 'react';
import type { ReactNode } from 'react';
import uPlot from 'uplot';
import { useIsDark } from '../app/theme';
import { axisCount, axisMeasured, clock, day } from '../data/format';

export type SeriesColor = '1' | '2' | '3' | '4' | '5' | '6' | 'rest';

export interface Series {
  label: string;
  values: readonly (number | null)[];
  color: SeriesColor;
  /** `faint`: bars that stand close, behind a line. */
  kind: 'area' | 'line' | 'bars' | 'dashes' | 'faint';
  /** Over points that have no value. */
  joins?: boolean;
}

interface ChartProps {
  /** Seconds, ascending. */
  x: readonly number[];
  series: readonly Series[];
  height: number;
  label: string;
  formatX: (ms: number) => string;
  formatY?: (value: number) => string;
  /** The part of the time axis that is shown; without it all. */
  window?: readonly [from: number, to: number];
  noTip?: boolean;
  /** Of what is measured, not counted: parts of one, and numbers below zero. */
  isMeasured?: boolean;
}

function color(box: HTMLElement, name: string): string {
  return getComputedStyle(box).getPropertyValue(name).trim();
}

function seriesOptions(box: HTMLElement, s: Series): uPlot.Series {
  const stroke = color(box, `--series-${s.color}`);
  const base: uPlot.Series = { label: s.label, stroke, width: 2, points: { show: false } };
  if (s.kind === 'dashes') return { ...base, dash: [4, 4], width: 1.5 };
  if (s.kind === 'bars') {
    const paths = uPlot.paths.bars?.({ size: [0.72, 28], radius: 0.15 });
    return { ...base, width: 0, fill: stroke, ...(paths ? { paths } : {}) };
  }
  if (s.kind === 'faint') {
    const paths = uPlot.paths.bars?.({ size: [0.6, 6], align: 0 });
    return { ...base, width: 0, fill: transparent(stroke, 0.26), ...(paths ? { paths } : {}) };
  }
  if (s.joins) return { ...base, spanGaps: true, points: { show: isSparse, size: 5, fill: stroke } };
  return s.kind === 'area' ? { ...base, fill: transparent(stroke) } : base;
}

/* So few that a line alone would not be seen. */
function isSparse(u: uPlot, index: number): boolean {
  return (u.data[index] ?? []).filter((v) => v !== null).length <= 40;
}

function transparent(css: string, alpha = 0.14): string {
  return css.startsWith('rgb(') ? css.replace('rgb(', 'rgba(').replace(')', `, ${alpha})`) : css;
}

function timeLabels(u: uPlot, splits: number[]): string[] {
  const span = (u.scales['x']?.max ?? 0) - (u.scales['x']?.min ?? 0);
  return splits.map((s) => {
    const ms = s * 1000;
    if (span <= 900) return clock(ms);
    if (ms % 86_400_000 === 0) return day(ms);
    if (span > 3 * 86_400) return '';
    return clock(ms).slice(0, 5);
  });
}

/* Events and visitors are whole. */
const WHOLE = Array.from({ length: 13 }, (_, e) => [1, 2, 5].map((n) => n * 10 ** e)).flat();

function axes(box: HTMLElement, isMeasured: boolean): uPlot.Axis[] {
  const common = {
    stroke: color(box, '--chart-text'),
    font: '12px "Inter Variable", system-ui, sans-serif',
    ticks: { show: false },
  };
  const grid = { stroke: color(box, '--chart-grid'), width: 1 };
  return [
    { ...common, grid: { show: false }, space: 72, size: 28, values: timeLabels },
    {
      ...common,
      grid,
      size: 46,
      space: 36,
      gap: 8,
      ...(isMeasured ? {} : { incrs: WHOLE }),
      values: (_u, splits) => splits.map(isMeasured ? axisMeasured : axisCount),
    },
  ];
}

const utcDate = (seconds: number): Date => uPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC');

function yRange(_u: uPlot, _min: number | null, max: number | null): [number, number] {
  return [0, Math.max(4, (max ?? 0) * 1.12)];
}

function measuredRange(_u: uPlot, min: number | null, max: number | null): [number, number] {
  const [low, high] = [Math.min(0, min ?? 0), Math.max(0, max ?? 0)];
  return low === high ? [0, 1] : [low * 1.12, high * 1.12];
}

interface Tip {
  index: number;
  left: number;
}

interface Latest {
  data: uPlot.AlignedData;
  shown: readonly [number, number] | undefined;
}

function options(
  element: HTMLElement,
  series: readonly Series[],
  height: number,
  isMeasured: boolean,
  latest: { current: Latest },
  setTip: (tip: Tip | undefined) => void,
): uPlot.Options {
  const hasBars = series.some((s) => s.kind === 'bars');
  const range = (u: uPlot, min: number | null, max: number | null): [number, number] => {
    const shown = latest.current.shown;
    if (shown) return [shown[0], shown[1]];
    const xs = u.data[0];
    const half = !hasBars ? 0 : xs.length > 1 ? ((xs[1] ?? 0) - (xs[0] ?? 0)) / 2 : 1800;
    return [(min ?? 0) - half, (max ?? 1) + half];
  };
  const onCursor = ({ cursor: { idx, left }, over }: uPlot): void =>
    setTip(idx == null || left == null || left < 0 ? undefined : { index: idx, left: left + over.offsetLeft });
  return {
    width: element.clientWidth,
    height,
    tzDate: utcDate,
    legend: { show: false },
    padding: [8, 18, 0, 0],
    cursor: { y: false, drag: { setScale: false, x: false }, points: { size: 7 } },
    scales: { x: { range }, y: { range: isMeasured ? measuredRange : yRange } },
    axes: axes(element, isMeasured),
    series: [{}, ...series.map((s) => seriesOptions(element, s))],
    hooks: { setCursor: [onCursor] },
  };
}

/* Drawing waits until the answer to the click that led here is on screen. */
function afterPaint(draw: () => void): () => void {
  let timer = 0;
  const frame = requestAnimationFrame(() => {
    timer = window.setTimeout(draw);
  });
  return () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
  };
}

export function Chart({
  x,
  series,
  height,
  label,
  formatX,
  formatY = axisCount,
  window: shown,
  noTip,
  isMeasured = false,
}: ChartProps): ReactNode {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const [tip, setTip] = useState<Tip>();
  const dark = useIsDark();
  const id = useId();
  const shape = JSON.stringify(series.map((s) => [s.label, s.color, s.kind, s.joins])) + height + dark + isMeasured;
  const data = useMemo(() => [x, ...series.map((s) => s.values)] as unknown as uPlot.AlignedData, [x, series]);
  const latest = useRef<Latest>({ data, shown });
  latest.current = { data, shown };

  const drawn = useRef(''); // the shape of the plot that stands there
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    return afterPaint(() => {
      const before = plot.current;
      plot.current = new uPlot(
        options(element, series, height, isMeasured, latest, setTip),
        latest.current.data,
        element,
      );
      drawn.current = shape;
      before?.destroy(); // only now: the place is never empty
    });
    // The shape stands for the series; their values come by setData.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [shape]);

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const observer = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    return () => observer.disconnect();
  }, [height]);

  useEffect(
    () => () => {
      plot.current?.destroy();
      plot.current = undefined;
    },
    [],
  );

  // Not into a plot that is about to go: a month of hours as bars takes the canvas 150 ms.
  useEffect(() => {
    if (drawn.current === shape) plot.current?.setData(data);
  }, [data, shown, shape]);

  const walk = (event: React.KeyboardEvent): void => {
    const u = plot.current;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!u || (!step && event.key !== 'Escape')) return;
    event.preventDefault();
    if (!step) return void u.setCursor({ left: -10, top: -10 });
    const index = Math.min(x.length - 1, Math.max(0, (tip?.index ?? (step > 0 ? -1 : x.length)) + step));
    u.setCursor({ left: u.valToPos(x[index] ?? 0, 'x'), top: 10 });
  };

  const at = tip && x[tip.index];
  const text = at === undefined || !tip ? '' : tipText(at, tip.index, series, formatX, formatY);
  const width = box.current?.clientWidth ?? 0;
  return (
    <div
      className="chart"
      role="group"
      aria-roledescription="chart"
      tabIndex={noTip ? undefined : 0}
      aria-label={`${label}${noTip ? '' : '. Left and right arrow read its points.'}`}
      aria-describedby={id}
      onKeyDown={walk}
      onBlur={() => plot.current?.setCursor({ left: -10, top: -10 })}
    >
      <div ref={box} style={{ height }} />
      <span
        id={id}
        className="hidden-visually"
        aria-live={document.activeElement === box.current?.parentElement ? 'polite' : 'off'}
      >
        {text}
      </span>
      {!noTip && tip && at !== undefined && (
        <div
          className="chart-tip"
          aria-hidden="true"
          style={tip.left > width / 2 ? { right: width - tip.left + 12 } : { left: tip.left + 12 }}
        >
          <div className="dim">{formatX(at * 1000)}</div>
          {series.map((s) => (
            <div key={s.label} className="row">
              <Swatch color={s.color} />
              <span className="cut">{s.label}</span>
              <span className="value">{value(s, tip.index, formatY)}</span>
            </div>
          ))}
        </div>
      )}
    </div>
  );
}

/** Which colour is what, below a chart of several. */
export function Legend({ series }: { series: readonly Series[] }): ReactNode {
  return (
    <ul className="legend" aria-label="Legend">
      {series.map((s) => (
        <li key={s.label}>
          <Swatch color={s.color} />
          <span className="cut">{s.label}</span>
        </li>
      ))}
    </ul>
  );
}

function Swatch({ color }: { color: SeriesColor }): ReactNode {
  return <span className={`swatch ${color === 'rest' ? 'rest' : `s${color}`}`} />;
}

function value(s: Series, index: number, format: (n: number) => string): string {
  const v = s.values[index];
  return v === null || v === undefined ? '–' : format(v);
}

function tipText(
  at: number,
  index: number,
  series: readonly Series[],
  formatX: (ms: number) => string,
  formatY: (n: number) => string,
): string {
  return `${formatX(at * 1000)}: ${series.map((s) => `${s.label} ${value(s, index, formatY)}`).join(', ')}`;
}

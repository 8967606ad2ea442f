import type { Output } from '../context.ts';

/** Gives a bar of a fixed width; an unknown total moves a block along instead. */
export function renderBar(fraction: number | undefined, width: number, phase = 0): string {
  if (fraction === undefined) {
    const at = phase % width;
    return '·'.repeat(at) + '█' + '·'.repeat(width - at - 1);
  }
  const full = Math.round(Math.min(1, Math.max(0, fraction)) * width);
  return '█'.repeat(full) + '·'.repeat(width - full);
}

/** Gives a time as people read it: `7.4 s`, `3 min 07 s`, `2 h 05 min`. */
export function renderElapsed(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${String(Math.floor(seconds % 60)).padStart(2, '0')} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}

/** How often a bar is drawn again, at most. */
const redrawMs = 100;

/** A bar for long work on a terminal; does nothing elsewhere. */
export interface Progress {
  readonly at: (done: number, total?: number) => void;
  readonly end: () => void;
}

/** Makes the bar. It is drawn on standard error, so that what is piped on stays clean. */
export function createProgress(output: Output, label: string, now: () => number): Progress {
  if (output.isTTY !== true) return { at: () => undefined, end: () => undefined };
  const startedAt = now();
  let drawnAt = -Infinity;
  return {
    at: (done, total) => {
      if (now() - drawnAt < redrawMs && done !== total) return;
      drawnAt = now();
      const fraction = total === undefined || total === 0 ? undefined : done / total;
      const share = fraction === undefined ? '' : ` ${Math.floor(fraction * 100)} %`;
      output.write(`\r\u001B[K${label} ${renderBar(fraction, 24, Math.floor((now() - startedAt) / redrawMs))}${share} ${done.toLocaleString('en-US')} ${renderElapsed(now() - startedAt)}`);
    },
    end: () => output.write('\r\u001B[K'),
  };
}

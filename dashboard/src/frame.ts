/** One drawing a frame at most, however many messages come. */

/** With reduced motion figures change at most this often. */
const REDUCED_INTERVAL_MS = 500;

export class FrameScheduler {
  private isRequested = false;
  private drawnAt_ms = 0;
  private readonly reducedMotion = window.matchMedia("(prefers-reduced-motion: reduce)");

  constructor(private readonly draw: () => void) {}

  /** Draws at the next frame; further calls before it are free. */
  request(): void {
    if (this.isRequested) return;
    this.isRequested = true;
    const wait_ms = this.reducedMotion.matches ? this.drawnAt_ms + REDUCED_INTERVAL_MS - performance.now() : 0;
    if (wait_ms > 0) window.setTimeout(() => this.requestFrame(), wait_ms);
    else this.requestFrame();
  }

  private requestFrame(): void {
    window.requestAnimationFrame(() => {
      this.isRequested = false;
      this.drawnAt_ms = performance.now();
      this.draw();
    });
  }
}

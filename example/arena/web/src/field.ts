import type { Gem, Player } from "./api/arena.ts";
import { color } from "./scores.ts";
import type { Timeline } from "./timeline.ts";

const size = 1000, radius = 22, gemRadius = 12; // units, as on the server
const letters = 13; // pixels

/** A Field draws an arena, in each frame, in the colors that the style sheet gives its canvas. */
export class Field {
  readonly #canvas: HTMLCanvasElement;
  readonly #draw: CanvasRenderingContext2D;
  readonly #style: CSSStyleDeclaration;
  #timeline: Timeline | undefined;
  #you = 0;

  constructor(canvas: HTMLCanvasElement) {
    this.#canvas = canvas;
    this.#draw = canvas.getContext("2d")!;
    this.#style = getComputedStyle(canvas);
    const frame = (now: number): void => {
      this.#frame(now);
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  /** Shows a timeline from now on, with a mark at one player. */
  show(timeline: Timeline, you: number): void {
    this.#timeline = timeline;
    this.#you = you;
  }

  #frame(now: number): void {
    const width = this.#canvas.clientWidth, pixels = Math.round(width * devicePixelRatio);
    if (this.#canvas.width !== pixels) this.#canvas.width = this.#canvas.height = pixels;
    const state = this.#timeline?.at(now);
    const scale = width / size;
    this.#draw.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    this.#draw.clearRect(0, 0, width, width);
    this.#grid(width);
    for (const gem of state?.gems ?? []) this.#gem(gem, scale);
    for (const player of state?.players ?? []) this.#player(player, scale);
    for (const player of state?.players ?? []) this.#name(player, scale);
  }

  #grid(width: number): void {
    this.#draw.beginPath();
    for (let i = 1; i < 10; i++) {
      const at = (width * i) / 10;
      this.#draw.moveTo(at, 0);
      this.#draw.lineTo(at, width);
      this.#draw.moveTo(0, at);
      this.#draw.lineTo(width, at);
    }
    this.#draw.lineWidth = 0.5;
    this.#draw.strokeStyle = this.#style.borderTopColor;
    this.#draw.stroke();
  }

  #gem({ x, y }: Gem, scale: number): void {
    const r = gemRadius * scale;
    this.#draw.beginPath();
    this.#draw.moveTo(x * scale, y * scale - r);
    this.#draw.lineTo(x * scale + r, y * scale);
    this.#draw.lineTo(x * scale, y * scale + r);
    this.#draw.lineTo(x * scale - r, y * scale);
    this.#draw.fillStyle = this.#style.outlineColor;
    this.#draw.fill();
  }

  #player({ id, x, y }: Player, scale: number): void {
    this.#draw.beginPath();
    this.#draw.arc(x * scale, y * scale, radius * scale, 0, 2 * Math.PI);
    this.#draw.fillStyle = color(id);
    this.#draw.fill();
    if (id !== this.#you) return;
    this.#draw.lineWidth = 2.5;
    this.#draw.strokeStyle = this.#style.color;
    this.#draw.stroke();
  }

  /** Writes a name below its player, or above where that is outside. */
  #name({ name, x, y }: Player, scale: number): void {
    this.#draw.font = `${letters}px ${this.#style.fontFamily}`;
    this.#draw.textAlign = "center";
    this.#draw.fillStyle = this.#style.color;
    const half = this.#draw.measureText(name).width / 2 + 4;
    const below = (y + radius) * scale + letters + 2;
    this.#draw.fillText(name, Math.min(Math.max(x * scale, half), size * scale - half), below < size * scale ? below : (y - radius) * scale - 4);
  }
}

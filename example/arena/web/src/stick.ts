import type { Input } from "./api/arena.ts";

const full = 100;
const reach = 60; // pixels of a drag for full speed
const pause = 50; // milliseconds between inputs, at least

const directions: { readonly [code: string]: readonly [x: number, y: number] } = {
  ArrowLeft: [-1, 0], KeyA: [-1, 0],
  ArrowRight: [1, 0], KeyD: [1, 0],
  ArrowUp: [0, -1], KeyW: [0, -1],
  ArrowDown: [0, 1], KeyS: [0, 1],
};

const tilt = (n: number): number => Math.round(Math.min(1, Math.max(-1, n)) * full);

/** A Stick is what the keys and a drag on an element say of where to move. */
export class Stick {
  readonly #keys: Set<string> = new Set();
  #drag: Input | undefined; // from where
  #input: Input = { x: 0, y: 0 };
  #moved: () => void = () => {};

  constructor(element: HTMLElement) {
    addEventListener("keydown", (event) => this.#key(event, true));
    addEventListener("keyup", (event) => this.#key(event, false));
    addEventListener("blur", () => this.#release());
    element.addEventListener("pointerdown", (event) => {
      element.setPointerCapture(event.pointerId);
      this.#drag = { x: event.clientX, y: event.clientY };
    });
    element.addEventListener("pointermove", ({ clientX, clientY }) => {
      if (this.#drag) this.#set((clientX - this.#drag.x) / reach, (clientY - this.#drag.y) / reach);
    });
    for (const end of ["pointerup", "pointercancel"]) element.addEventListener(end, () => this.#release());
  }

  /** Yields the input when it has changed; while it is of no use it is the latest that waits. */
  async *inputs(useful: () => boolean): AsyncGenerator<Input> {
    let last: Input | undefined;
    for (;;) {
      if (this.#input === last) await new Promise<void>((resolve) => (this.#moved = resolve));
      else if (useful()) yield (last = this.#input);
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  #key(event: KeyboardEvent, down: boolean): void {
    if (!directions[event.code] || event.target instanceof HTMLInputElement) return;
    event.preventDefault();
    if (event.repeat) return;
    if (down) this.#keys.add(event.code);
    else this.#keys.delete(event.code);
    const held = [...this.#keys].map((code) => directions[code]!);
    this.#set(held.reduce((sum, [x]) => sum + x, 0), held.reduce((sum, [, y]) => sum + y, 0));
  }

  #release(): void {
    this.#drag = undefined;
    this.#keys.clear();
    this.#set(0, 0);
  }

  #set(x: number, y: number): void {
    this.#input = { x: tilt(x), y: tilt(y) };
    this.#moved();
  }
}

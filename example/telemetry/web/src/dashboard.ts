import type { Fleet, Status } from "./api/telemetry.ts";
import { Card } from "./card.ts";

/** A Dashboard has a card for each device, and draws them once a frame. */
export class Dashboard {
  readonly #list: HTMLElement;
  readonly #template: HTMLTemplateElement;
  readonly #rate: HTMLElement;
  readonly #fleet: Fleet;
  readonly #cards: Map<string, Card> = new Map();
  #changed: Set<Card> = new Set();
  #points = 0; // since the rate was last shown

  constructor(list: HTMLElement, template: HTMLTemplateElement, rate: HTMLElement, fleet: Fleet) {
    this.#list = list;
    this.#template = template;
    this.#rate = rate;
    this.#fleet = fleet;
    setInterval(() => this.#showRate(), 1000);
  }

  show(status: Status): void {
    let card = this.#cards.get(status.device);
    if (!card) {
      this.#list.querySelector("#none")?.remove();
      card = new Card(this.#list, this.#template, status, this.#fleet);
      this.#cards.set(status.device, card);
    }
    card.update(status);
    this.#points++;
    if (!this.#changed.size) requestAnimationFrame(() => this.#draw());
    this.#changed.add(card);
  }

  #draw(): void {
    const changed = this.#changed;
    this.#changed = new Set();
    for (const card of changed) card.draw();
  }

  #showRate(): void {
    this.#rate.textContent = `${this.#points.toLocaleString()} points a second`;
    this.#points = 0;
  }
}

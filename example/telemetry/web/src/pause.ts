/** A Pause is a button that is on or off. */
export class Pause {
  readonly #button: HTMLButtonElement;
  #resume: () => void = () => {};

  constructor(button: HTMLButtonElement) {
    this.#button = button;
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", String(!this.on));
      if (!this.on) this.#resume();
    });
  }

  get on(): boolean {
    return this.#button.getAttribute("aria-pressed") === "true";
  }

  /** Resolves when the button is off again. */
  over(): Promise<void> {
    return new Promise((resolve) => (this.#resume = resolve));
  }
}

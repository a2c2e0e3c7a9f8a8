// Tabs, as WAI-ARIA has them: one is chosen, and the arrow keys choose its neighbours.

/** Wires the tabs of the page. shown is called with the name of the one that is chosen. */
export function tabs(shown: (name: string) => void): void {
  const all = [...document.querySelectorAll<HTMLElement>("[role=tab]")];
  const choose = (tab: HTMLElement): void => {
    for (const t of all) {
      const chosen = t === tab;
      t.setAttribute("aria-selected", String(chosen));
      t.tabIndex = chosen ? 0 : -1;
      document.getElementById(t.getAttribute("aria-controls")!)!.hidden = !chosen;
    }
    shown(tab.getAttribute("aria-controls")!);
  };
  all.forEach((tab, i) => {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", ({ key }) => {
      const to = { ArrowRight: i + 1, ArrowLeft: i - 1 + all.length, Home: 0, End: all.length - 1 }[key];
      if (to === undefined) return;
      const next = all[to % all.length]!;
      next.focus();
      choose(next);
    });
  });
}

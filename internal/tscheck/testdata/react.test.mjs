// The hooks for React, in StrictMode, which mounts everything twice.
import assert from "node:assert/strict";
import test from "node:test";
import { createElement, StrictMode } from "react";
import { act, create } from "react-test-renderer";

const { useConnection, useStream } = await import(process.env.PACKAGE + "/react.js");
globalThis.IS_REACT_ACT_ENVIRONMENT = true;
const error = console.error;
console.error = (text, ...more) => String(text).includes("deprecated") || error(text, ...more);

/** A stream that the test feeds. */
class Feed {
  static open = [];
  left = false;
  #items = [];
  #wake = () => {};
  constructor(signal) {
    Feed.open.push(this);
    signal.addEventListener("abort", () => ((this.left = true), this.#wake()));
  }
  push(...items) {
    this.#items.push(...items);
    this.#wake();
  }
  async *[Symbol.asyncIterator]() {
    for (; !this.left; await new Promise((wake) => (this.#wake = wake))) {
      while (this.#items.length) {
        const item = this.#items.shift();
        if (item instanceof Error) throw item;
        if (item === "end") return;
        yield item;
      }
    }
  }
}

let frames = [];
globalThis.requestAnimationFrame = (f) => frames.push(f);
const frame = () => act(async () => frames.splice(0).forEach((f) => f()));
const settle = () => act(async () => {});
const current = () => Feed.open.filter((f) => !f.left);

/** Renders a component, and returns what its hook returns at each time. */
async function mount(hook) {
  Feed.open = [];
  frames = [];
  const seen = [];
  const Component = ({ value }) => (seen.push(hook(value)), null);
  let root;
  await act(async () => (root = create(createElement(StrictMode, null, createElement(Component, { value: 1 })))));
  return {
    seen,
    now: () => seen.at(-1),
    update: (value) => act(async () => root.update(createElement(StrictMode, null, createElement(Component, { value })))),
    unmount: () => act(async () => root.unmount()),
  };
}

const all = { initial: [], reduce: (list, items) => [...list, ...items] };

test("items of a frame are rendered together, and none comes twice", async () => {
  const { seen, now, unmount } = await mount(() => useStream((signal) => new Feed(signal), [], all));
  assert.equal(current().length, 1);
  const before = seen.length;
  current()[0].push(1, 2, 3);
  await settle();
  assert.equal(seen.length, before);
  await frame();
  assert.deepEqual(now(), { value: [1, 2, 3], phase: "open" });
  current()[0].push(4, "end");
  await settle();
  assert.deepEqual(now(), { value: [1, 2, 3, 4], phase: "ended" });
  await unmount();
  assert.equal(current().length, 0);
});

test("without frames not more than a thousand items wait", async () => {
  const { now } = await mount(() => useStream((signal) => new Feed(signal), [], all));
  current()[0].push(...Array(1500).keys());
  await settle();
  assert.equal(now().value.length, 1000);
});

test("other deps are another stream", async () => {
  const { now, update } = await mount((value) => useStream((signal) => new Feed(signal), [value]));
  current()[0].push("a");
  await settle();
  await frame();
  assert.equal(now().value, "a");
  const [old] = current();
  await update(2);
  assert.ok(old.left);
  assert.equal(current().length, 1);
  assert.deepEqual(now(), { value: undefined, phase: "open" });
});

test("a failure", async () => {
  const { now } = await mount(() => useStream((signal) => new Feed(signal), []));
  const failure = new Error("lost");
  current()[0].push(1, failure);
  await settle();
  assert.deepEqual(now(), { value: 1, phase: "failed", error: failure });
});

test("the state of a connection", async () => {
  const listeners = new Set();
  const connection = { state: { phase: "connecting" }, subscribe: (f) => (listeners.add(f), () => listeners.delete(f)) };
  const { now, unmount } = await mount(() => useConnection(connection));
  assert.equal(now().phase, "connecting");
  await act(async () => {
    connection.state = { phase: "connected" };
    listeners.forEach((f) => f());
  });
  assert.equal(now().phase, "connected");
  await unmount();
  assert.equal(listeners.size, 0);
});

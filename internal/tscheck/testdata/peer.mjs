// The JavaScript side of round trips: a line is a request, and one is its answer. Its
// argument is the folder of the scripts.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const scripts = new Map();

/** A script by its name, and the converters that it uses. */
async function load(name) {
  if (!scripts.has(name)) {
    const url = pathToFileURL(`${process.argv[2]}/${name}`);
    const [script, values] = await Promise.all([import(url), import(new URL("wirecall_values.js", url))]);
    scripts.set(name, { script, values });
  }
  return scripts.get(name);
}

/** The description of a method, by its name and that of its interface in Go. */
function describe(script, service, method) {
  const base = service.replace(/(?<=.)Service$/, "");
  const name = base.charAt(0).toUpperCase() + base.slice(1) + "Service";
  const table = Object.entries(script).find(([key, value]) => value.methods && key.replace(/_+$/, "") === name);
  const methods = Object.entries(table?.[1].methods ?? {});
  const found =
    methods.find(([, value]) => value.name.endsWith(`.${method}`)) ??
    methods.findLast(([key]) => key.replace(/_+$/, "").toLowerCase() === method.toLowerCase()); // it has another name on the wire
  if (!found) throw new Error(`there is no ${service}.${method}`);
  return found[1];
}

async function answer({ script: name, service, method, kind, index, json }) {
  const { script, values } = await load(name);
  const found = describe(script, service, method);
  const value = found[kind]?.[index];
  if (value === undefined) throw new Error(`${method} has no ${kind} ${index}`);
  const convert = value.convert ?? ((value) => value);
  const received = convert((found.exact ?? JSON.parse)(json), false);
  return stringify(convert(received, true));
}

/** What is not of the type may have an integer where none is converted. */
function stringify(value) {
  try {
    return JSON.stringify(value);
  } catch (error) {
    throw /BigInt/.test(error.message) ? Object.assign(error, { name: "ValueError" }) : error;
  }
}

const shared = JSON.stringify(Object.getOwnPropertyNames(Object.prototype));

for await (const line of createInterface({ input: process.stdin })) {
  let reply;
  try {
    reply = { json: await answer(JSON.parse(line)) };
  } catch ({ name, message }) {
    reply = name === "ValueError" || name === "SyntaxError" ? { refused: message } : { error: `${name}: ${message}` };
  }
  if (JSON.stringify(Object.getOwnPropertyNames(Object.prototype)) !== shared) reply = { error: "the prototype of all objects was changed" };
  process.stdout.write(JSON.stringify(reply) + "\n");
}

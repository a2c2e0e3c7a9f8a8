// Tests of the converters: what they make of values, and what they refuse, where. The
// environment names the folder that they are in.
import assert from "node:assert/strict";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const json = await import(pathToFileURL(`${process.env.SCRIPTS}/standard/wirecall_values.js`));

const { big, bytes, dict, float, int, list, num, object, quoted, text } = json;

/** What a value is after a way from JSON to a program and back. */
const back = (convert, source) => JSON.stringify(convert(convert(json.parseExact(source), false), true));

const refusals = (convert, value, send) => {
  try {
    return convert(value, send);
  } catch (error) {
    assert.equal(error.name, "ValueError");
    return error.message;
  }
};

/** Does something as in an engine that has no exact numbers. */
function withoutExactNumbers(f) {
  const { rawJSON, parse } = JSON;
  delete JSON.rawJSON;
  JSON.parse = (source, reviver) => parse(source, reviver && ((key, value) => reviver(key, value)));
  try {
    return f();
  } finally {
    Object.assign(JSON, { rawJSON, parse });
  }
}

const beyond = "an integer beyond 2^53 would be rounded";

test("null and undefined stay what they are", () => {
  for (const convert of [int, big, num, float, text, bytes, json.any, quoted(), list(int), dict(int), object(() => ({ a: int }))]) {
    for (const send of [true, false]) {
      assert.equal(convert(null, send), null);
      assert.equal(convert(undefined, send), undefined);
    }
  }
});

test("an integer beyond 2^53 is refused as a number, and exact as a bigint", () => {
  for (const digits of ["9007199254740992", "-9007199254740992", "18446744073709551615"]) {
    assert.equal(refusals(int, JSON.parse(digits), false), beyond);
    assert.equal(refusals(int, json.parseExact(digits), false), beyond);
    assert.equal(refusals(int, Number(digits), true), beyond);
    assert.equal(back(big, digits), digits);
    assert.equal(back(num, digits), digits);
    assert.equal(back(json.any, `{"a":[${digits}]}`), `{"a":[${digits}]}`);
    assert.equal(back(text, `"${digits}"`), `"${digits}"`);
  }
  assert.equal(back(int, "9007199254740991"), "9007199254740991");
  assert.equal(back(big, "-1"), "-1");
  assert.equal(big(1, false), 1n);
});

test("an integer of a program may be a number or a bigint", () => {
  for (const convert of [int, big]) {
    assert.equal(JSON.stringify(convert(7n, true)), "7");
    assert.equal(JSON.stringify(convert(1n << 60n, true)), "1152921504606846976");
    assert.equal(refusals(convert, 1.5, true), "not an integer");
    assert.equal(refusals(convert, NaN, true), "not an integer");
    assert.equal(refusals(convert, "7", true), "not an integer");
  }
});

test("without exact numbers nothing is rounded either", () => {
  withoutExactNumbers(() => {
    for (const convert of [big, json.any]) assert.equal(refusals(convert, json.parseExact("9007199254740993"), false), beyond);
    assert.equal(refusals(json.any, json.parseExact('{"a":[9007199254740993]}'), false), `a[0]: ${beyond}`);
    assert.match(refusals(big, 1n << 60n, true), /has no JSON.rawJSON/);
    assert.equal(JSON.stringify(big(7n, true)), "7");
    assert.equal(JSON.stringify(float(-0, true)), "0");
  });
});

test("a float keeps its last bit and its sign", () => {
  for (const source of ["-0", "0.1", "1e+21", "100000000000000000000", "5e-324", "1.7976931348623157e+308"]) assert.equal(back(float, source), source);
  for (const value of [NaN, Infinity, -Infinity]) assert.equal(refusals(float, value, true), `${value} has no form in JSON`);
});

test("bytes are base64", () => {
  const all = Uint8Array.from({ length: 20_000 }, (_, i) => i * 7);
  assert.equal(bytes(all, true), Buffer.from(all).toString("base64"));
  assert.deepEqual(bytes(bytes(all, true), false), all);
  assert.deepEqual(bytes("", false), new Uint8Array());
  assert.equal(refusals(bytes, "!", false), "not base64");
  assert.equal(refusals(bytes, [1], true), "not a Uint8Array");
});

test("what is in quotes is JSON again", () => {
  assert.equal(back(quoted(), '"true"'), '"true"');
  assert.equal(back(quoted(), '"\\"a\\""'), '"\\"a\\""');
  assert.equal(quoted(float)("-0", false), -0);
  assert.equal(refusals(quoted(), "x", false), "not a value in quotes");
});

test("an error says where", () => {
  const convert = object(() => ({ lines: list(dict(object(() => ({ "a-b": int })))) }));
  for (const send of [true, false]) assert.equal(refusals(convert, { lines: [{}, { k: { "a-b": 2 ** 53 } }] }, send), `lines[1].k["a-b"]: ${beyond}`);
  assert.equal(refusals(convert, { lines: 1 }, false), "lines: not an array");
});

test("a program's values stay what they are", () => {
  const convert = object(() => ({ a: list(big), b: dict(big) }));
  const value = { a: [1n], b: { c: 2n }, d: "more" };
  assert.equal(JSON.stringify(convert(value, true)), '{"a":[1],"b":{"c":2},"d":"more"}');
  assert.deepEqual(value, { a: [1n], b: { c: 2n }, d: "more" });
});

test("a member that looks like a prototype is one like any other", () => {
  const convert = object(() => ({ ["__proto__"]: int, constructor: dict(int), missing: int }));
  const source = '{"__proto__":1,"constructor":{"__proto__":2}}';
  const value = convert(JSON.parse(source), false);
  assert.equal(Object.getPrototypeOf(value), Object.prototype);
  assert.equal(JSON.stringify(convert(value, true)), source);
  assert.equal(back(json.any, '{"__proto__":{"polluted":1}}'), '{"__proto__":{"polluted":1}}');
  assert.equal({}.polluted, undefined);
  assert.deepEqual(Object.keys(convert({}, true)), []);
});

test("any JSON leaves alone what makes its own", () => {
  assert.equal(JSON.stringify(json.any({ at: new Date(0), n: [1n << 60n, -0] }, true)), '{"at":"1970-01-01T00:00:00.000Z","n":[1152921504606846976,-0]}');
  assert.equal(refusals(json.any, { a: [NaN] }, true), "a[0]: NaN has no form in JSON");
});

test("only integers beyond 2^53 become bigints", () => {
  const { a, b, c, d } = json.parseExact('{"a":9007199254740993,"b":1e300,"c":1.00000000000000001,"d":"9007199254740993"}');
  assert.deepEqual([a, b, c, d], [9007199254740993n, 1e300, 1, "9007199254740993"]);
});

import jayson from "jayson";
import { add, failure, note } from "../servers/calc.js";

const server = new jayson.Server({
  calc_add: ([a, b], done) => done(null, add(a, b)),
  calc_fail: ([, detail], done) => done(failure(detail)),
  calc_note: ([text], done) => done(null, note(text)),
});
const http = server.http().listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${http.address().port}`));

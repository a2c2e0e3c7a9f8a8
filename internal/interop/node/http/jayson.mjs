import { listening } from "../servers/calc.js";
import { server } from "../servers/jayson.js";

const http = server.http();
http.listen(0, "127.0.0.1", () => listening(http.address().port, "http"));

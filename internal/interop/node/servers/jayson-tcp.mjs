import { listening } from "./calc.js";
import { server } from "./jayson.js";

const tcp = server.tcp();
tcp.listen(0, "127.0.0.1", () => listening(tcp.address().port, "tcp"));

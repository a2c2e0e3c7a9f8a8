// A client of tools on the protocol's SDK for TypeScript: node agent.mjs URL prints what
// comes of some calls, a line each.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const client = new Client({ name: "agent", version: "1" });
await client.connect(new StreamableHTTPClientTransport(new URL(process.argv[2])));
console.log((await client.listTools()).tools.map((tool) => tool.name).join(" "));

async function call(name, args) {
  const { content, structuredContent, isError } = await client.callTool({ name, arguments: args });
  console.log(content[0].text, isError ? structuredContent.code : "");
}
await call("Toolbox_Add", { a: 20, b: 22 });
await call("Toolbox_Add", { a: 20, b: "x" });
await call("Toolbox_Erase", { name: "root" });

const controller = new AbortController();
const onprogress = ({ progress, message }) => {
  console.log(progress, message);
  controller.abort("enough");
};
await client.callTool({ name: "Toolbox_Count", arguments: { after: 0 } }, undefined, { signal: controller.signal, onprogress }).catch((err) => console.log(err.message));
await client.close();

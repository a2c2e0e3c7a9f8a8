// Only its size is measured: it speaks over fetch, with the messages of Protocol Buffers.
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { fileDesc, serviceDesc } from "@bufbuild/protobuf/codegenv2";

const file = fileDesc("");

export async function open(url: string) {
  return createClient(serviceDesc(file, 0) as any, createConnectTransport({ baseUrl: url }));
}

// A provider or a consumer of test.Echo (see tests/calling/echo.py), with Dubbo's own library.
//
//   node peer.js serve [VERSION GROUP]   prints its port, serves until its input ends
//   node peer.js call ADDRESS            calls all rpcs, prints what came of each, as JSON

import http2 from "node:http2";
import { createPromiseClient, DubboError } from "@apachedubbo/dubbo";
import { createGrpcTransport, dubboNodeAdapter } from "@apachedubbo/dubbo-node";
import { DebugInfo, Echo, StringValue } from "./echo.js";

const text = (value) => new StringValue({ value });

function seen(context) {
  return text(JSON.stringify(Object.fromEntries(context.requestHeader)));
}

const provider = {
  async unary(request, context) {
    if (request.value === "fail") {
      const details = new DebugInfo({ stackEntries: ["peer.js:1"], detail: "on purpose" });
      throw new DubboError("no user 'Zoë'", 5, undefined, [details]);
    }
    context.responseHeader.set("server-node", "node 1");
    context.responseTrailer.set("cost", "3");
    return seen(context);
  },
  async *serverStream(request, context) {
    yield seen(context);
    yield request;
  },
  async clientStream(requests, context) {
    const values = [];
    for await (const request of requests) values.push(request.value);
    return text(values.join(" "));
  },
  async *bidi(requests) {
    for await (const request of requests) yield text(`${request.value}!`);
  },
};

function serve(serviceVersion, serviceGroup) {
  const routes = (router) => router.service(Echo, provider, { serviceVersion, serviceGroup });
  const server = http2.createServer(dubboNodeAdapter({ routes }));
  server.listen(0, "127.0.0.1", () => console.log(server.address().port));
  process.stdin.on("end", () => process.exit()).resume();
}

async function* requests() {
  yield text("one");
  yield text("two");
}

async function collect(responses) {
  const values = [];
  for await (const response of responses) values.push(response.value);
  return values;
}

async function call(address) {
  const transport = createGrpcTransport({ baseUrl: `http://${address}`, httpVersion: "2" });
  const client = createPromiseClient(Echo, transport);
  const result = {};
  const options = {
    timeoutMs: 5000,
    headers: {
      "tri-consumer-appname": "node-shop",
      "dubbo.tag": "gray",
      userid: "42",
      "tri-header-convert": encodeURIComponent(JSON.stringify({ userid: "userId" })),
      "blob-bin": "AAH/",
    },
    onHeader: (headers) => (result.headers = Object.fromEntries(headers)),
    onTrailer: (trailers) => (result.trailers = Object.fromEntries(trailers)),
  };
  result.unary = (await client.unary(text("hello"), options)).value;
  result.serverStream = await collect(client.serverStream(text("hello")));
  result.clientStream = (await client.clientStream(requests())).value;
  result.bidi = await collect(client.bidi(requests()));
  try {
    await client.unary(text("fail"));
  } catch (error) {
    const [info] = error.findDetails(DebugInfo);
    result.error = { code: error.code, message: error.rawMessage, stack: info?.stackEntries };
  }
  console.log(JSON.stringify(result));
  process.exit();
}

const [, , command, ...rest] = process.argv;
await { serve, call }[command](...rest);

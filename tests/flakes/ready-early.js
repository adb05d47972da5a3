// A shop's catalogue service, and the test that starts it and asks for items.
//
// Why it fails: the service writes its port file when it listens, and loads its catalogue after that. The test looks for
// the port file every 150 ms; when it looks in the few milliseconds between, its first request finds an empty catalogue.
//
// Truth: the port is published before the catalogue is loaded, and the first request comes between the two.
"use strict";
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const http = require("node:http");
const os = require("node:os");
const path = require("node:path");

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const between = (low, high) => low + Math.random() * (high - low);

async function serve(folder) {
  await sleep(between(40, 240)); // secrets, configuration, the connection to the broker
  let items = null;
  const server = http.createServer((request, response) => {
    const item = items && items.get(request.url.split("/").pop());
    response.statusCode = items === null ? 503 : item === undefined ? 404 : 200;
    response.end(JSON.stringify(item ?? null));
  });
  server.listen(0, "127.0.0.1", async () => {
    const partial = path.join(folder, "port.partial");
    fs.writeFileSync(partial, String(server.address().port));
    fs.renameSync(partial, path.join(folder, "port"));
    const shelf = JSON.parse(await fs.promises.readFile(path.join(folder, "catalogue.json"), "utf8"));
    items = new Map(shelf.map((item) => [item.id, item]));
  });
  process.on("SIGTERM", () => process.exit(0));
}

function get(port, id) {
  return new Promise((done, failed) => {
    http.get({ host: "127.0.0.1", port, path: `/items/${id}` }, (response) => {
      response.resume().on("end", () => done(response.statusCode));
    }).on("error", failed);
  });
}

async function test(folder) {
  const shelf = Array.from({ length: 100 }, (_, n) => ({ id: `book-${n}`, title: `Volume ${n}`, price: n % 17 }));
  fs.writeFileSync(path.join(folder, "catalogue.json"), JSON.stringify(shelf));
  const service = spawn(process.execPath, [__filename, "serve", folder], { stdio: "inherit" });
  try {
    while (!fs.existsSync(path.join(folder, "port"))) await sleep(150);
    const port = Number(fs.readFileSync(path.join(folder, "port"), "utf8"));
    for (const id of ["book-7", "book-42", "book-99", "book-0"]) {
      const status = await get(port, id);
      if (status !== 200) {
        console.error(`GET /items/${id}: ${status}`);
        return 1;
      }
      await sleep(between(80, 160));
    }
    return 0;
  } finally {
    service.kill("SIGTERM");
    await new Promise((done) => (service.exitCode === null && service.signalCode === null ? service.on("exit", done) : done()));
  }
}

if (process.argv[2] === "serve") {
  serve(process.argv[3]);
} else {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "ready-early-"));
  test(folder).then((code) => {
    fs.rmSync(folder, { recursive: true });
    process.exit(code);
  });
}

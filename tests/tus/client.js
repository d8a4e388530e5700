// A tus client that is not ours (tus-js-client), through everything that our endpoint says it can:
//   node client.js ENDPOINT COOKIE FILE
// Uploads the file four times: broken off and resumed by a second client, with the creation, with the length
// told at the end, and one that is removed again. Prints the addresses of the first three.
import { readFileSync } from "node:fs";
import { Readable } from "node:stream";
import { Upload } from "tus-js-client";

const [endpoint, cookie, path] = process.argv.slice(2);
const content = readFileSync(path);
const base = {
  endpoint,
  headers: { Cookie: cookie },
  chunkSize: 256 * 1024,
  retryDelays: null,
  metadata: { filename: "foto é.jpg", filetype: "image/jpeg" },
};

// Resolves at the end, or when `stop` says that it is enough.
function run(source, options, stop = () => false) {
  return new Promise((resolve, reject) => {
    const upload = new Upload(source, {
      ...base,
      ...options,
      onError: reject,
      onSuccess: () => resolve(upload),
      onChunkComplete: (size, accepted) => {
        if (stop(accepted)) upload.abort().then(() => resolve(upload), reject);
      },
    });
    upload.start();
  });
}

const half = await run(content, {}, (accepted) => accepted >= 512 * 1024);
const resumed = await run(content, { uploadUrl: half.url });
const created = await run(content, { uploadDataDuringCreation: true });
const deferred = await run(Readable.from([content]), { uploadLengthDeferred: true });
const removed = await run(content, {}, (accepted) => accepted >= 256 * 1024);
await removed.abort(true);
console.log(JSON.stringify([resumed.url, created.url, deferred.url]));
